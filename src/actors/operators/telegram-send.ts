/**
 * Telegram sending: what waits to be sent, in the order of each chat and at the pace that Telegram allows.
 *
 * Promises: a call that Telegram took is not made again, unless its answer was lost; what it will never take is dropped with the
 * reason; a late reply says how late; while Telegram is away everything waits in its rows.
 * Never: sends faster than the documented rates; gives up an alert for its age.
 */
import { Clock, Effect } from "effect"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { TelegramPace } from "../../domain/operators/telegram-pace.ts"
import { lasting } from "../../domain/operators/telegram-text.ts"
import { TelegramApi, type TelegramFailed } from "../../layers/operators/telegram-api.port.ts"
import { TelegramStore, type WaitingCall } from "../../layers/operators/telegram-store.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { ASKED } from "./telegram-reply.ts"

/** A press waits for its answer, and counts in none of the limits. */
const isPaced = ({ method }: WaitingCall): boolean => method !== "answerCallbackQuery"

/** The parameters as they leave: without our own field, and with how late they are. */
const leaving = ({ parameters }: WaitingCall, nowMs: number): Readonly<Record<string, unknown>> => {
  const { [ASKED]: askedMs, ...rest } = parameters
  const text = rest["text"]
  if (typeof askedMs !== "number" || typeof text !== "string") return rest
  const lateMs = nowMs - askedMs
  return lateMs <= telegramLimits.replyMsMax
    ? rest
    : { ...rest, text: `${text}\n<i>Late: you asked ${lasting(lateMs)} ago.</i>` }
}

/** What a failed call means for it, and for the next one of its chat. */
const afterFailure = (path: string, pace: TelegramPace, call: WaitingCall, failure: TelegramFailed) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const nowMs = yield* Clock.currentTimeMillis
    switch (failure.kind) {
      case "refused":
        yield* store.drop(call.seq, failure.reason)
        // A press that is too old, or an edit that changes nothing, is nobody's trouble.
        yield* logEvent(
          call.method === "sendMessage" ? "warn" : "debug",
          "telegram.refused",
          `Telegram does not take ${call.method}: ${failure.reason}`,
          { component: path, chat: call.chat }
        )
        return undefined
      case "rate":
        pace.refused(call.chat, failure.retryAfterMs, nowMs)
        return undefined
      case "credentials":
        return yield* Effect.sleep(telegramLimits.conflictRetryMs)
      default:
        // The machine finds out and names it; what waits is sent afterwards.
        return yield* Effect.sleep(telegramLimits.retryFirstMs)
    }
  })

/** Makes one call. */
const sendOne = (path: string, pace: TelegramPace, call: WaitingCall) =>
  Effect.gen(function* () {
    const api = yield* TelegramApi
    const store = yield* TelegramStore
    const nowMs = yield* Clock.currentTimeMillis
    if (call.isReply && nowMs - call.createdMs > telegramLimits.messageMsMax) {
      return yield* store.drop(call.seq, "too old when it could be sent")
    }
    if (isPaced(call)) pace.note(call.chat, nowMs)
    const sent = yield* Effect.result(api.call(call.method, leaving(call, nowMs)))
    if (sent._tag === "Failure") return yield* afterFailure(path, pace, call, sent.failure)
    faultPoint(FAULT_POINTS.telegramSent, String(call.seq))
    return yield* store.sent(call.seq)
  })

/** One round; returns how long to wait before the next, null while nothing waits. */
const round = (path: string, pace: TelegramPace) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const calls = yield* store.unsent(telegramLimits.roundMessagesMax)
    if (calls.length === 0) return null
    const nowMs = yield* Clock.currentTimeMillis
    const due = calls.map((call) => ({
      call,
      waitMs: isPaced(call) ? Math.max(0, pace.freeAt(call.chat, nowMs) - nowMs) : 0
    }))
    const now = due.filter(({ waitMs }) => waitMs === 0).slice(0, telegramLimits.botPerSecond)
    if (now.length === 0) return Math.min(...due.map(({ waitMs }) => waitMs))
    yield* Effect.forEach(now, ({ call }) => sendOne(path, pace, call), {
      concurrency: telegramLimits.sendingMax,
      discard: true
    })
    return 0
  })

/** Runs as long as the component does. */
export const sendCalls = (path: string) =>
  Effect.gen(function* () {
    const wake = yield* Wake
    const pace = new TelegramPace()
    return yield* Effect.forever(
      Effect.gen(function* () {
        const pauseMs = yield* round(path, pace).pipe(
          Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], () =>
            Effect.succeed(telegramLimits.retryFirstMs)
          )
        )
        if (pauseMs === null) yield* wake.wait("telegram-messages", telegramLimits.pollTableMs)
        else if (pauseMs > 0)
          yield* wake.wait("telegram-messages", Math.min(pauseMs, telegramLimits.pollTableMs))
      })
    )
  })
