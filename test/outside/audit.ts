/**
 * The audit: what holdfast reports it did, compared with the responses its producers got and with the broker's own book.
 *
 * It answers the questions of the incidents: was anything lost, was anything duplicated, and does every trade know why it
 * was made?
 *
 * Promises: waits until everything has settled, then reports every difference as a sentence; an empty report means that
 * signals, decisions, orders, create requests, fills, links and positions agree.
 * Never: stops at the first difference, or reads a database.
 */
import { setTimeout as pause } from "node:timers/promises"
import { ageLimits } from "../../src/domain/kernel/limits-signals.ts"
import { waitUntil } from "../support/exchange.ts"
import type { BookFill } from "../support/paper-broker.ts"
import type { Delivery } from "./producer.ts"
import { isSettled, type Row, type Service } from "./service.ts"
import { accounts, type World } from "./world.ts"

/** A fill in words that both sides share; decimals without the zeros one of them keeps. */
export const fillKey = (fill: Row | BookFill): string => {
  const row = fill as Row
  const { account, symbol, trade_id, client_order_id, side, quantity, price } = row
  return [account, symbol, trade_id, client_order_id, side, Number(quantity), Number(price)].join(" ")
}

export const tally = (words: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

export const differences = (
  what: string,
  ours: ReadonlyArray<string>,
  theirs: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const mine = tally(ours)
  const book = tally(theirs)
  return [...new Set([...mine.keys(), ...book.keys()])].flatMap((word) =>
    mine.get(word) === book.get(word)
      ? []
      : [`${what} [${word}]: ${mine.get(word) ?? 0} here, ${book.get(word) ?? 0} at the broker`]
  )
}

/** What the log says about one order or signal. */
const storyOf = (service: Service, row: Row | undefined): string => {
  const ids = [row?.["client_order_id"], row?.["id"]].filter((id) => typeof id === "string")
  const lines = service.lines.map((line) => JSON.stringify(line).slice(0, 400))
  return `\n${lines.filter((line) => ids.some((id) => line.includes(id))).join("\n")}${service.tail(5)}`
}

/**
 * How long the oldest row of a queue may stay what it is: longer than every look-up of an unknown order takes, shorter
 * than an order that waits is valid.
 */
const STUCK_MS_MAX = 30_000

/** How long a backlog may take as a whole; the bound that means something is the one on its oldest row. */
const BACKLOG_MS_MAX = 300_000

/** Between two looks: the service that is waited for has better to do than to list its rows. */
const LOOK_MS = 100

/** The oldest of the posts that are answered and not stored yet, as a row; none when there is no such post. */
const spooledRows = async (service: Service): Promise<ReadonlyArray<Row>> => {
  const { body } = await service.get("/api/v1/monitoring/spool")
  return body.posts === 0 ? [] : [{ id: body.oldest_at, status: "spooled", posts: String(body.posts) }]
}

/** Orders that wait; once there are none, those whose fills are not complete, for which all orders are read. */
const openOrders = async (service: Service): Promise<ReadonlyArray<Row>> => {
  const waiting = (await service.list("monitoring/transactions", "kind=order")).filter(
    (order) => !isSettled(order)
  )
  return waiting.length > 0
    ? waiting.toReversed()
    : (await service.list("orders")).filter((order) => !isSettled(order))
}

/**
 * What is still open, one list for each queue, the newest first; in the order in which a post goes through them, so that one that
 * moves on meanwhile is seen in the next. Each service has a spool of its own.
 */
const openRows = async (
  service: Service,
  others: ReadonlyArray<Service>
): Promise<ReadonlyArray<ReadonlyArray<Row>>> => [
  ...(await Promise.all([service, ...others].map(spooledRows))),
  await service.list("signals", "status=received"),
  await service.list("signals", "status=processing"),
  await openOrders(service)
]

/** Who is there besides the service that is waited for. */
interface Company {
  /** Services on the same database. */
  readonly others: ReadonlyArray<Service>
  /**
   * An operator, asked at every look: false while an order needs one. What waits behind such an order waits for a person, so
   * without somebody who resolves it the wait would be for nothing.
   */
  readonly attend: () => Promise<boolean>
}
const nobody: Company = { others: [], attend: () => Promise.resolve(true) }

/**
 * Waits until no signal waits for a decision and no order for an answer. A backlog takes as long as its size and the
 * machine say, but the oldest row of a queue is never the same for `stuckMs`: nothing starves behind younger work.
 */
export const rest = async (
  service: Service,
  stuckMs = STUCK_MS_MAX,
  { attend, others }: Company = nobody
): Promise<void> => {
  let open: ReadonlyArray<ReadonlyArray<Row>> = []
  const oldest: Array<{ readonly row: Row | undefined; readonly since: number }> = []
  const stuck = () =>
    oldest.filter(({ row, since }) => row !== undefined && performance.now() - since > stuckMs)
  const report = () =>
    `everything to settle; open: ${open.map((rows) => rows.length).join(", ")}; oldest: ` +
    oldest.map(({ row }) => JSON.stringify(row) + (row === undefined ? "" : storyOf(service, row))).join("\n")
  const ended = await waitUntil(
    report,
    async () => {
      open = await openRows(service, others)
      for (const [queue, rows] of open.entries()) {
        const row = rows.at(-1)
        const before = oldest[queue]?.row
        if (row?.["id"] !== before?.["id"] || row?.["status"] !== before?.["status"])
          oldest[queue] = { row, since: performance.now() }
      }
      if (stuck().length > 0) return "stuck"
      const isAttended = await attend()
      if (isAttended && open.every((rows) => rows.length === 0)) return "settled"
      await pause(LOOK_MS)
      return undefined
    },
    BACKLOG_MS_MAX
  )
  if (ended === "stuck") throw new Error(`nothing moved for ${stuckMs} ms: waited for ${report()}`)
}

/** Rejected for its age, and it was that old: kills that leave no time to decide in can outlast the age limit (T5). */
export const isTooOld = (signal: Row): boolean =>
  signal["status"] === "rejected" &&
  signal["reason"] === "too_old" &&
  Date.parse(signal["decided_at"] ?? "") - Date.parse(signal["fired_at"] ?? "") >=
    ageLimits.signalAgeMsDefault

/**
 * Signals: each was decided once, and led to one order in each account of its strategy; one that came to its decision
 * too late, to none.
 */
const auditSignals = async (
  service: Service,
  deliveries: ReadonlyArray<Delivery>,
  orders: ReadonlyArray<Row>
): Promise<ReadonlyArray<string>> => {
  const faults: Array<string> = []
  const known = new Set((await service.list("signals")).map((row) => row["id"]))
  for (const delivery of deliveries) {
    if (delivery.signalId === null) {
      faults.push(`never taken: ${JSON.stringify({ ...delivery, tries: delivery.tries.slice(-3) })}`)
      continue
    }
    const id = delivery.signalId
    if (!known.delete(id)) faults.push(`signal ${id} was answered 2xx and is lost, or was told to two bodies`)
    const { body, text } = await service.get(`/api/v1/signals/${id}`)
    const late = isTooOld(body.signal as Row)
    if (!late && (body.signal?.status !== "done" || !body.decision))
      faults.push(`signal ${id} is not decided: ${text}`)
    const found = tally(
      orders.filter((order) => order["signal_id"] === id).map((order) => order["account"] ?? "")
    )
    const wanted = late ? [] : delivery.source === "fan" ? accounts : accounts.slice(0, 1)
    if (found.size !== wanted.length || !wanted.every((account) => found.get(account) === 1))
      faults.push(
        `signal ${id} led to orders in ${JSON.stringify([...found])} instead of one in ${wanted.join(", ") || "none"}`
      )
  }
  for (const id of known) faults.push(`signal ${id} was posted by nobody`)
  return faults
}

/** Orders: one create request and one order at the broker for each that was sent, none for the others. */
const auditOrders = async (world: World, orders: ReadonlyArray<Row>): Promise<ReadonlyArray<string>> => {
  const faults: Array<string> = []
  const book = tally((await world.broker.orders()).map((order) => order.client_order_id ?? "no id"))
  const creates = new Map((await world.broker.creates()).map((count) => [count.client_order_id, count]))
  const intents = new Set<string>()
  for (const order of orders) {
    const id = order["client_order_id"] ?? "no id"
    if (intents.has(id)) faults.push(`two orders share the client order id ${id}`)
    intents.add(id)
    const expected = order["status"] === "filled" ? 1 : 0
    if (order["status"] !== "filled" && order["status"] !== "expired_unsent")
      faults.push(`order ${id} ended as ${order["status"]} (${order["reason"]})`)
    if ((book.get(id) ?? 0) !== expected)
      faults.push(`order ${id} is ${order["status"]} and ${book.get(id) ?? 0} times in the broker's book`)
    const received = creates.get(id)?.received ?? 0
    if (received !== expected) faults.push(`order ${id} is ${order["status"]} and was sent ${received} times`)
  }
  for (const id of book.keys())
    if (!intents.has(id)) faults.push(`the broker has an order ${id} that we do not know`)
  return faults
}

const auditPositions = async (world: World): Promise<ReadonlyArray<string>> => {
  const words = (rows: ReadonlyArray<Row>) =>
    rows.flatMap((row) =>
      Number(row["quantity"]) === 0 ? [] : [`${row["account"]} ${row["symbol"]} ${Number(row["quantity"])}`]
    )
  const book = (await Promise.all(accounts.map((account) => world.broker.positions(account)))).flat()
  return differences(
    "position",
    words(await world.service.list("positions")),
    words(book.map(({ account, symbol, quantity }) => ({ account, symbol, quantity })))
  )
}

const auditLinkage = async (service: Service, fills: number): Promise<ReadonlyArray<string>> => {
  const { body, text } = await service.get("/api/v1/linkage")
  return body.ours === fills && body.linked === fills && Number(body.rate) === 1 && body.external === 0
    ? []
    : [`linkage after ${fills} fills: ${text}`]
}

/** Every difference there is, once everything has settled; fails when one row does not move for `stuckMs`. */
export const audit = async (
  world: World,
  deliveries: ReadonlyArray<Delivery>,
  stuckMs = STUCK_MS_MAX
): Promise<ReadonlyArray<string>> => {
  const { broker, service } = world
  await rest(service, stuckMs)
  const orders = await service.list("orders")
  const fills = (await service.list("fills")).map(fillKey)
  return [
    ...(await auditSignals(service, deliveries, orders)),
    ...(await auditOrders(world, orders)),
    ...differences("fill", fills, (await broker.fills()).map(fillKey)),
    ...(await auditLinkage(service, fills.length)),
    ...(await auditPositions(world))
  ]
}
