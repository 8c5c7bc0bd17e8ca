/**
 * What the rows of a simulation say, read in one statement, and what is wrong with them.
 *
 * The judge shares no arithmetic with what it judges: positions and profits come from a ledger that is written from fills alone
 * (fills-ledger.ts), and the venue's book and the senders' answers are evidence that no process can write.
 *
 * Promises: every violation is one sentence; what `violations` checks holds at any moment, what `unfinished` checks holds when
 * nothing is under way any more.
 * Never: waits, or changes a row.
 */
import { Effect } from "effect"
import type { DatabaseService } from "../../src/layers/database/database.port.ts"
import { centsOf, isReported, ledgerOf, unitsOf } from "../support/fills-ledger.ts"
import type { MemoryBook } from "../support/venue-book.memory.ts"

interface SignalRow {
  readonly id: string
  readonly identity: string
  readonly status: string
}
interface OrderRow {
  readonly id: string
  readonly client_order_id: string
  readonly signal_id: string | null
  readonly account: string
  readonly intent: "entry" | "reduce"
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  readonly status: string
  readonly sends: number
  readonly settled: boolean
}
interface FillRow {
  readonly account: string
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  readonly price: string
  readonly fee: string
  readonly trade_id: string
  readonly venue_order_id: string
  readonly order_id: string | null
}
interface PositionRow {
  readonly account: string
  readonly symbol: string
  readonly quantity: string
  readonly realised_pnl: string
  readonly shares: string
  readonly disputed: boolean
}

export interface Records {
  readonly signals: ReadonlyArray<SignalRow>
  readonly orders: ReadonlyArray<OrderRow>
  readonly fills: ReadonlyArray<FillRow>
  readonly positions: ReadonlyArray<PositionRow>
  /** Events that did not fit the status of their order. */
  readonly illegal: ReadonlyArray<string>
}

/** A post as its sender knows it. */
export interface SentPost {
  readonly id: string
  /** Its strategy may be short, and it asks for an opening. */
  readonly mayTurn: boolean
  /** The signal of its 2xx; null: not answered. */
  signalId: string | null
  /** A later answer that named another signal. */
  contradicted: string | null
}

export const readRecords = (database: DatabaseService): Promise<Records> =>
  Effect.runPromise(
    database.run("simulation.records", (sql) =>
      Effect.map(
        sql.unsafe<{ readonly all: string }>(`SELECT jsonb_build_object(
          'signals', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'identity', identity, 'status', status)), '[]') FROM signals),
          'orders', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'client_order_id', client_order_id, 'signal_id', signal_id,
            'account', account, 'intent', intent, 'symbol', symbol, 'side', side, 'quantity', quantity::text, 'status', status,
            'sends', sends, 'settled', settled_at IS NOT NULL) ORDER BY seq), '[]') FROM orders),
          'fills', (SELECT coalesce(jsonb_agg(jsonb_build_object('account', account, 'symbol', symbol, 'side', side,
            'quantity', quantity::text, 'price', price::text, 'fee', fee::text, 'trade_id', trade_id,
            'venue_order_id', venue_order_id, 'order_id', order_id) ORDER BY seq), '[]') FROM trade_records),
          'positions', (SELECT coalesce(jsonb_agg(jsonb_build_object('account', p.account, 'symbol', p.symbol, 'quantity', p.quantity::text,
            'realised_pnl', p.realised_pnl::text, 'disputed', p.disputed_at IS NOT NULL,
            'shares', (SELECT coalesce(sum(s.quantity), 0)::text FROM position_shares s WHERE s.position_id = p.id))), '[]') FROM positions p),
          'illegal', (SELECT coalesce(jsonb_agg(order_id || ' ' || event || ' in ' || from_status), '[]') FROM order_events WHERE NOT legal)
          )::text AS all`),
        ([row]) => JSON.parse(row?.all ?? "null") as Records
      )
    )
  )

const doubled = (what: string, keys: ReadonlyArray<string>): ReadonlyArray<string> => {
  const seen = new Set<string>()
  return keys.flatMap((key) => {
    const isNew = !seen.has(key)
    seen.add(key)
    return isNew ? [] : [`${what} ${key} is there twice`]
  })
}

