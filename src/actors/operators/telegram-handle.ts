/**
 * Telegram handling: what the bot does and says for one stored update.
 *
 * Whoever sends the bot something it cannot handle must not silence it for everybody else. So an update is tried a few times and
 * then becomes a dead letter, on its own, while those around it go on. Which update comes when is in telegram-updates.ts.
 *
 * Promises: an update is settled in the transaction that makes its replies; attempts for which the database was away are not
 * counted; one whose process died with it, again and again, is not tried forever; a confirmed command that becomes a dead letter is
 * an alert, and its question says that nobody knows.
 * Never: answers a chat that the settings do not name with more than one sentence an hour.
 */
import { Cause, Clock, Effect, Exit, Option } from "effect"
import { roleIn } from "../../domain/operators/telegram-access.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { bold, escaped } from "../../domain/operators/telegram-text.ts"
import type { TelegramMessage, TelegramPress } from "../../domain/operators/telegram-update.ts"
import { pressedIn, type Spoken, spokenIn } from "../../domain/operators/telegram-words.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import type { TelegramRole, TelegramSettings } from "../../domain/kernel/settings.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import type { DatabaseError } from "../../layers/database/database.port.ts"
import {
  type OutgoingCall,
  TelegramStore,
  type WaitingUpdate
} from "../../layers/operators/telegram-store.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { answerAsked } from "./telegram-approvals.ts"
import { askControl, confirmControl, isControl, NOT_KNOWN } from "./telegram-controls.ts"
import { isRead, telegramReads } from "./telegram-reads.ts"
import { type Asked, editCall, messageCall, pressedCall, type Reply } from "./telegram-reply.ts"

/** What handling needs of the component: its settings, and what it remembers of strangers. */
export interface Handling {
  readonly path: string
  readonly settings: TelegramSettings
  readonly mask: Mask
  /** The bot's user name; null until Telegram has told it. */
  readonly botName: () => string | null
  /** When a chat that may nothing was answered last; bounded. */
  readonly strangers: Map<number, number>
  /** Messages and presses of strangers since the start. */
  countStranger: () => void
  /** Replies that were not made, because too many wait for their chat. */
  countUnmade: (count: number) => void
}

type Calls = ReadonlyArray<OutgoingCall>
const nothing: Calls = []

const looks = [
  "/status /health /version /logs",
  "/price SYMBOL",
  "/accounts /positions /orders /trades",
  "/pnl /equity",
  "/signals, /signals missed, /why SIGNAL",
  "/waves /feeds",
  "/experiments, /replay HOURS",
  "/alerts /deadletters /unknown /approvals"
]
const does = [
  "/halt, /reduce, /resume SCOPE REASON",
  "/close POSITION QUANTITY REASON",
  "/flatten ACCOUNT REASON",
  "/cancel ORDER REASON",
  "/resolve ORDER placed|not_placed|over REASON",
  "/pause, /restart COMPONENT, /resume root/…",
  "/ack ALERT NOTE",
  "/selftest"
]

const helpFor = (role: TelegramRole): Reply => ({
  html: [
    `${bold("holdfast")}: you are ${role === "operator" ? "an operator" : "a viewer"} here.`,
    ...looks.map(escaped),
    ...(role === "operator"
      ? ["", "With a button that asks first; what is left out is offered as buttons:", ...does.map(escaped)]
      : [])
  ].join("\n")
})

const repliesTo = ({ mask, settings }: Handling, { name, words }: Spoken, asked: Asked) =>
  Effect.gen(function* () {
    if (name === "start" || name === "help") return [helpFor(asked.role)]
    if (isControl(name)) return yield* askControl(name, words, asked)
    if (isRead(name))
      return yield* telegramReads[name]({
        name,
        words,
        mask,
        consoleUrl: settings.consoleUrl,
        mayControl: asked.role === "operator"
      })
    return [{ html: `There is no command /${escaped(name)}: /help lists them.` }]
  })

const spoken = (handling: Handling, said: Spoken, asked: Asked) =>
  Effect.gen(function* () {
    const replies: ReadonlyArray<Reply> = yield* repliesTo(handling, said, asked)
    return replies.map((one) => messageCall(asked.chat, one, asked.askedMs))
  })

/** One neutral sentence, once in a while: it says nothing of what this is. */
const toStranger = (handling: Handling, chat: number) =>
  Effect.map(Clock.currentTimeMillis, (nowMs): Calls => {
    const { strangers } = handling
    handling.countStranger()
    if (nowMs - (strangers.get(chat) ?? Number.NEGATIVE_INFINITY) < telegramLimits.strangerEveryMs)
      return nothing
    if (strangers.size >= telegramLimits.strangersMax) strangers.clear()
    strangers.set(chat, nowMs)
    return [messageCall(chat, { html: "This bot answers only people it knows." }, null)]
  })

