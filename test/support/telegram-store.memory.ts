/**
 * The rows of the bot in memory, for tests of what is done with them.
 *
 * Promises: what the port promises of order and attempts; a call that a test makes fail fails until it does not any more.
 * Never: counts ages; the figures are the test's.
 */
import { Clock, Effect } from "effect"
import type { AlertSeverity } from "../../src/domain/kernel/settings-alerts.ts"
import type { SentAlert } from "../../src/domain/operators/telegram-alerts.ts"
import { telegramLimits } from "../../src/domain/operators/telegram-limits.ts"
import { isPressAnswer } from "../../src/domain/operators/telegram-pace.ts"
import { type DatabaseError, DatabaseUnavailable } from "../../src/layers/database/database.port.ts"
import type {
  Confirmation,
  OutgoingCall,
  Taken,
  TelegramStoreService,
  WaitingCall,
  WaitingUpdate
} from "../../src/layers/operators/telegram-store.port.ts"

export const unavailable = (reason: DatabaseUnavailable["reason"]): DatabaseUnavailable =>
  new DatabaseUnavailable({ operation: "test", reason, outcome: "not_applied", cause: reason })

interface StoredUpdate {
  readonly update: WaitingUpdate
  attempts: number
  status: "waiting" | "done" | "dead"
}
interface StoredAlert extends SentAlert {
  readonly told: Set<number>
}
interface StoredCall extends WaitingCall {
  status: "waiting" | "sent" | "dropped"
  why: string | null
}

/** What somebody wrote in a chat, or which button they pressed, as it is stored. */
export const said = (updateId: number, chat: number, text: string, user = chat): WaitingUpdate => ({
  updateId,
  receivedMs: 0,
  content: {
    _tag: "Message",
    message: { chat, kind: chat < 0 ? "group" : "private", user, writtenMs: 0, text }
  }
})
export const pressed = (updateId: number, chat: number, data: string, user = chat): WaitingUpdate => ({
  updateId,
  receivedMs: 0,
  content: { _tag: "Press", press: { queryId: `query ${updateId}`, chat, messageId: 1, user, data } }
})

