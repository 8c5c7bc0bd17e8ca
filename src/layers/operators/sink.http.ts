/**
 * Sinks over HTTP: a signed webhook, the webhooks of two chat services, and the switch outside.
 *
 * Promises: one request per attempt, which ends with it; an answer is read to its end only within a bound.
 * Never: follows a redirect, which would hand what we know to whoever it points at.
 * Failure: `SinkFailed`; its reason is a status or the code of the network's error and nothing else, because errors of fetch may
 * quote the URL, and URLs of chat services are secrets.
 */
import { Clock, Effect, Redacted } from "effect"
import type { SinkFailure } from "../../domain/alerts/outbox-delivery.ts"
import { outboxLimits } from "../../domain/alerts/outbox-limits.ts"
import type { SinkSettings } from "../../domain/kernel/settings-alerts.ts"
import { readSecret } from "../../domain/kernel/settings-text.ts"
import { standardHeaders } from "../../domain/kernel/standard-webhooks.ts"
import {
  discordDocument,
  documentOf,
  slackDocument,
  type SinkMessage
} from "../../domain/operators/sink-message.ts"
import { errorCodeOf } from "../platform/error-code.ts"
import { type Send, SinkFailed } from "./sinks.port.ts"

/** What an answer means. One that refuses us, and not the message, is the settings' or the receiver's to mend. */
export const failureOf = (status: number): SinkFailure | null => {
  if (status >= 200 && status < 300) return null
  if (status === 429) return "rate"
  if (status >= 500 || status === 408 || status === 425) return "fault"
  return status < 400 || [401, 402, 403, 404, 405, 407, 410].includes(status) ? "unusable" : "refused"
}

/** `Retry-After` in milliseconds: seconds, or a date; 0 for what is neither. */
export const retryAfterMs = (header: string | null, nowMs: number): number => {
  if (header === null) return 0
  // Services write fractions of a second too.
  if (/^\d{1,9}(?:\.\d{1,6})?$/.test(header)) return Math.ceil(Number(header) * 1_000)
  const at = Date.parse(header)
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs)
}

const codeOf = (error: unknown): string =>
  errorCodeOf(error instanceof Error ? error.cause : error) ?? "no connection"

/** An answer that is not read to its end keeps its connection; one that is endless is cut. */
const drain = async ({ body }: Response): Promise<void> => {
  if (body === null) return
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    // Leaving the loop cancels the stream.
    if (bytes > outboxLimits.answerBytesMax) return
  }
}

interface Request {
  readonly url: Redacted.Redacted<string>
  readonly method: "GET" | "POST"
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

const requested = ({ body, headers, method, url }: Request): Effect.Effect<void, SinkFailed> =>
  Effect.gen(function* () {
    const answer = yield* Effect.tryPromise({
      try: async (signal) => {
        const answer = await fetch(Redacted.value(url), {
          method,
          headers: { ...headers, "user-agent": "holdfast" },
          body,
          redirect: "manual",
          signal
        })
        await drain(answer)
        return answer
      },
      catch: (error) => new SinkFailed({ failure: "unreachable", reason: codeOf(error), retryAfterMs: 0 })
    })
    const failure = failureOf(answer.status)
    if (failure === null) return
    const nowMs = yield* Clock.currentTimeMillis
    return yield* new SinkFailed({
      failure,
      reason: `the answer was ${answer.status}`,
      retryAfterMs: retryAfterMs(answer.headers.get("retry-after"), nowMs)
    })
  })

const json = { "content-type": "application/json" }

const documents: Readonly<Record<string, (message: SinkMessage) => object>> = {
  slack: slackDocument,
  discord: discordDocument
}

/** A sink of a chat service, or a webhook with its signature. */
export const sendHttp =
  ({ kind, secret, url }: SinkSettings): Send =>
  (message) =>
    Effect.gen(function* () {
      if (url === null) return
      const body = JSON.stringify((documents[kind] ?? documentOf)(message))
      const nowMs = yield* Clock.currentTimeMillis
      const signed =
        secret === null
          ? {}
          : standardHeaders(readSecret(Redacted.value(secret)).key, message.id, nowMs, body)
      yield* requested({ url, method: "POST", headers: { ...json, ...signed }, body })
    })

/** Fetches the address of the switch outside. */
export const beatHttp = (url: Redacted.Redacted<string>): Effect.Effect<void, SinkFailed> =>
  requested({ url, method: "GET", headers: {}, body: null })
