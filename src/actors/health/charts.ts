/**
 * Charts wiring: the statecharts of the catalog for the API.
 *
 * Promises: walked when somebody asks for the first time, and never again.
 * Never: draws one.
 */
import { Layer } from "effect"
import { Charts, type NamedChart } from "../../layers/health/charts.port.ts"
import { catalog } from "../../machines/catalog.ts"
import { chartOf } from "../../machines/chart.ts"

const makeCharts = () => {
  let made: ReadonlyArray<NamedChart> | undefined
  return {
    all: (): ReadonlyArray<NamedChart> =>
      (made ??= catalog.map(({ machine, name }) => ({ name, ...chartOf(machine) })))
  }
}

/** Implements the `Charts` port from the catalog. */
export const chartsLayer: Layer.Layer<Charts> = Layer.sync(Charts, makeCharts)
