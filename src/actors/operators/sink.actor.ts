/**
 * Sink actor: one way out for alerts, its machine joined with its rows and with what is at the other end.
 *
 * Promises: its status and figures are those of the rows, of all processes; alerts that were given up are an alert on the other sinks.
 * Never: puts an address or a secret into its status.
 */
import { Effect } from "effect"
import { outboxLimits } from "../../domain/alerts/outbox-limits.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import type { SinkSettings } from "../../domain/kernel/settings-alerts.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Outbox, type SinkFigures } from "../../layers/alerts/outbox.port.ts"
import { Sinks } from "../../layers/operators/sinks.port.ts"
import { outboxBell } from "../../layers/platform/bells.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { sinkMachine } from "../../machines/operators/sink.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { type RunningSink, sendNext } from "./sink-send.ts"

const raiseDead = ({ name, path }: RunningSink, count: number, { lastError }: SinkFigures) =>
  Effect.flatMap(Alerts, (alerts) =>
    alerts.raise({
      severity: "HIGH",
      kind: "sink.dead_letter",
      dedupKey: `sink.dead_letter:${name}`,
      message: `${count} alerts could not be delivered to the sink ${name} and are given up: ${lastError ?? "no reason known"}`,
      component: path,
      detail: { sink: name, count }
    })
  )

/** One look at the rows. The first one of a life knows no change. */
const look = (sink: RunningSink, before: SinkFigures | null) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox
    const figures = yield* outbox.figures(sink.name)
    if (before !== null && figures.dead > before.dead)
      yield* raiseDead(sink, figures.dead - before.dead, figures)
    return figures
  })

/** Runs as long as the component does. Without a database nothing is known, and its own state says so. */
const measure = (sink: RunningSink, seen: { figures: SinkFigures | null }) =>
  Effect.forever(
    Effect.andThen(
      Effect.suspend(() => look(sink, seen.figures)).pipe(
        Effect.tap((figures) =>
          Effect.sync(() => {
            seen.figures = figures
          })
        ),
        Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], () => Effect.void)
      ),
      Effect.sleep(outboxLimits.figuresEveryMs)
    )
  )

const watchOutbox = (name: string) =>
  streamActor("sink.watch", ({ send }) =>
    Effect.gen(function* () {
      const wake = yield* Wake
      return yield* Effect.forever(
        Effect.andThen(
          wake.wait(outboxBell(name), outboxLimits.bellMs),
          Effect.sync(() => send({ type: "outbox.filled" }))
        )
      )
    })
  )

const familiesOf = (sink: string, { dead, nowMs, oldestMs, queued, sent }: SinkFigures) => {
  const samples = (value: number) => [{ labels: { sink }, value }]
  return [
    {
      name: "holdfast_sink_queued_alerts",
      help: "Alerts that wait for a sink.",
      type: "gauge" as const,
      samples: samples(queued)
    },
    {
      name: "holdfast_sink_oldest_seconds",
      help: "How long the oldest alert has waited for a sink.",
      type: "gauge" as const,
      samples: samples(oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs) / 1_000)
    },
    {
      name: "holdfast_sink_sent_alerts_total",
      help: "Alerts that a sink took, from all processes.",
      type: "counter" as const,
      samples: samples(sent)
    },
    {
      name: "holdfast_sink_dead_alerts_total",
      help: "Alerts that were given up, because a sink did not take them.",
      type: "counter" as const,
      samples: samples(dead)
    }
  ]
}

const detailOf = ({ settings }: RunningSink, figures: SinkFigures | null) => ({
  kind: settings.kind,
  ...(figures === null
    ? {}
    : {
        queued: figures.queued,
        oldest_at: isoOf(figures.oldestMs),
        sent: figures.sent,
        dead: figures.dead,
        last_sent_at: isoOf(figures.lastSentMs)
      })
})

/** The component `root/operators/sink:<name>`. */
export const sinkActor = (name: string, settings: SinkSettings) => (self: ChildSelf) =>
  Effect.gen(function* () {
    const { mode } = yield* Config
    const sinks = yield* Sinks
    const entropy = yield* Entropy
    const shown = yield* Figures
    const sink: RunningSink = {
      path: self.path,
      name,
      mode,
      settings,
      sender: { sink: name, owner: entropy.uuid() },
      send: sinks.sender(settings)
    }
    const seen: { figures: SinkFigures | null } = { figures: null }
    const show = () =>
      shown.show(self.path, () => (seen.figures === null ? [] : familiesOf(name, seen.figures)))
    yield* Effect.acquireRelease(Effect.sync(show), (withdraw) => Effect.sync(withdraw))
    return yield* machineChild({
      machine: sinkMachine,
      input: {
        pollMs: outboxLimits.pollMs,
        heldMs: outboxLimits.heldMs,
        sendMsMax: outboxLimits.leaseMs,
        retryMs: outboxLimits.retryFirstMs
      },
      actors: {
        watchDatabase: watchDatabase(),
        watchOutbox: watchOutbox(name),
        measure: streamActor("sink.measure", () => measure(sink, seen)),
        send: effectActor("sink.send", ({ failures }: { readonly failures: number }) =>
          sendNext(sink, failures)
        )
      },
      status: ({ context }) => ({
        detail: { ...detailOf(sink, seen.figures), failures: context.failures }
      })
    })(self)
  })
