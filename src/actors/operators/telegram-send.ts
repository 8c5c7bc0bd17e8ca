/**
 * Telegram sending: what waits to be sent, in the order of each chat and at the pace that Telegram allows.
 *
 * Promises: a call that Telegram took is not made again, unless its answer was lost or the process died before it could be noted; what it
 * will never take is dropped with the reason; a chat that takes no messages is an alert until it does; a chat that is stuck holds up no
 * other; a late reply says how late; while Telegram is away everything waits in its rows.
 * Never: sends faster than the documented rates; gives up an alert for its age.
 */
import { Clock, Effect, FiberMap, Schedule } from "effect"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { isPressAnswer, laneOf, TelegramPace } from "../../domain/operators/telegram-pace.ts"
import { lasting } from "../../domain/operators/telegram-text.ts"
import { isUnreachable } from "../../domain/operators/telegram-unreachable.ts"
import type { TelegramSettings } from "../../domain/kernel/settings.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import type { DatabaseError } from "../../layers/database/database.port.ts"
import { TelegramApi, type TelegramFailed } from "../../layers/operators/telegram-api.port.ts"
import { TelegramStore, type WaitingCall } from "../../layers/operators/telegram-store.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { ASKED } from "./telegram-reply.ts"

/** What sending remembers; nothing of it is needed after a restart. */
interface Sending {
  readonly path: string
  readonly settings: TelegramSettings
  readonly pace: TelegramPace
  /** Lanes of which a call is under way. */
  readonly busy: Set<string>
  /** Chats that took a message since they were last refused. */
  readonly reached: Set<number>
}

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

/** Written again until the database takes it: of a call that was made and whose row says that it waits, another would be made. */
const surely = (written: Effect.Effect<void, DatabaseError>): Effect.Effect<void> =>
  written.pipe(Effect.retry({ schedule: Schedule.spaced(telegramLimits.retryFirstMs) }), Effect.orDie)

const unreachableKey = (chat: number): string => `telegram.chat_unreachable:${chat}`

/** A chat of the settings takes no messages: nobody there knows of anything any more. */
const noteUnreachable = ({ path, reached, settings }: Sending, chat: number, reason: string) =>
  Effect.gen(function* () {
    if (!Object.hasOwn(settings.chats, String(chat)) || !isUnreachable(reason)) return
    const alerts = yield* Alerts
    reached.delete(chat)
    yield* alerts.raise({
      severity: "HIGH",
      kind: "telegram.chat_unreachable",
      dedupKey: unreachableKey(chat),
      message: `the chat ${chat} takes no messages of the Telegram bot: ${reason}`,
      component: path,
      standing: true
    })
  })

const noteReached = ({ reached, settings }: Sending, { chat, method }: WaitingCall) =>
  Effect.gen(function* () {
    if (method !== "sendMessage" || reached.has(chat) || !Object.hasOwn(settings.chats, String(chat))) return
    const alerts = yield* Alerts
    reached.add(chat)
    yield* alerts.resolve(unreachableKey(chat), "the chat takes messages")
  })

/** What a failed call means for it, and for the next one of its lane. */
const afterFailure = (sending: Sending, call: WaitingCall, failure: TelegramFailed) =>
  Effect.gen(function* () {
    const { pace, path } = sending
    const store = yield* TelegramStore
    const nowMs = yield* Clock.currentTimeMillis
    switch (failure.kind) {
      case "refused":
        pace.over(call)
        yield* surely(store.drop(call.seq, failure.reason))
        // A press that is too old, or an edit that changes nothing, is nobody's trouble.
        if (call.method === "sendMessage") yield* noteUnreachable(sending, call.chat, failure.reason)
        return yield* logEvent(
          call.method === "sendMessage" ? "warn" : "debug",
          "telegram.refused",
          `Telegram does not take ${call.method}: ${failure.reason}`,
          { component: path, chat: call.chat }
        )
      case "rate":
        return pace.refused(call, failure.retryAfterMs, nowMs)
      case "credentials":
        return pace.pause(nowMs + telegramLimits.conflictRetryMs)
      default:
        // The machine finds out and names it; what waits is sent afterwards.
        return pace.failed(call, nowMs)
    }
  })

/** Why a call is not made any more; null: it is. An alert is never too old. */
const tooOld = (call: WaitingCall, nowMs: number): string | null => {
  const ageMs = nowMs - call.createdMs
  if (isPressAnswer(call))
    return ageMs > telegramLimits.pressMsMax ? "a press takes no answer any more" : null
  return call.isReply && ageMs > telegramLimits.messageMsMax ? "too old when it could be sent" : null
}

/** Makes one call. */
const sendOne = (sending: Sending, call: WaitingCall) =>
  Effect.gen(function* () {
    const api = yield* TelegramApi
    const store = yield* TelegramStore
    const nowMs = yield* Clock.currentTimeMillis
    const old = tooOld(call, nowMs)
    if (old !== null) {
      sending.pace.over(call)
      return yield* surely(store.drop(call.seq, old))
    }
    const sent = yield* Effect.result(api.call(call.method, leaving(call, nowMs)))
    if (sent._tag === "Failure") return yield* afterFailure(sending, call, sent.failure)
    faultPoint(FAULT_POINTS.telegramSent, String(call.chat))
    sending.pace.over(call)
    yield* surely(store.sent(call.seq, sent.success))
    return yield* noteReached(sending, call)
  })

/** Begins what may be sent now; returns how long to wait before the next look, unless the bell rings. */
const look = (
  sending: Sending,
  begin: (lane: string, call: WaitingCall) => Effect.Effect<void, never, Alerts | TelegramApi | TelegramStore>
) =>
  Effect.gen(function* () {
    const { busy, pace } = sending
    const store = yield* TelegramStore
    const calls = yield* store.unsent(telegramLimits.roundMessagesMax)
    const nowMs = yield* Clock.currentTimeMillis
    const waits: Array<number> = []
    for (const call of calls) {
      const lane = laneOf(call)
      // The end of a call rings the bell.
      if (busy.has(lane) || busy.size >= telegramLimits.sendingMax) continue
      const waitMs = pace.freeAt(call, nowMs) - nowMs
      if (waitMs > 0) waits.push(waitMs)
      else {
        pace.note(call, nowMs)
        busy.add(lane)
        yield* begin(lane, call)
      }
    }
    return Math.min(telegramLimits.pollTableMs, ...waits)
  }).pipe(
    Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], () =>
      Effect.succeed(telegramLimits.retryFirstMs)
    )
  )

/** Runs as long as the component does. */
export const sendCalls = (path: string, settings: TelegramSettings) =>
  Effect.scoped(
    Effect.gen(function* () {
      const wake = yield* Wake
      const sending: Sending = {
        path,
        settings,
        pace: new TelegramPace(),
        busy: new Set(),
        reached: new Set()
      }
      const fibers = yield* FiberMap.make<string, void, never>()
      const begin = (lane: string, call: WaitingCall) => {
        const end = Effect.sync(() => {
          sending.busy.delete(lane)
          wake.notify("telegram-messages")
        })
        return Effect.asVoid(
          FiberMap.run(fibers, lane, Effect.ensuring(sendOne(sending, call), end), {
            startImmediately: false
          })
        )
      }
      const looks = Effect.forever(
        Effect.flatMap(look(sending, begin), (pauseMs) => wake.wait("telegram-messages", pauseMs))
      )
      // A defect of a call is a bug and crashes the component; without the join it would vanish.
      return yield* Effect.raceFirst(looks, FiberMap.join(fibers))
    })
  )
