/**
 * Telegram handling: stored updates, one after the other in each chat, each with what the bot says to it.
 *
 * Whoever sends the bot something it cannot handle must not silence it for everybody else. So an update is tried a few times and
 * then becomes a dead letter, on its own, while those around it go on.
 *
 * Promises: an update is settled in the transaction that makes its replies; chats do not wait for each other; an update whose
 * process died with it, again and again, is not tried forever.
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
import {
  type OutgoingCall,
  TelegramStore,
  type WaitingUpdate
} from "../../layers/operators/telegram-store.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { askControl, confirmControl, isControl } from "./telegram-controls.ts"
import { isRead, telegramReads } from "./telegram-reads.ts"
import { type Asked, editCall, messageCall, pressedCall, type Reply } from "./telegram-reply.ts"

/** What handling needs of the component: its settings, and what it remembers of strangers. */
export interface Handling {
  readonly path: string
  readonly settings: TelegramSettings
  readonly mask: Mask
  /** The bot's user name, once Telegram has told it. */
  readonly botName: () => string
  /** When a chat that may nothing was answered last; bounded. */
  readonly strangers: Map<number, number>
  /** Messages and presses of strangers since the start. */
  countStranger: () => void
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
  "/alerts /deadletters /unknown"
]
const does = [
  "/halt, /reduce, /resume SCOPE REASON",
  "/close POSITION QUANTITY REASON",
  "/flatten ACCOUNT REASON",
  "/cancel ORDER REASON",
  "/resolve ORDER placed|not_placed|over REASON",
  "/pause, /restart COMPONENT, /resume root/…",
  "/ack ALERT NOTE"
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

const repliesTo = ({ mask }: Handling, { name, words }: Spoken, asked: Asked) =>
  Effect.gen(function* () {
    if (name === "start" || name === "help") return [helpFor(asked.role)]
    if (isControl(name)) return yield* askControl(name, words, asked)
    if (isRead(name))
      return yield* telegramReads[name]({ words, mask, mayControl: asked.role === "operator" })
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
    const said = spokenIn(text, handling.botName())
    // In a group people talk to each other.
    if (said === null && kind !== "private") return nothing
    const role = roleIn(handling.settings, chat, user)
    if (role === null) return yield* toStranger(handling, chat)
    const asked: Asked = { chat, user, role, updateId, askedMs: writtenMs }
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
    const asked: Asked = { chat, user, role, updateId, askedMs: receivedMs }
    const pressed = pressedIn(data)
    if (pressed === null) return [pressedCall(chat, queryId, "That button is not known any more.")]
    if (pressed._tag === "Run") {
      const said = spokenIn(pressed.text, handling.botName())
      return [pressedCall(chat, queryId, ""), ...(said === null ? [] : yield* spoken(handling, said, asked))]
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

/** Where a dead letter was for somebody, they are told that nothing will come. */
const apology = ({ content }: WaitingUpdate, settings: TelegramSettings): Calls => {
  if (content._tag !== "Message") return nothing
  const { chat, user, writtenMs } = content.message
  if (user === null || roleIn(settings, chat, user) === null) return nothing
  return [messageCall(chat, { html: "That failed here, and was put aside for an operator." }, writtenMs)]
}

const bury = ({ path, settings }: Handling, waiting: WaitingUpdate, reason: string) =>
  Effect.gen(function* () {
    const { updateId } = waiting
    const store = yield* TelegramStore
    yield* logEvent("error", "telegram.update_dead", `update ${updateId} is a dead letter: ${reason}`, {
      component: path,
      update_id: updateId
    })
    yield* store.bury(updateId, reason, apology(waiting, settings))
  })

/** Why an effect that was neither done nor short of a database ended; its first line. */
const faultOf = (cause: Cause.Cause<unknown>): string =>
  (Cause.pretty(cause).split("\n")[0] ?? "failed").slice(0, 500)

/** Claims that end in no outcome: their process died, or the database was away each time. */
const takenMax = 10

/** Handles one update to its end. Fails only with the database. */
const handleOne = (handling: Handling, waiting: WaitingUpdate) =>
  Effect.gen(function* () {
    if (waiting.attempts > takenMax)
      return yield* bury(handling, waiting, `taken ${takenMax} times without an outcome`)
    faultPoint(FAULT_POINTS.telegramTaken, String(waiting.updateId))
    const exit = yield* Effect.exit(
      respond(handling, waiting).pipe(Effect.timeout(telegramLimits.handleMsMax))
    )
    if (Exit.isSuccess(exit)) {
      faultPoint(FAULT_POINTS.telegramDone, String(waiting.updateId))
      const store = yield* TelegramStore
      return yield* store.settle(waiting.updateId, exit.value)
    }
    if (Exit.hasInterrupts(exit)) return yield* Effect.interrupt
    const error = Option.getOrNull(Cause.findErrorOption(exit.cause))
    if (error !== null && error._tag === "DatabaseUnavailable") return yield* error
    const reason = handling.mask(faultOf(exit.cause))
    if (waiting.attempts >= telegramLimits.attemptsMax) return yield* bury(handling, waiting, reason)
    return yield* logEvent("warn", "telegram.update_failed", `update ${waiting.updateId} failed: ${reason}`, {
      component: handling.path,
      update_id: waiting.updateId,
      attempts: waiting.attempts
    })
  })

/** The chat of an update, so that one chat keeps its order; what has none goes alone. */
const chatOf = ({ content, updateId }: WaitingUpdate): string => {
  if (content._tag === "Message") return String(content.message.chat)
  return content._tag === "Press" ? String(content.press.chat) : `update ${updateId}`
}

const round = (handling: Handling) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const wake = yield* Wake
    const taken = yield* store.take(telegramLimits.roundUpdatesMax)
    const chats = Map.groupBy(taken, chatOf)
    yield* Effect.forEach(
      chats.values(),
      (updates) =>
        Effect.forEach(
          updates,
          (waiting) =>
            Effect.tap(handleOne(handling, waiting), () =>
              Effect.sync(() => wake.notify("telegram-messages"))
            ),
          { discard: true }
        ),
      { concurrency: telegramLimits.roundChatsMax, discard: true }
    )
    return taken
  })

/** Runs as long as the component does. */
export const handleUpdates = (handling: Handling) =>
  Effect.gen(function* () {
    const wake = yield* Wake
    return yield* Effect.forever(
      Effect.gen(function* () {
        const taken = yield* round(handling).pipe(
          Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], (error) =>
            Effect.as(
              logEvent("debug", "telegram.waits", `updates wait: ${error.message}`, {
                component: handling.path
              }),
              []
            )
          )
        )
        if (taken.length === 0) yield* wake.wait("telegram-updates", telegramLimits.pollTableMs)
        // What failed is tried again, though not at once.
        else if (taken.some(({ attempts }) => attempts > 1)) yield* Effect.sleep(telegramLimits.retryFirstMs)
      })
    )
  })
