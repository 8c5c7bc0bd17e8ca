/**
 * The statecharts over HTTP: `/api/v1/machines`.
 *
 * Promises: what is served is what docs/machines is drawn from; each chart names the components that run it now, and has the
 * coordinates that the build computed where there was one.
 * Never: builds a chart.
 * Failure: an unknown name is 404.
 */
import { Effect } from "effect"
import * as wire from "../../wire/journal-endpoints.ts"
import { drawingsOf } from "./http.drawings.ts"
import { consoleFile } from "./console-files.node.ts"
import type { ChartsService } from "../health/charts.port.ts"
import type { HealthSourceService } from "../health/health-source.port.ts"
import { Refused, type Route, route } from "./http.route.ts"

/** The drawings that the build left; asked for at each request, because a build may replace them. */
const drawings = (charts: ChartsService) =>
  Effect.map(consoleFile("machines.json", { encodings: "", knows: undefined }), (file) => {
    const bytes = file === null || file === "missing" ? null : file.bytes
    return drawingsOf(bytes === null ? null : bytes.toString("utf8"), charts.all())
  })

/** The routes of this file. */
export const chartRoutes = (charts: ChartsService, source: HealthSourceService): ReadonlyArray<Route> => [
  route(wire.listMachines, () =>
    Effect.map(drawings(charts), (drawn) => {
      const actors = source.actors()
      const sizeOf = (name: string) => {
        const { height, width } = drawn.get(name) ?? {}
        return width === undefined || height === undefined ? null : { width, height }
      }
      return {
        status: 200,
        json: {
          items: charts.all().map(({ name, states, transitions }) => ({
            name,
            states: states.length,
            transitions: transitions.length,
            components: actors.filter(({ machine }) => machine === name).map(({ path }) => path),
            drawn: sizeOf(name)
          })),
          next_cursor: null
        }
      }
    })
  ),
  route(wire.getMachine, ({ params }) =>
    Effect.gen(function* () {
      const found = charts.all().find(({ name }) => name === params["name"])
      if (found === undefined) return yield* new Refused({ status: 404 })
      const drawn = (yield* drawings(charts)).get(found.name) ?? null
      return { status: 200, json: { ...found, drawn } }
    })
  )
]