const toMessage = (
  handling: Handling,
  updateId: number,
  { chat, kind, text, user, writtenMs }: TelegramMessage
) =>
  Effect.gen(function* () {
    if (user === null || kind === "channel") return nothing
    const said = spokenIn(text, handling.botName() ?? "")
    // In a group people talk to each other.
    if (said === null && kind !== "private") return nothing
    const role = roleIn(handling.settings, chat, user)
    if (role === null) return yield* toStranger(handling, chat)
    const asked: Asked = { chat, user, role, updateId, self: handling.path, askedMs: writtenMs }
    return said === null
      ? [messageCall(chat, { html: "/help lists what I understand." }, writtenMs)]
      : yield* spoken(handling, said, asked)
  })

/** A press has no date of its own: it is as old as its update is here. */
const toPress = (handling: Handling, { receivedMs, updateId }: WaitingUpdate, press: TelegramPress) =>
  Effect.gen(function* () {
    const { chat, data, messageId, queryId, user } = press
    const role = roleIn(handling.settings, chat, user)
    if (role === null) {
      handling.countStranger()
      return [pressedCall(chat, queryId, "This bot answers only people it knows.")]
    }
    const asked: Asked = { chat, user, role, updateId, self: handling.path, askedMs: receivedMs }
    const pressed = pressedIn(data)
    if (pressed === null) return [pressedCall(chat, queryId, "That button is not known any more.")]
    if (pressed._tag === "Run") {
      const said = spokenIn(pressed.text, handling.botName() ?? "")
      return [pressedCall(chat, queryId, ""), ...(said === null ? [] : yield* spoken(handling, said, asked))]
    }
    if (pressed._tag === "Answer") {
      const { edit, toast } = yield* answerAsked(pressed.orderId, pressed.decision, asked)
      return [
        pressedCall(chat, queryId, toast),
        ...(edit === null ? [] : [editCall(chat, messageId, edit.html, edit.keys)])
      ]
    }
    const { isOver, text } = yield* confirmControl(pressed.id, pressed._tag === "Confirm", asked)
    return [pressedCall(chat, queryId, text), ...(isOver ? [editCall(chat, messageId, escaped(text))] : [])]
  })

const respond = (handling: Handling, waiting: WaitingUpdate) =>
  Effect.gen(function* () {
    const { content } = waiting
    switch (content._tag) {
      case "Message":
        return yield* toMessage(handling, waiting.updateId, content.message)
      case "Press":
        return yield* toPress(handling, waiting, content.press)
      case "Other":
        return nothing
      case "Unreadable":
        return yield* Effect.die(new Error("an update of a form that is not known"))
    }
  })

/** Whether a press gives a command, of which nobody knows what came when it fails. */
const isCommandPress = (data: string): boolean => {
  const tag = pressedIn(data)?._tag
  return tag === "Confirm" || tag === "Answer"
}

const FAILED = "That failed here, and was put aside for an operator."

/** Where a dead letter was for somebody, they are told that nothing will come; of a command, that nobody knows. */
const apology = ({ content }: WaitingUpdate, settings: TelegramSettings): Calls => {
  if (content._tag === "Message") {
    const { chat, user, writtenMs } = content.message
    if (user === null || roleIn(settings, chat, user) === null) return nothing
    return [messageCall(chat, { html: FAILED }, writtenMs)]
  }
  if (content._tag !== "Press") return nothing
  const { chat, data, messageId, queryId, user } = content.press
  if (roleIn(settings, chat, user) === null) return nothing
  return isCommandPress(data)
    ? [pressedCall(chat, queryId, NOT_KNOWN), editCall(chat, messageId, `That failed here. ${NOT_KNOWN}.`)]
    : [pressedCall(chat, queryId, FAILED)]
}

/** A confirmed command of which nobody knows what came of it is not for a list that somebody reads some day. */
const alertDead = ({ path, settings }: Handling, { content, updateId }: WaitingUpdate, reason: string) =>
  Effect.gen(function* () {
    if (content._tag !== "Press" || !isCommandPress(content.press.data)) return
    const { chat, user } = content.press
    if (roleIn(settings, chat, user) === null) return
    const alerts = yield* Alerts
    yield* alerts.raise({
      severity: "HIGH",
      kind: "telegram.command_dead",
      dedupKey: `telegram.command_dead:${updateId}`,
      message: `nobody knows what came of a command that telegram:${user} confirmed (update ${updateId}): ${reason}`,
      component: path
    })
  })

