/**
 * Telegram updates: which stored update is handled when.
 *
 * Each chat is a lane: its updates one after the other, and lanes beside each other. When all chats were one round, a command that
 * hung kept everybody's next command unread, an operator's /halt too.
 *
 * Promises: updates of a chat are begun in their order; one that hangs, fails or is short of a database holds up its own chat at most; a
 * command that names its bot, as in groups, waits until the bot knows its name, and everything else does not.
 * Never: handles an update itself; holds more of them than `telegramLimits.heldMax`.
 */
import { Clock, Effect, FiberMap } from "effect"
import { TelegramLanes } from "../../domain/operators/telegram-lanes.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { namesBot } from "../../domain/operators/telegram-words.ts"
import { TelegramStore, type WaitingUpdate } from "../../layers/operators/telegram-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { handleOne, type Handling } from "./telegram-handle.ts"

type Lanes = TelegramLanes<WaitingUpdate>

/** The chat of an update, so that one chat keeps its order; what has none goes alone. */
const chatOf = ({ content, updateId }: WaitingUpdate): string => {
  if (content._tag === "Message") return String(content.message.chat)
  return content._tag === "Press" ? String(content.press.chat) : `update ${updateId}`
}

/** Whether an update cannot be understood before the bot knows its name. What comes after it in its chat waits as well; presses do not. */
const awaitsName = (lanes: Lanes, waiting: WaitingUpdate): boolean => {
  const { content } = waiting
  return content._tag === "Message" && (lanes.awaitsName(chatOf(waiting)) || namesBot(content.message.text))
}

/** Reads what waits into the lanes; returns how many it were. */
const read = (handling: Handling, lanes: Lanes) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const nowMs = yield* Clock.currentTimeMillis
    const isNamed = handling.botName() !== null
    if (isNamed) lanes.nameKnown()
    if (lanes.isFull(nowMs)) return 0
    const found = yield* store.waiting(telegramLimits.roundUpdatesMax, lanes.except(nowMs))
    for (const waiting of found) {
      if (!isNamed && awaitsName(lanes, waiting)) lanes.awaitName(chatOf(waiting), waiting.updateId)
      else lanes.add(chatOf(waiting), waiting)
    }
    return found.length
  }).pipe(
    Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], (error) =>
      Effect.as(
        logEvent("debug", "telegram.waits", `updates wait: ${error.message}`, { component: handling.path }),
        0
      )
    )
  )

/** Runs one lane until it is empty. */
const runLane = (handling: Handling, lanes: Lanes, chat: string) =>
  Effect.gen(function* () {
    const wake = yield* Wake
    for (let waiting = lanes.front(chat); waiting !== undefined; waiting = lanes.front(chat)) {
      const pauseMs = yield* handleOne(handling, waiting)
      if (pauseMs !== null) lanes.putAside(waiting.updateId, (yield* Clock.currentTimeMillis) + pauseMs)
      lanes.shift(chat)
      wake.notify("telegram-messages")
    }
  }).pipe(
    Effect.ensuring(
      Effect.flatMap(Wake, (wake) =>
        Effect.sync(() => {
          if (lanes.end(chat)) wake.notify("telegram-updates")
        })
      )
    )
  )

/** Runs as long as the component does. */
export const handleUpdates = (handling: Handling) =>
  Effect.scoped(
    Effect.gen(function* () {
      const wake = yield* Wake
      const lanes: Lanes = new TelegramLanes()
      const fibers = yield* FiberMap.make<string, void, never>()
      const look = Effect.gen(function* () {
        const found = yield* read(handling, lanes)
        for (const chat of lanes.start())
          yield* FiberMap.run(fibers, chat, runLane(handling, lanes, chat), { startImmediately: false })
        // The net is also what finds those that were put aside.
        if (found === 0) yield* wake.wait("telegram-updates", telegramLimits.pollTableMs)
      })
      // A defect of a lane is a bug and crashes the component; without the join it would vanish.
      return yield* Effect.raceFirst(Effect.forever(look), FiberMap.join(fibers))
    })
  )
