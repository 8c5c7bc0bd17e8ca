/**
 * The statecharts over HTTP: `/api/v1/machines`.
 *
 * Promises: what is served is what docs/machines is drawn from; each chart names the components that run it now.
 * Never: builds a chart.
 * Failure: an unknown name is 404.
 */
import { Effect } from "effect"
import * as wire from "../../wire/journal-endpoints.ts"
import type { ChartsService } from "../health/charts.port.ts"
import type { HealthSourceService } from "../health/health-source.port.ts"
import { Refused, type Route, route } from "./http.route.ts"

/** The routes of this file. */
export const chartRoutes = (charts: ChartsService, source: HealthSourceService): ReadonlyArray<Route> => [
  route(wire.listMachines, () =>
    Effect.sync(() => {
      const actors = source.actors()
      return {
        status: 200,
        json: {
          items: charts.all().map(({ name, states, transitions }) => ({
            name,
            states: states.length,
            transitions: transitions.length,
            components: actors.filter(({ machine }) => machine === name).map(({ path }) => path)
          })),
          next_cursor: null
        }
      }
    })
  ),
  route(wire.getMachine, ({ params }) =>
    Effect.gen(function* () {
      const found = charts.all().find(({ name }) => name === params["name"])
      return found === undefined ? yield* new Refused({ status: 404 }) : { status: 200, json: found }
    })
  )
]
