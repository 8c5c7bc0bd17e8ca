/**
 * The command about a sink: a message of its own through the whole path, so that nobody has to wait for a grave alert to know.
 *
 * Promises: it takes the way of every alert, rows, order, rate and retries included; repeated, it is one message.
 * Never: waits for its delivery; what came of it is shown with the sink.
 */
import { Effect } from "effect"
import type { CommandRequest } from "../../domain/control/commands.ts"
import { Outbox } from "../../layers/alerts/outbox.port.ts"
import { outboxBell } from "../../layers/platform/bells.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { notFound } from "./command-operations.ts"
import type { Made } from "./command-orders.ts"

export const testSink = (
  { caller: { by }, reason, target: sink }: CommandRequest<"sink.test">,
  { commandId }: Made
) =>
  Effect.gen(function* () {
    const { alerts } = yield* Config
    if (!Object.hasOwn(alerts.sinks, sink)) return yield* notFound
    const outbox = yield* Outbox
    const wake = yield* Wake
    yield* outbox.test(sink, commandId, `a test by ${by}${reason === null ? "" : `: ${reason}`}`)
    wake.notify(outboxBell(sink))
    return { status: "ACCEPTED", sink }
  })
