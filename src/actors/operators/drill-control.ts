/**
 * Drill control: how a command begins a drill, and how the runner hears of it (G4).
 *
 * Promises: one drill at a time; its row is durable before anybody is told that it begins; outside practice mode there is none.
 * Never: injects a fault itself.
 */
import { Context, Effect, Layer, Queue } from "effect"
import { CommandRefused } from "../../domain/control/commands.ts"
import type { DatabaseUnavailable } from "../../layers/database/database.port.ts"
import { type DrillRequest, DrillsStore } from "../../layers/operators/drills-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"

export interface DrillControlService {
  /** Returns the id of the drill that begins. */
  readonly begin: (
    request: Omit<DrillRequest, "id">
  ) => Effect.Effect<string, CommandRefused | DatabaseUnavailable>
  /** The next drill; waits for it. */
  readonly next: Effect.Effect<DrillRequest>
}

const conflict = (reason: string, message: string) =>
  new CommandRefused({ kind: "conflict", reason, message })

export class DrillControl extends Context.Service<DrillControl, DrillControlService>()(
  "holdfast/actors/DrillControl"
) {
  static readonly layer: Layer.Layer<DrillControl, never, Config | DrillsStore | Entropy> = Layer.effect(
    DrillControl,
    Effect.gen(function* () {
      const settings = yield* Config
      const store = yield* DrillsStore
      const { uuid } = yield* Entropy
      // The row decides whether another one runs, so there is never a second in here.
      const waiting = yield* Queue.bounded<DrillRequest>(1)
      return DrillControl.of({
        begin: (request) =>
          Effect.gen(function* () {
            if (settings.mode !== "PRACTICE")
              return yield* conflict(
                "practice_only",
                `faults are injected in practice mode only, and this is ${settings.mode}`
              )
            if (!settings.roles.has("http") || !settings.roles.has("accounts"))
              return yield* conflict("other_process", "this process does not take posts and trade at once")
            const drill = { ...request, id: uuid() }
            if (!(yield* store.begin(drill)))
              return yield* conflict("drill_running", "a drill is under way: its receipt comes first")
            yield* Queue.offer(waiting, drill)
            return drill.id
          }),
        next: Queue.take(waiting)
      })
    })
  )
}