const bury = (handling: Handling, waiting: WaitingUpdate, reason: string) =>
  Effect.gen(function* () {
    const { updateId } = waiting
    const store = yield* TelegramStore
    yield* store.bury(updateId, reason, apology(waiting, handling.settings))
    yield* alertDead(handling, waiting, reason)
    return yield* logEvent(
      "error",
      "telegram.update_dead",
      `update ${updateId} is a dead letter: ${reason}`,
      { component: handling.path, update_id: updateId }
    )
  })

/** Why an effect that was neither done nor short of a database ended; its first line. */
const faultOf = (cause: Cause.Cause<unknown>): string =>
  (Cause.pretty(cause).split("\n")[0] ?? "failed").slice(0, 500)

const settle = (handling: Handling, { content, updateId }: WaitingUpdate, calls: Calls) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const unmade = yield* store.settle(updateId, calls)
    if (unmade === 0) return
    handling.countUnmade(unmade)
    yield* logEvent(
      "warn",
      "telegram.not_made",
      `${unmade} replies were not made: ${telegramLimits.chatWaitingMax} wait for their chat`,
      {
        component: handling.path,
        update_id: updateId,
        chat: content._tag === "Message" ? content.message.chat : null
      }
    )
  })

/** How long an update waits after its attempts before it is tried again. */
const pauseAfter = (attempts: number): number =>
  Math.min(telegramLimits.retryMsMax, telegramLimits.retryFirstMs * 2 ** Math.max(0, attempts - 1))

/** The attempt failed by itself: the update is a dead letter after a few. */
const failed = (handling: Handling, waiting: WaitingUpdate, attempts: number, reason: string) =>
  Effect.gen(function* () {
    if (attempts >= telegramLimits.attemptsMax) return yield* Effect.as(bury(handling, waiting, reason), null)
    yield* logEvent("warn", "telegram.update_failed", `update ${waiting.updateId} failed: ${reason}`, {
      component: handling.path,
      update_id: waiting.updateId,
      attempts
    })
    return pauseAfter(attempts)
  })

/** The database did not take it. Being slow may be the update's own doing; that it was away is not, and does not count. */
const unstored = (handling: Handling, { updateId }: WaitingUpdate, attempts: number, error: DatabaseError) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    yield* logEvent("debug", "telegram.waits", `update ${updateId} waits: ${error.message}`, {
      component: handling.path
    })
    if (error._tag === "DatabaseUnavailable" && error.reason !== "slow")
      yield* Effect.result(store.release(updateId))
    return pauseAfter(attempts)
  })

/** One attempt, which was counted. */
const attempt = (handling: Handling, waiting: WaitingUpdate, attempts: number) =>
  Effect.gen(function* () {
    if (attempts > telegramLimits.takenMax) {
      yield* bury(handling, waiting, `taken ${telegramLimits.takenMax} times without an outcome`)
      return null
    }
    faultPoint(FAULT_POINTS.telegramTaken, String(waiting.updateId))
    const exit = yield* Effect.exit(
      respond(handling, waiting).pipe(Effect.timeout(telegramLimits.handleMsMax))
    )
    if (Exit.isSuccess(exit)) {
      faultPoint(FAULT_POINTS.telegramDone, String(waiting.updateId))
      return yield* Effect.as(settle(handling, waiting, exit.value), null)
    }
    const error = Option.getOrNull(Cause.findErrorOption(exit.cause))
    if (error !== null && error._tag === "DatabaseUnavailable") return yield* error
    const reason = Exit.hasInterrupts(exit)
      ? "it was stopped while it was handled"
      : handling.mask(faultOf(exit.cause))
    return yield* failed(handling, waiting, attempts, reason)
  })

/** Handles one update. Returns how long it waits before it is tried again; null: it waits no more. */
export const handleOne = (handling: Handling, waiting: WaitingUpdate) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const begun = yield* Effect.result(store.begin(waiting.updateId))
    if (begun._tag === "Failure") return telegramLimits.retryFirstMs
    const attempts = begun.success
    // Another process settled it.
    if (attempts === null) return null
    return yield* attempt(handling, waiting, attempts).pipe(
      Effect.catchTag("DatabaseUnavailable", (error) => unstored(handling, waiting, attempts, error)),
      Effect.catchTag("DatabaseFault", (error) =>
        failed(handling, waiting, attempts, handling.mask(error.message)).pipe(
          Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], (again) =>
            unstored(handling, waiting, attempts, again)
          )
        )
      )
    )
  })
