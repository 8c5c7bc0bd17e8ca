/**
 * ids: names that are computed, never random.
 *
 * Every row that a retry, a second process or a restart could write twice has an id that follows from what it
 * is about. Writing it again then hits the same primary key, so the database itself refuses the duplicate.
 * All ids come from one digest over a kind and its parts; the JSON array around them is an unambiguous
 * separator, so ("a", "bc") and ("ab", "c") never collide, nor do two kinds with equal parts.
 *
 * Promises: equal parts give equal ids on every machine and version; different kinds never share an id.
 * Never: reads a clock or a random source.
 */
import { hash } from "node:crypto"

import { invariant } from "./invariant.ts"

type Part = string | number

/** First 128 bits of sha256 over a kind and its parts, as 32 hexadecimal characters. */
export const digest128 = (kind: string, parts: ReadonlyArray<Part>): string =>
  hash("sha256", JSON.stringify([kind, ...parts]), "hex").slice(0, 32)

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether `text` is written as a UUID of any version. */
export const isUuid = (text: string): boolean => UUID.test(text)

/**
 * Renders 32 hexadecimal characters as a UUID of version 8 ("custom", RFC 9562): the version and variant bits
 * are set, 122 bits of the digest stay. A raw digest would fit PostgreSQL, but every strict reader of the API
 * (`format: uuid`) refuses nine of ten of them.
 */
export const uuidFromDigest = (hex: string): string => {
  invariant(/^[0-9a-f]{32}$/.test(hex), "a digest is 32 hexadecimal characters", { length: hex.length })
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

const uuidOf = (kind: string, parts: ReadonlyArray<Part>): string => uuidFromDigest(digest128(kind, parts))

/** What an entry order is about: one signal, one account, one strategy, one leg. */
export interface EntryKey {
  readonly signalId: string
  readonly account: string
  readonly strategy: string
  readonly leg: number
}

/** What an exit is about: the n-th reduce of one opening of one position (T4). */
export interface ExitKey {
  readonly account: string
  readonly positionId: string
  readonly positionEpoch: number
  readonly exitNumber: number
}

/** What a fill is: the venue's own key of the trade (T4). */
export interface TradeKey {
  readonly venue: string
  readonly account: string
  readonly symbol: string
  readonly venueOrderId: string
  readonly tradeId: string
}

const entryParts = (key: EntryKey): ReadonlyArray<Part> => [key.signalId, key.account, key.strategy, key.leg]
const exitParts = (key: ExitKey): ReadonlyArray<Part> => [
  key.account,
  key.positionId,
  key.positionEpoch,
  key.exitNumber
]

/** `signals.id`: UUID of (source, identity), the same on every path and every process (T3). */
export const signalId = (source: string, identity: string): string => uuidOf("signal", [source, identity])

/** `orders.id` of an entry. Does not contain the attempt: a resolved order stays the same row. */
export const orderId = (key: EntryKey): string => uuidOf("order", entryParts(key))

/** `orders.id` of an exit. */
export const exitOrderId = (key: ExitKey): string => uuidOf("exit", exitParts(key))

/** `orders.id` of the close of what an order has filled that ended short: the same order and fills are closed once. */
export const compensationOrderId = (orderId: string, filledQuantity: string): string =>
  uuidOf("compensation", [orderId, filledQuantity])

/** The id sent to the venue for an entry: 32 hexadecimal characters, new with every attempt. `attempt` starts at 1. */
export const clientOrderId = (key: EntryKey, attempt: number): string =>
  digest128("order.client", [...entryParts(key), attempt])

/** The id sent to the venue for an exit: 32 hexadecimal characters, new with every attempt. */
export const exitClientOrderId = (key: ExitKey, attempt: number): string =>
  digest128("exit.client", [...exitParts(key), attempt])

/** What an operator's close is about: one command, one share of one position; or what one entry may still bring. */
export interface CloseKey {
  readonly commandId: string
  readonly positionId: string
  readonly strategy: string
  readonly entryId?: string
}

const closeParts = ({ commandId, entryId, positionId, strategy }: CloseKey): ReadonlyArray<Part> => [
  commandId,
  positionId,
  strategy,
  ...(entryId === undefined ? [] : [entryId])
]

/** `orders.id` of an operator's close. */
export const closeOrderId = (key: CloseKey): string => uuidOf("close", closeParts(key))

/** The id the venue gets for an operator's close: 32 hexadecimal characters, new with every attempt. */
export const closeClientOrderId = (key: CloseKey, attempt: number): string =>
  digest128("close.client", [...closeParts(key), attempt])

/**
 * The id the venue is told for a later attempt of an operator's close. From the order's own id, which is made of every part
 * of its key: of two closes of one share by one command, one may wait for an entry.
 */
export const closeAgainClientOrderId = (orderId: string, attempt: number): string =>
  digest128("close.client", [orderId, attempt])

/** `audit.id`: the n-th attempt of one life of a process. */
export const auditId = (life: string, attempt: number): string => uuidOf("audit", [life, attempt])

/** What a command is known by in what it makes: the same for each repetition of its key. */
export const commandId = (key: string, fingerprint: string): string => uuidOf("command", [key, fingerprint])

/** `positions.id`: one permanent row per account and symbol; openings are distinguished by its epoch. */
export const positionId = (account: string, symbol: string): string => uuidOf("position", [account, symbol])

/** `trade_records.id`: a fill reported twice is one row. */
export const tradeRecordId = (key: TradeKey): string =>
  uuidOf("trade", [key.venue, key.account, key.symbol, key.venueOrderId, key.tradeId])

/** `dead_letters.id`: one letter per origin, reference and reason. */
export const deadLetterId = (origin: string, reference: string, reason: string): string =>
  uuidOf("dead-letter", [origin, reference, reason])

/** `refused_posts.id` of a spooled post that conflicts with a signal: one row however often it is drained. */
export const refusedSpooledId = (signal: string, bodyHash: string): string =>
  uuidOf("refused-spooled", [signal, bodyHash])

/** `refused_posts.id` of a signal that was stored and that nobody takes: one row however often it is decided. */
export const refusedSignalId = (signal: string): string => uuidOf("refused-signal", [signal])

/** `outbox.delivery`: a message to a sink, by the row that it begins with. Its receiver sees it. */
export const deliveryId = (sink: string, alertId: string, occasion: string): string =>
  uuidOf("outbox-delivery", [sink, alertId, occasion])
