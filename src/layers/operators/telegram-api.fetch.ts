/**
 * TelegramApi over fetch.
 *
 * A bot needs a dozen methods of plain JSON over HTTPS. A framework for bots would bring its own polling, its own errors and 25 MB;
 * the two that were tried handle an update before they confirm it, or send a message twice.
 *
 * Promises: those of the port; one request per call; an answer above `telegramLimits.answerBytesMax` is none; times are of our clock.
 * Never: follows a redirect, which would hand the token to whoever it points at.
 * Failure: `TelegramFailed`; its reason is Telegram's description or the code of the network's error, and nothing else, because
 * errors of fetch may quote the URL, and the URL has the token.
 */
import { Clock, Effect, Layer, Redacted } from "effect"
import type { z } from "zod"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { telegramSecret } from "../../domain/intake/telegram-secret.ts"
import {
  telegramAnswer,
  telegramBot,
  telegramEnvelope,
  telegramSent,
  telegramTaken,
  telegramWebhook
} from "../../wire/telegram.ts"
import { Config } from "../platform/config.port.ts"
import { TelegramApi, TelegramFailed, type TelegramFailure, type WebhookReport } from "./telegram-api.port.ts"

const kindOf = (code: number): TelegramFailure => {
  // A token that is malformed for Telegram is 404.
  if (code === 401 || code === 404) return "credentials"
  if (code === 409) return "conflict"
  if (code === 429) return "rate"
  return code >= 500 ? "server" : "refused"
}

const codeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return "failed"
  if (error.name === "TimeoutError" || error.name === "AbortError") return "no answer in time"
  const { cause } = error
  return cause instanceof Error && "code" in cause ? String(cause.code) : "no connection"
}

/** The whole body, as far as it is not too long; null: it is. */
const readBody = async (answer: Response): Promise<string | null> => {
  if (answer.body === null) return ""
  const decoder = new TextDecoder()
  let text = ""
  let bytes = 0
  for await (const chunk of answer.body) {
    bytes += chunk.byteLength
    if (bytes > telegramLimits.answerBytesMax) return null
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // A proxy's page is no answer of the Bot API; the caller names it by its status.
    return undefined
  }
}

interface Raw {
  readonly status: number
  readonly text: string | null
  /** What the sender's clock says, epoch milliseconds of whole seconds; NaN: it does not tell. */
  readonly dateMs: number
}

const outcomeOf = (method: string, { status, text }: Raw): Effect.Effect<unknown, TelegramFailed> => {
  const failed = (kind: TelegramFailure, reason: string, retryAfterMs = 0) =>
    Effect.fail(new TelegramFailed({ kind, method, reason, retryAfterMs }))
  if (text === null) return failed("long", "an answer that is too long")
  const answer = telegramAnswer.safeParse(parsed(text))
  if (!answer.success) return failed("server", `${status} with no answer of the Bot API`)
  if (answer.data.ok) return Effect.succeed(answer.data.result)
  const { description, error_code: code, parameters } = answer.data
  const moved = parameters?.migrate_to_chat_id
  const reason = `${description.slice(0, 300)}${moved === undefined ? "" : `; the chat is now ${moved}`}`
  return failed(kindOf(code), reason, (parameters?.retry_after ?? 0) * 1_000)
}

/** A result by its shape; of another shape it is no use, whatever Telegram meant. */
const decoded = <Schema extends z.ZodType>(method: string, schema: Schema, result: unknown) => {
  const read = schema.safeParse(result)
  return read.success
    ? Effect.succeed(read.data)
    : Effect.fail(
        new TelegramFailed({ kind: "server", method, reason: "a result of another form", retryAfterMs: 0 })
      )
}

/** Telegram's clock may be minutes from ours: what it dates is moved by how far. */
const reportOf = (info: z.output<typeof telegramWebhook>, dateMs: number, nowMs: number): WebhookReport => ({
  url: info.url,
  pending: info.pending_update_count,
  lastErrorMs:
    info.last_error_date === undefined
      ? null
      : info.last_error_date * 1_000 + (Number.isFinite(dateMs) ? nowMs - dateMs : 0),
  lastError: info.last_error_message ?? null
})

/** One post of JSON, and its whole answer. */
const post = (
  method: string,
  url: string,
  body: object,
  deadlineMs: number,
  headers: Readonly<Record<string, string>> = {}
) =>
  Effect.tryPromise({
    try: async (signal): Promise<Raw> => {
      const answer = await fetch(url, {
        method: "POST",
        redirect: "manual",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)])
      })
      const dateMs = Date.parse(answer.headers.get("date") ?? "")
      return { status: answer.status, text: await readBody(answer), dateMs }
    },
    catch: (error) => new TelegramFailed({ kind: "network", method, reason: codeOf(error), retryAfterMs: 0 })
  })

/** Our own route repeats the word; whatever else answers there does not know it. */
const probe = (secret: string) => (url: string, word: string) =>
  Effect.flatMap(
    post("probe", url, { update_id: 0, probe: word }, telegramLimits.probeMsMax, {
      "x-telegram-bot-api-secret-token": secret
    }),
    ({ status, text }) => {
      const taken = telegramTaken.safeParse(parsed(text ?? ""))
      return taken.success && taken.data.probe === word
        ? Effect.void
        : Effect.fail(
            new TelegramFailed({
              kind: "server",
              method: "probe",
              reason: `${status} of something else than this service`,
              retryAfterMs: 0
            })
          )
    }
  )

export const telegramApiFetch: Layer.Layer<TelegramApi, never, Config> = Layer.effect(
  TelegramApi,
  Effect.map(Config, ({ telegram: { apiRoot, token } }) => {
    const root = apiRoot.replace(/\/$/, "")
    const key = token === null ? "" : Redacted.value(token)
    const raw = (method: string, parameters: object, deadlineMs: number = telegramLimits.callMsMax) =>
      post(method, `${root}/bot${key}/${method}`, parameters, deadlineMs)
    const call = (method: string, parameters: object, deadlineMs?: number) =>
      Effect.flatMap(raw(method, parameters, deadlineMs), (answer) => outcomeOf(method, answer))
    return TelegramApi.of({
      call: (method, parameters) =>
        Effect.map(call(method, parameters), (result) => {
          const sent = telegramSent.safeParse(result)
          return sent.success ? sent.data.message_id : null
        }),
      botName: Effect.flatMap(call("getMe", {}), (result) =>
        Effect.map(decoded("getMe", telegramBot, result), ({ username }) => username)
      ),
      updates: (offset, limit, allowed) =>
        Effect.flatMap(
          call(
            "getUpdates",
            {
              timeout: telegramLimits.pollSeconds,
              limit,
              allowed_updates: allowed,
              ...(offset === null ? {} : { offset })
            },
            telegramLimits.pollMsMax
          ),
          (result) =>
            Effect.map(decoded("getUpdates", telegramEnvelope.array(), result), (updates) =>
              updates.map((update) => ({ updateId: update.update_id, body: JSON.stringify(update) }))
            )
        ),
      webhook: Effect.gen(function* () {
        const method = "getWebhookInfo"
        const answer = yield* raw(method, {})
        const info = yield* decoded(method, telegramWebhook, yield* outcomeOf(method, answer))
        return reportOf(info, answer.dateMs, yield* Clock.currentTimeMillis)
      }),
      probe: probe(key === "" ? "" : telegramSecret(key))
    })
  })
)
