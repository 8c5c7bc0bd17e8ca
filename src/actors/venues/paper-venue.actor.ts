/**
 * Paper venue actor: the paper venue machine with the venue of the `PaperVenues` port, one child per embedded broker.
 *
 * Promises: the venue lives in the scope of the state that runs it, so leaving that state closes its port and withdraws
 * its address.
 * Never: talks to the venue; brokers do, over its port.
 */
import { venueBell } from "../../layers/platform/bells.ts"
import { Effect } from "effect"
import { paperVenueLimits, PaperVenues } from "../../layers/venues/paper-venue.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { type PaperVenueEvent, paperVenueMachine } from "../../machines/venues/paper-venue.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { machineChild, streamActor } from "../../runtime/machine-child.ts"

import { watchDatabase } from "../database/database-watch.ts"

const runVenue = (broker: string, component: string) =>
  streamActor("paper-venue.run", ({ send }: { readonly send: (event: PaperVenueEvent) => void }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const venues = yield* PaperVenues
        const wake = yield* Wake
        const venue = yield* venues.launch(broker)
        send({ type: "venue.listening", url: venue.url })
        const serving = Effect.gen(function* () {
          yield* venue.serving
          send({ type: "venue.serving" })
          wake.notify(venueBell(broker))
          yield* logEvent("info", "venue.serving", `the paper venue of ${broker} serves`, {
            component,
            url: venue.url
          })
          return yield* Effect.never
        })
        return yield* Effect.raceFirst(venue.ended, serving)
      })
    )
  )

/** The component `root/trading/paper-venue:<broker>`. */
export const paperVenueActor = (broker: string) => (self: ChildSelf) =>
  machineChild({
    machine: paperVenueMachine,
    input: paperVenueLimits,
    actors: { watchDatabase: watchDatabase(), runVenue: runVenue(broker, self.path) },
    status: ({ context, value }) => ({
      state: typeof value === "string" ? value : (Object.values(value)[0] ?? "Running"),
      detail: { url: context.url, attempt: context.attempt }
    })
  })(self)