/** Nothing that a sender was told is stored is lost, doubled, or another signal. */
const ofSignals = ({ signals }: Records, posts: ReadonlyMap<string, SentPost>): ReadonlyArray<string> => {
  const byId = new Map(signals.map((signal) => [signal.id, signal]))
  return [
    ...doubled(
      "signal",
      signals.map(({ identity }) => identity)
    ),
    ...[...posts.values()].flatMap(({ contradicted, id, signalId }) => [
      ...(signalId === null || byId.has(signalId) ? [] : [`post ${id} was answered and its signal is lost`]),
      ...(contradicted === null ? [] : [`post ${id} was answered as ${signalId} and as ${contradicted}`])
    ]),
    ...(signals.length > posts.size ? [`${signals.length} signals of ${posts.size} posts`] : [])
  ]
}

/** Statuses of an order that the venue cannot have. */
const UNSENT = new Set(["intended", "held", "denied", "withdrawn", "expired_unsent"])

/** No order of the venue that is not ours, none twice, none of a row that says that it was never sent. */
const ofOrders = ({ illegal, orders }: Records, book: MemoryBook): ReadonlyArray<string> => {
  const rows = new Map(orders.map((order) => [order.client_order_id, order]))
  const there = book.orders()
  return [
    ...doubled(
      "venue order",
      there.map(({ clientOrderId }) => clientOrderId ?? "without id")
    ),
    ...there.flatMap((order) => {
      const row = rows.get(order.clientOrderId ?? "")
      if (row === undefined) return [`the venue has ${order.clientOrderId}, which is no order of ours`]
      const wrong: Array<string> = []
      if (UNSENT.has(row.status)) wrong.push(`order ${row.id} is ${row.status} and the venue has it`)
      if (
        row.symbol !== order.symbol ||
        row.side !== order.side ||
        Number(row.quantity) !== Number(order.quantity)
      )
        wrong.push(`order ${row.id} is another one at the venue`)
      return wrong
    }),
    ...illegal.map((event) => `illegal event: ${event}`)
  ]
}

const keyOf = (
  fill: {
    readonly account: string
    readonly symbol: string
    readonly side: string
    readonly quantity: string
    readonly price: string
  },
  tradeId: string
): string =>
  `${tradeId} ${fill.account} ${fill.symbol} ${fill.side} ${Number(fill.quantity)} @ ${Number(fill.price)}`

/** Every stored fill is one of the venue's, once. */
const ofFills = ({ fills }: Records, venueFills: ReadonlyArray<string>): ReadonlyArray<string> => {
  const told = new Set(venueFills)
  const ours = fills.map((fill) => keyOf(fill, fill.trade_id))
  return [
    ...doubled("fill", ours),
    ...ours.flatMap((key) => (told.has(key) ? [] : [`fill ${key} never happened`])),
    ...fills.flatMap(({ order_id, trade_id }) =>
      order_id === null ? [`fill ${trade_id} belongs to no order`] : []
    )
  ]
}

/** Positions, shares and profits are those of the stored fills. */
const ofBooks = ({ fills, positions }: Records): ReadonlyArray<string> => {
  const books = ledgerOf(fills)
  const wrong: Array<string> = []
  const realised = new Map<string, bigint>()
  for (const row of positions) {
    const held = books.get(row.account)?.positions.get(row.symbol)?.quantity ?? 0n
    const where = `${row.account} ${row.symbol}`
    if (unitsOf(row.quantity) !== held)
      wrong.push(`${where} is ${row.quantity}, by its fills ${centsOf(held)}`)
    if (unitsOf(row.shares) !== held)
      wrong.push(`${where}: its shares add up to ${row.shares}, held ${centsOf(held)}`)
    realised.set(row.account, (realised.get(row.account) ?? 0n) + unitsOf(row.realised_pnl))
  }
  for (const [account, book] of books) {
    const told = realised.get(account) ?? 0n
    if (!isReported("0", book.realised - told))
      wrong.push(`${account} made ${centsOf(told)}, by its fills ${centsOf(book.realised)}`)
    for (const [symbol, { quantity }] of book.positions)
      if (quantity !== 0n && !positions.some((row) => row.account === account && row.symbol === symbol))
        wrong.push(`${account} ${symbol} has fills and no position`)
  }
  return wrong
}

/**
 * In the venue's order of fills: no close opens or turns a position, and nothing turns that did not ask for it.
 *
 * An entry for the other side is sized on what is left when the closes that are under way have filled. Where the venue fills it
 * first, the close that comes after it goes as far beyond zero as the entry has asked for, and no farther.
 */
