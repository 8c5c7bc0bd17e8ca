/**
 * Telegram approvals: asking operators about entries that wait for a human, and what a press of theirs does (G9).
 *
 * The table of approvals is the queue, as that of alerts is for alerts: an entry is marked in the transaction that makes its
 * messages. A press is one command for one update, so a process that dies between the press and its effect goes on with the
 * same command.
 *
 * Promises: each chat of operators that gets alerts is asked once; only operators answer; who presses is told what became of it.
 * Never: judges an order; gives a command by itself.
 */
import { Effect } from "effect"
import { mayGive } from "../../domain/control/commands.ts"
import { instrumentsOf, multiplierOf } from "../../domain/kernel/instruments.ts"
import type { TelegramSettings } from "../../domain/kernel/settings.ts"
import type { ApprovalDecision } from "../../domain/orders/approval.ts"
import { reasonWithCode } from "../../domain/decision/why-words.ts"
import { approvalChats } from "../../domain/operators/telegram-access.ts"
import { type AskedEntry, askedHtml, askedName } from "../../domain/operators/telegram-asked.ts"
import { bold, cell, escaped, linkBelow } from "../../domain/operators/telegram-text.ts"
import { answerKeys, type Key } from "../../domain/operators/telegram-words.ts"
import { ReadStore } from "../../layers/health/read-store.port.ts"
import { TelegramStore } from "../../layers/operators/telegram-store.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { giveCommand, refusalOf } from "./telegram-controls.ts"
import { type Asked, messageCall } from "./telegram-reply.ts"

/** One look: asks about what nobody was asked about. */
export const askApprovals = (settings: TelegramSettings) =>
  Effect.gen(function* () {
    const chats = approvalChats(settings)
    if (chats.length === 0) return
    const store = yield* TelegramStore
    const wake = yield* Wake
    const instruments = instrumentsOf(snapshotOf(yield* Config))
    const count = yield* store.askApprovals(chats, (chat, asked) =>
      messageCall(
        chat,
        {
          html: `${askedHtml(asked, multiplierOf(instruments, asked.symbol))}${linkBelow(settings.consoleUrl, `orders/${asked.orderId}`)}`,
          keys: [answerKeys(asked.orderId)]
        },
        null
      )
    )
    if (count > 0) wake.notify("telegram-messages")
  })

/** What a press leaves behind: a few words, and the message with other text; null: it stays as it is. */
interface Answer {
  readonly toast: string
  readonly edit: { readonly html: string; readonly keys: ReadonlyArray<ReadonlyArray<Key>> } | null
}

const over = (name: string, text: string): Answer => ({
  toast: text,
  edit: { html: `${bold(name)}\n${escaped(text)}`, keys: [] }
})

const nameOf = (orderId: string) =>
  Effect.gen(function* () {
    const reads = yield* ReadStore
    const [row] = yield* reads.orders([orderId])
    if (row === undefined) return "an order that is gone"
    return askedName({
      account: cell(row, "account"),
      quantity: cell(row, "quantity"),
      side: cell(row, "side") === "sell" ? "sell" : "buy",
      strategy: cell(row, "strategy"),
      symbol: cell(row, "symbol")
    } satisfies Pick<AskedEntry, "account" | "quantity" | "side" | "strategy" | "symbol">)
  })

/** What became of it, in the words of who pressed. */
const doneOf = (
  decision: ApprovalDecision,
  user: number,
  body: Readonly<Record<string, unknown>>
): string => {
  if (decision === "declined") return `Declined by telegram:${user}: it is not sent.`
  const price = cell(body, "price")
  const waits = cell(body, "waits_for")
  return `Approved by telegram:${user}${price === "" ? "" : ` at ${price}`}${waits === "" ? "." : `; it waits: ${reasonWithCode(waits)}.`}`
}

const UUID = /^[0-9a-f-]{36}$/

/** A press of a button of a question. */
export const answerAsked = (orderId: string, decision: ApprovalDecision, asked: Asked) =>
  Effect.gen(function* () {
    const command = decision === "approved" ? "order.approve" : "order.decline"
    if (!UUID.test(orderId))
      return { toast: "That button is not known any more.", edit: null } satisfies Answer
    const given = yield* Effect.result(
      giveCommand(
        {
          command,
          target: orderId,
          arguments: {},
          reason: null,
          // Of the press, not of the question: the price may have moved, and the next press is another command.
          key: `telegram-answer:${asked.updateId}:${orderId}`
        },
        asked
      )
    )
    if (!mayGive(asked.role, command))
      return { toast: "That is for operators: here you may look.", edit: null } satisfies Answer
    const name = yield* nameOf(orderId)
    if (given._tag === "Success") return over(name, doneOf(decision, asked.user, given.success.body))
    const { reason } = given.failure
    const text = refusalOf(given.failure)
    if (reason === "price_moved")
      return {
        toast: text,
        edit: { html: `${bold("Approve?")} ${escaped(name)}\n${escaped(text)}`, keys: [answerKeys(orderId)] }
      } satisfies Answer
    return given.failure.kind === "conflict" && reason !== "price_missing"
      ? over(name, text)
      : ({ toast: text, edit: null } satisfies Answer)
  })