export const makeMemoryTelegram = () => {
  const updates: Array<StoredUpdate> = []
  const calls: Array<StoredCall> = []
  const questions: Array<Confirmation> = []
  const alerts: Array<StoredAlert> = []
  /** Of messages that were sent, as Telegram named them. */
  const numbers: Array<number | null> = []
  const failures = new Map<keyof TelegramStoreService, DatabaseError>()
  const world = {
    /** Replies that a full chat does not get. */
    unmade: 0,
    /** What became of a press; null: its question is taken. */
    taken: null as Taken | null
  }
  const guarded = <A>(name: keyof TelegramStoreService, make: () => A): Effect.Effect<A, DatabaseError> =>
    Effect.suspend((): Effect.Effect<A, DatabaseError> => {
      const failure = failures.get(name)
      return failure === undefined ? Effect.sync(make) : Effect.fail(failure)
    })
  const waitingOf = (updateId: number) =>
    updates.find(({ status, update }) => update.updateId === updateId && status === "waiting")
  const add = (isReply: boolean, made: ReadonlyArray<OutgoingCall>, createdMs: number) => {
    for (const call of made)
      calls.push({ ...call, seq: BigInt(calls.length + 1), createdMs, isReply, status: "waiting", why: null })
  }
  const end =
    (name: "settle" | "bury", status: "done" | "dead") =>
    (updateId: number, made: ReadonlyArray<OutgoingCall>) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
        guarded(name, () => {
          const found = waitingOf(updateId)
          if (found === undefined) return
          found.status = status
          add(true, made, nowMs)
        })
      )
  const heads = () => {
    const seen = new Set<number>()
    return calls.filter((call) => {
      if (call.status !== "waiting") return false
      if (isPressAnswer(call)) return true
      if (seen.has(call.chat)) return false
      seen.add(call.chat)
      return true
    })
  }
  const ended = (seq: bigint, status: "sent" | "dropped", why: string | null) => {
    const call = calls.find((one) => one.seq === seq)
    if (call === undefined) return
    call.status = status
    call.why = why
  }
  const store: TelegramStoreService = {
    nextOffset: Effect.succeed(null),
    waiting: (limit, except) =>
      guarded("waiting", () =>
        updates
          .filter(({ status, update }) => status === "waiting" && !except.includes(update.updateId))
          .map(({ update }) => update)
          .toSorted((a, b) => a.updateId - b.updateId)
          .slice(0, limit)
      ),
    begin: (updateId) =>
      guarded("begin", () => {
        const found = waitingOf(updateId)
        if (found === undefined) return null
        found.attempts += 1
        return found.attempts
      }),
    release: (updateId) =>
      guarded("release", () => {
        const found = waitingOf(updateId)
        if (found !== undefined) found.attempts -= 1
      }),
    settle: (updateId, made) => Effect.map(end("settle", "done")(updateId, made), () => world.unmade),
    bury: (updateId, _reason, made) => end("bury", "dead")(updateId, made),
    askConfirmation: (asked) => guarded("askConfirmation", () => void questions.push(asked)),
    takeConfirmation: ({ id }) =>
      guarded("takeConfirmation", (): Taken => {
        const confirmation = questions.find((one) => one.id === id)
        return (
          world.taken ?? (confirmation === undefined ? { _tag: "Missing" } : { _tag: "Taken", confirmation })
        )
      }),
    unsent: (limit) => guarded("unsent", () => heads().slice(0, limit)),
    sent: (seq, messageId) =>
      guarded("sent", () => {
        ended(seq, "sent", null)
        numbers.push(messageId)
      }),
    drop: (seq, why) => guarded("drop", () => ended(seq, "dropped", why)),
    figures: Effect.die(new Error("nobody asks")),
    notifyAlerts: (chats, { ageMsMax, isQuiet }, callsOf) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
        guarded("notifyAlerts", () => {
          const isFree = (chat: number): boolean =>
            calls.filter((call) => call.chat === chat && call.status === "waiting" && !call.isReply).length <
            telegramLimits.alertsWaitingMax
          const free = chats.filter(isFree)
          const found = alerts
            .filter(
              ({ atMs, severity, told }) =>
                free.some((chat) => !told.has(chat)) &&
                (!isQuiet || severity === "CRITICAL") &&
                (nowMs - atMs < ageMsMax || severity === "HIGH" || severity === "CRITICAL")
            )
            .slice(0, telegramLimits.alertsRoundMax)
          for (const chat of free) {
            const news = found.filter(({ told }) => !told.has(chat))
            if (news.length > 0) add(false, callsOf(chat, news), nowMs)
            for (const { told } of news) told.add(chat)
          }
          return found.length
        })
      ),
    testSelf: () => Effect.succeed(0),
    askApprovals: () => Effect.succeed(0)
  }
  return {
    store,
    world,
    calls,
    questions,
    numbers,
    failures,
    arrive: (...more: ReadonlyArray<WaitingUpdate>) => {
      for (const update of more) updates.push({ update, attempts: 0, status: "waiting" })
    },
    /** An alert that is open, which began now. */
    alert: (severity: AlertSeverity, kind: string, message: string) =>
      Effect.map(Clock.currentTimeMillis, (atMs) => {
        const id = `alert ${alerts.length + 1}`
        alerts.push({ id, severity, kind, message, strategy: null, atMs, told: new Set() })
      }),
    /** Something to send that answers nobody, unless it is told. */
    write: (isReply: boolean, ...made: ReadonlyArray<OutgoingCall>) => add(isReply, made, 0),
    update: (updateId: number) => updates.find(({ update }) => update.updateId === updateId),
    /** The texts for a chat, in order. */
    texts: (chat: number): ReadonlyArray<string> =>
      calls.filter((call) => call.chat === chat).flatMap(({ parameters }) => String(parameters["text"] ?? ""))
  }
}
