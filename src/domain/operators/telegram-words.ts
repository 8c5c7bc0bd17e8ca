/**
 * telegram-words: what people write to the bot, as a command with its arguments.
 *
 * Promises: a command is known by its first word alone; one that names another bot is nobody's here; arguments keep their case; what
 * looks like a quantity and is none is told from a reason, because a close without a quantity closes everything.
 * Never: decides who may give it.
 */
import { oneLine } from "../kernel/text-line.ts"
import type { ApprovalDecision } from "../orders/approval.ts"

export interface Spoken {
  /** In lower case, without its slash. */
  readonly name: string
  readonly words: ReadonlyArray<string>
}

const COMMAND = /^\/(?<name>[A-Za-z0-9_]{1,32})(?:@(?<bot>\w+))?$/

const wordsOf = (text: string): ReadonlyArray<string> => oneLine(text, 1_000).trim().split(/\s+/)

/** The command in a text; null: it is none, or another bot's. */
export const spokenIn = (text: string, botName: string): Spoken | null => {
  const [first = "", ...words] = wordsOf(text)
  const { bot, name } = COMMAND.exec(first)?.groups ?? {}
  if (name === undefined) return null
  if (bot !== undefined && bot.toLowerCase() !== botName.toLowerCase()) return null
  return { name: name.toLowerCase(), words }
}

/** Whether a text is a command that names its bot, as in groups: until ours is known it may be anybody's. */
export const namesBot = (text: string): boolean =>
  COMMAND.exec(wordsOf(text)[0] ?? "")?.groups?.["bot"] !== undefined

export const isQuantity = (word: string): boolean => /^(?=.*[1-9])\d{1,18}(\.\d{1,18})?$/.test(word)

/** Whether somebody meant a number, of ours or not: it begins with a digit, a sign, a point or a currency. */
export const isLikeQuantity = (word: string): boolean => /^[\p{N}\p{Sc}+\-\u2010-\u2015\u2212.,%]/u.test(word)

/** Buttons carry 64 bytes: `r:` and a command that is given again, `y:` and `n:` with the number of a confirmation, or `a:` and `d:` with that of an order. */
const PRESS_BYTES_MAX = 64

export type Pressed =
  | { readonly _tag: "Run"; readonly text: string }
  | { readonly _tag: "Confirm"; readonly id: string }
  | { readonly _tag: "Refuse"; readonly id: string }
  /** What is answered about an entry that waits for a human. */
  | { readonly _tag: "Answer"; readonly decision: ApprovalDecision; readonly orderId: string }

export const pressedIn = (data: string | undefined): Pressed | null => {
  const rest = data?.slice(2) ?? ""
  switch (data?.slice(0, 2)) {
    case "r:":
      return { _tag: "Run", text: rest }
    case "y:":
      return { _tag: "Confirm", id: rest }
    case "n:":
      return { _tag: "Refuse", id: rest }
    case "a:":
      return { _tag: "Answer", decision: "approved", orderId: rest }
    case "d:":
      return { _tag: "Answer", decision: "declined", orderId: rest }
    default:
      return null
  }
}

export interface Key {
  readonly text: string
  readonly callback_data: string
}

const bytesOf = (text: string): number => new TextEncoder().encode(text).length

/** A button that gives a command; none where it would not fit. */
export const runKey = (text: string, command: string): ReadonlyArray<Key> =>
  bytesOf(command) + 2 <= PRESS_BYTES_MAX ? [{ text: oneLine(text, 40), callback_data: `r:${command}` }] : []

/** The buttons that answer what is asked about an order. */
export const answerKeys = (orderId: string): ReadonlyArray<Key> => [
  { text: "Approve", callback_data: `a:${orderId}` },
  { text: "Decline", callback_data: `d:${orderId}` }
]
