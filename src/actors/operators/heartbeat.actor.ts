/**
 * Heartbeat actor: the heartbeat machine with the health of this process and the switch outside.
 *
 * Promises: health is asked at each beat, and never remembered; a switch that is not reached is an alert until it is.
 * Never: puts the address of the switch into its status.
 */
import { Effect } from "effect"
import { outboxLimits } from "../../domain/alerts/outbox-limits.ts"
import type { HeartbeatSettings } from "../../domain/kernel/settings-alerts.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { HealthSource } from "../../layers/health/health-source.port.ts"
import { Sinks } from "../../layers/operators/sinks.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import {
  type BeatOutcome,
  type HeartbeatContext,
  heartbeatMachine
} from "../../machines/operators/heartbeat.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild } from "../../runtime/machine-child.ts"

const DEDUP_KEY = "heartbeat.failing"

/** What is well enough to be told. A process that only ever starts would otherwise look alive. */
const WELL: ReadonlySet<string> = new Set(["healthy", "degraded"])

const beat = ({ url }: HeartbeatSettings) =>
  Effect.gen(function* () {
    const source = yield* HealthSource
    const sinks = yield* Sinks
    const { reasons, status } = source.health().document
    if (!WELL.has(status)) return { withheld: [status, ...reasons].join(": ") } satisfies BeatOutcome
    yield* sinks.beat(url)
    return { withheld: null } satisfies BeatOutcome
  })

/** Alerts about the switch. They do not wait, so an action of the machine may raise them. */
const voices = (component: string) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const run = Effect.runSyncWith(yield* Effect.context())
    return {
      raiseFailing: ({ context }: { readonly context: HeartbeatContext }) => {
        if (context.failures < outboxLimits.failuresAlerted) return
        run(
          alerts.raise({
            severity: "HIGH",
            kind: "heartbeat.failing",
            dedupKey: DEDUP_KEY,
            message: `the switch outside was not reached, ${context.failures} times in a row: ${context.lastError ?? "no reason known"}`,
            component,
            standing: true
          })
        )
      },
      resolveFailing: () => run(alerts.resolve(DEDUP_KEY, "the switch outside is reached"))
    }
  })

const familiesOf = ({ beats, failed }: { readonly beats: number; readonly failed: number }) => [
  {
    name: "holdfast_heartbeats_total",
    help: "Heartbeats that the switch outside took.",
    type: "counter" as const,
    samples: [{ labels: {}, value: beats }]
  },
  {
    name: "holdfast_heartbeats_failed_total",
    help: "Heartbeats that did not reach the switch outside.",
    type: "counter" as const,
    samples: [{ labels: {}, value: failed }]
  }
]

/** The component `root/operators/heartbeat`. */
export const heartbeatActor = (settings: HeartbeatSettings) => (self: ChildSelf) =>
  Effect.gen(function* () {
    const shown = yield* Figures
    const counts = { beats: 0, failed: 0 }
    const show = () => shown.show(self.path, () => familiesOf(counts))
    yield* Effect.acquireRelease(Effect.sync(show), (withdraw) => Effect.sync(withdraw))
    return yield* machineChild({
      machine: heartbeatMachine,
      input: {
        everyMs: settings.everyMs,
        withheldMs: Math.min(settings.everyMs, outboxLimits.withheldMsMax),
        retryMs: Math.min(settings.everyMs, outboxLimits.withheldMsMax),
        beatMsMax: 2 * outboxLimits.sendMsMax
      },
      actors: {
        beat: effectActor("heartbeat.beat", () =>
          beat(settings).pipe(
            Effect.tap(({ withheld }) =>
              Effect.sync(() => {
                if (withheld === null) counts.beats += 1
              })
            ),
            Effect.tapError(() =>
              Effect.sync(() => {
                counts.failed += 1
              })
            )
          )
        )
      },
      actions: yield* voices(self.path),
      status: ({ context }) => ({
        detail: {
          every_ms: settings.everyMs,
          beats: context.beats,
          failed: context.failed,
          withheld: context.withheld
        }
      })
    })(self)
  })
