/**
 * Sinks as the settings name them: which adapter is behind which kind.
 *
 * Promises: those of the port; the deadline of an attempt is the same for each kind.
 * Never: keeps a connection.
 * Failure: that of the adapters, or that there was no answer in time.
 */
import { Effect, Layer } from "effect"
import { outboxLimits } from "../../domain/alerts/outbox-limits.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import type { SinkSettings } from "../../domain/kernel/settings-alerts.ts"
import { sendFile } from "./sink.file.ts"
import { beatHttp, sendHttp } from "./sink.http.ts"
import { sendMail } from "./sink.smtp.ts"
import { type Send, SinkFailed, Sinks } from "./sinks.port.ts"

const sendOf = (settings: SinkSettings): Send => {
  const { kind, path, url } = settings
  switch (kind) {
    case "file":
      invariant(path !== null, "a file has a path")
      return sendFile(path)
    case "email":
      invariant(url !== null, "a mail server has an address")
      return sendMail(url, settings)
    default:
      return sendHttp(settings)
  }
}

const inTime = (attempt: Effect.Effect<void, SinkFailed>): Effect.Effect<void, SinkFailed> =>
  Effect.timeoutOrElse(attempt, {
    duration: outboxLimits.sendMsMax,
    orElse: () =>
      Effect.fail(new SinkFailed({ failure: "unreachable", reason: "no answer in time", retryAfterMs: 0 }))
  })

export const sinksConfigured: Layer.Layer<Sinks> = Layer.succeed(Sinks, {
  sender: (settings) => {
    const send = sendOf(settings)
    return (message) => inTime(send(message))
  },
  beat: (url) => inTime(beatHttp(url))
})
