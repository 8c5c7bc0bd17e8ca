/**
 * Expected-signals actor: the expected-signals machine with the effect of a look.
 *
 * Promises: health and metrics name the sources that are silent.
 * Never: writes while nothing is expected of any source.
 */
import { Effect } from "effect"
import { expectedLimits } from "../../domain/kernel/limits-kept.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { expectedSignalsMachine } from "../../machines/operators/expected-signals.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { describe, isMissing, look, makeWatch } from "./expected-look.ts"

/** The component `root/operators/expected-signals`. */
export const expectedSignalsActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const figures = yield* Figures
    const watch = makeWatch(self.path)
    const show = () =>
      figures.show(self.path, () => [
        {
          name: "holdfast_expected_missing",
          help: "1 while a source does not send what it is expected to send.",
          type: "gauge",
          samples: [...watch.sources].map(([source, state]) => ({
            labels: { source },
            value: isMissing(state) ? 1 : 0
          }))
        }
      ])
    yield* Effect.acquireRelease(Effect.sync(show), (withdraw) => Effect.sync(withdraw))
    return yield* machineChild({
      machine: expectedSignalsMachine,
      input: {
        lookEveryMs: expectedLimits.lookEveryMs,
        lookDeadlineMs: expectedLimits.lookMsMax,
        retryMs: expectedLimits.retryMs
      },
      actors: {
        watchDatabase: watchDatabase(),
        look: effectActor("expected_signals.look", () => look(watch))
      },
      status: ({ context }) => ({
        detail: { watched: context.watched, missing: context.missing, sources: describe(watch) }
      })
    })(self)
  })