const ofTurns = (
  { orders }: Records,
  book: MemoryBook,
  posts: ReadonlyMap<string, SentPost>,
  accounts: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const rows = new Map(orders.map((order) => [order.client_order_id, order]))
  const asked = new Set(
    [...posts.values()].flatMap(({ mayTurn, signalId }) => (mayTurn && signalId !== null ? [signalId] : []))
  )
  const unanswered = [...posts.values()].some(({ signalId }) => signalId === null)
  const held = new Map<string, number>()
  /** What entries have filled against the position that a close was still to end. */
  const early = new Map<string, number>()
  return accounts.flatMap((account) =>
    book.fills(account).flatMap((fill) => {
      const place = `${account} ${fill.symbol}`
      const before = held.get(place) ?? 0
      const after = before + (fill.side === "buy" ? 1 : -1) * Number(fill.quantity)
      held.set(place, after)
      const row = rows.get(fill.clientOrderId ?? "")
      const story = `${place} went from ${before} to ${after} by order ${row?.id}`
      const isSameWay = before === 0 || before > 0 === (fill.side === "buy")
      if (row?.intent === "reduce") {
        const beyond = isSameWay ? Number(fill.quantity) : before * after < 0 ? Math.abs(after) : 0
        const explained = early.get(place) ?? 0
        early.set(place, after === 0 ? 0 : explained - beyond)
        return beyond > explained ? [`${story}, a close`] : []
      }
      if (!isSameWay)
        early.set(place, (early.get(place) ?? 0) + Math.min(Math.abs(before), Number(fill.quantity)))
      // A signal whose post nobody has an answer to yet may be the one that asked.
      const turned = before * after < 0 && row?.signal_id !== null && !asked.has(row?.signal_id ?? "")
      return turned && !unanswered ? [`${story}, which nobody asked for`] : []
    })
  )
}

export const venueFillKeys = (book: MemoryBook, accounts: ReadonlyArray<string>): ReadonlyArray<string> =>
  accounts.flatMap((account) => book.fills(account).map((fill) => keyOf(fill, fill.tradeId)))

/** What must hold at every moment. */
export const violations = (
  records: Records,
  book: MemoryBook,
  posts: ReadonlyMap<string, SentPost>,
  accounts: ReadonlyArray<string>
): ReadonlyArray<string> => [
  ...ofSignals(records, posts),
  ...ofOrders(records, book),
  ...ofFills(records, venueFillKeys(book, accounts)),
  ...ofBooks(records),
  ...ofTurns(records, book, posts, accounts)
]

const ENDED = new Set(["denied", "withdrawn", "expired_unsent", "rejected", "filled", "cancelled", "expired"])

/** What is still under way; empty when the simulation has come to rest. */
export const unfinished = (
  { fills, orders, positions, signals }: Records,
  book: MemoryBook,
  posts: ReadonlyMap<string, SentPost>,
  accounts: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const stored = new Set(fills.map((fill) => keyOf(fill, fill.trade_id)))
  const blocked = new Set(
    orders.flatMap((row) => (row.status === "needs_operator" ? [`${row.account} ${row.symbol}`] : []))
  )
  const here = new Map(positions.map((row) => [`${row.account} ${row.symbol}`, row]))
  return [
    ...[...posts.values()].flatMap(({ id, signalId }) =>
      signalId === null ? [`post ${id} has no answer`] : []
    ),
    ...signals.flatMap(({ id, status }) =>
      status === "received" || status === "processing" ? [`signal ${id} is ${status}`] : []
    ),
    ...orders.flatMap(({ account, id, settled, status, symbol }) => {
      // For a human, by T5: its venue has no unique ids. Until then its symbol is blocked.
      if (status === "needs_operator" || (status === "intended" && blocked.has(`${account} ${symbol}`)))
        return []
      if (!ENDED.has(status)) return [`order ${id} is ${status}`]
      return settled || UNSENT.has(status) ? [] : [`order ${id} is ${status} and not settled`]
    }),
    ...venueFillKeys(book, accounts).flatMap((key) => (stored.has(key) ? [] : [`fill ${key} is not stored`])),
    ...accounts.flatMap((account) =>
      book.positions(account).flatMap(({ quantity, symbol }) => {
        const row = here.get(`${account} ${symbol}`)
        const ours = Number(row?.quantity ?? 0)
        if (row?.disputed === true) return [`${account} ${symbol} is disputed`]
        return ours === Number(quantity) ? [] : [`${account} ${symbol} is ${ours}, at the venue ${quantity}`]
      })
    )
  ]
}
