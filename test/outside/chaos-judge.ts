/**
 * The judge of a chaos run: what senders were answered and what the venue's own book holds, against our rows.
 *
 * Promises: every violation is a sentence; orders, fills and positions are compared with the book and
 * the count of create requests of the venue, which outlived every fault; positions are walked fill by fill in the venue's order.
 * Never: waits; it is asked when nothing is open. Takes our rows as evidence of what happened at the venue, or a slow recovery for a violation.
 */
import type { BookFill } from "../support/paper-broker.ts"
import { differences, fillKey, isTooOld, tally } from "./audit.ts"
import { closes, mayTurn } from "./chaos-load.ts"
import { CHAOS_ACCOUNTS, type ChaosStage } from "./chaos-stage.ts"
import type { Delivery } from "./producer.ts"
import type { Row, Service } from "./service.ts"

export interface ChaosVerdict {
  readonly violations: ReadonlyArray<string>
  /** What there was, by name: signals, orders and why some were not traded. */
  readonly counts: ReadonlyMap<string, number>
}

const accountsOf = ({ source }: Pick<Delivery, "source">): ReadonlyArray<string> =>
  source === "fan" ? ["paper-2", "paper-3"] : ["paper-1"]

type Trace = Readonly<{
  signal: Row
  decision: { readonly outcome: string; readonly reason: string | null } | null
  orders: ReadonlyArray<Row>
}>

/** At most this many exchanges at a time: the judge waits for the service, it does not test it. */
const EXCHANGES = 8

const tracesOf = async (
  service: Service,
  ids: ReadonlyArray<string>
): Promise<ReadonlyMap<string, Trace>> => {
  const traces = new Map<string, Trace>()
  const waiting = [...ids]
  const worker = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop())
      traces.set(id, (await service.get(`/api/v1/signals/${id}`)).body as Trace)
  }
  await Promise.all(Array.from({ length: EXCHANGES }, worker))
  return traces
}

const NEEDS_OPERATOR = "symbol_needs_operator"

/** What is wrong with one answered signal, and how it ended. `needed`: accounts and symbols that waited for an operator. */
const auditSignal = (
  delivery: Delivery,
  trace: Trace | undefined,
  needed: ReadonlySet<string>
): readonly [end: string, wrong: string[]] => {
  const { body, source } = delivery
  if (trace?.signal === undefined) return ["lost", ["was answered 2xx and is lost"]]
  const { decision, orders, signal } = trace
  if (isTooOld(signal)) return ["too_old", orders.length === 0 ? [] : ["is too old and has orders"]]
  const wanted = accountsOf({ source })
  const waitedFor = wanted.filter((account) => needed.has(`${account} ${String(body["symbol"])}`))
  // Nobody knew what the venue had, so nothing more was opened there (T10).
  if (decision?.outcome === "denied" && decision.reason === NEEDS_OPERATOR && waitedFor.length > 0)
    return [
      NEEDS_OPERATOR,
      orders.every(({ status }) => status === "denied") ? [] : ["was denied and has orders"]
    ]
  if (signal["status"] !== "done" || decision === null)
    return [String(signal["status"]), [`is not decided: ${JSON.stringify(signal).slice(0, 600)}`]]
  const wrong: Array<string> = []
  const perAccount = tally(orders.map((order) => order["account"] ?? ""))
  if ([...perAccount].some(([account, count]) => count > 1 || !wanted.includes(account)))
    wrong.push(`led to orders in ${JSON.stringify([...perAccount])}`)
  // A reversal finds nothing to turn in an account that is flat.
  const opens = !closes({ body }) && body["intent"] !== "reverse"
  const missing = wanted.filter((account) => !perAccount.has(account) && !waitedFor.includes(account))
  if (decision.outcome === "ordered" && opens && missing.length > 0)
    wrong.push(`led to ${perAccount.size} orders instead of ${wanted.length}`)
  if (closes({ body }) && orders.some((order) => order["intent"] !== "reduce"))
    wrong.push("asks for less and led to an entry")
  return [decision.outcome === "ordered" ? "ordered" : `${decision.outcome}: ${decision.reason}`, wrong]
}

const auditSignals = async (
  stage: ChaosStage,
  deliveries: ReadonlyArray<Delivery>,
  needed: ReadonlySet<string>,
  count: (what: string) => void
): Promise<ReadonlyArray<string>> => {
  const { service } = stage.world
  const faults: Array<string> = []
  const owners = new Map<string, Delivery>()
  for (const delivery of deliveries) {
    const id = delivery.signalId
    if (id === null)
      faults.push(`never taken: ${JSON.stringify({ body: delivery.body, tries: delivery.tries.length })}`)
    else if (owners.has(id)) faults.push(`signal ${id} is the answer to two bodies`)
    else owners.set(id, delivery)
  }
  const stored = (await service.list("signals")).filter((row) => row["source"] !== "wave")
  for (const { id } of stored) if (!owners.has(String(id))) faults.push(`signal ${id} was posted by nobody`)
  const traces = await tracesOf(service, [...owners.keys()])
  for (const [id, delivery] of owners) {
    const [end, wrong] = auditSignal(delivery, traces.get(id), needed)
    count(`signal ${end}`)
    faults.push(...wrong.map((text) => `signal ${id} ${text} (${JSON.stringify(delivery.body)})`))
  }
  return faults
}

/** A signal of the feed is stored once, and every wave that was done has its signals. */
const auditWaves = async (
  stage: ChaosStage,
  orders: ReadonlyArray<Row>,
  count: (what: string) => void
): Promise<ReadonlyArray<string>> => {
  const { service } = stage.world
  const faults: Array<string> = []
  const signals = (await service.list("signals", "source=wave")) as ReadonlyArray<
    Row & { readonly body: Row }
  >
  const perEvent = tally(signals.map(({ body }) => body["id"] ?? ""))
  for (const [id, times] of perEvent)
    if (times !== 1) faults.push(`${id} of the feed is stored ${times} times`)
  const perSignal = tally(orders.map((order) => order["signal_id"] ?? "none"))
  for (const { id } of signals)
    if ((perSignal.get(String(id)) ?? 0) > 1) faults.push(`signal ${id} of the feed has several orders`)
  for (const wave of await service.list("waves")) count(`wave ${wave["status"]}`)
  count(`feed signals`)
  return faults
}

/** Statuses of an order of which the venue's book has exactly one, and of which it has none. */
const booked = ["filled", "cancelled", "expired", "partially_filled", "acked"]
const absent = ["denied", "expired_unsent", "withdrawn", "needs_operator"]

/** One create for each order that was sent, none for the others, and no order at the venue that is not ours. */
const auditOrders = async (
  { leg, world }: ChaosStage,
  orders: ReadonlyArray<Row>,
  count: (what: string) => void
): Promise<ReadonlyArray<string>> => {
  const faults: Array<string> = []
  const book = await world.broker.orders()
  const perId = tally(book.map((order) => order.client_order_id ?? "no id"))
  const creates = await world.broker.creates()
  const ours = new Set<string>()
  for (const order of orders) {
    const id = order["client_order_id"] ?? "no id"
    const status = order["status"] ?? ""
    if (ours.has(id)) faults.push(`two rows share the client order id ${id}`)
    ours.add(id)
    const there = perId.get(id) ?? 0
    const expected = booked.includes(status) ? 1 : absent.includes(status) ? 0 : null
    count(`order ${status}${order["reason"] === null || status === "filled" ? "" : `: ${order["reason"]}`}`)
    if (expected === null) faults.push(`order ${id} ended as ${status} (${order["reason"]})`)
    else if (there !== expected) faults.push(`order ${id} is ${status} here and ${there} times in the book`)
  }
  for (const id of perId.keys()) if (!ours.has(id)) faults.push(`the venue has an order ${id} we do not know`)
  for (const { client_order_id: id, created, received } of creates) {
    if (created > 1) faults.push(`${created} orders were created under ${id}`)
    // A second request is harmless only where the venue refuses or returns the first order (T5).
    if ((leg.rule === "O" || leg.rule === "N") && received > 1)
      faults.push(`${id} was sent ${received} times under rule ${leg.rule}`)
  }
  return faults
}

/** Walks the venue's fills: no close opens or turns a position, and what turned one had asked for the other side. */
export const crossings = (
  fills: ReadonlyArray<BookFill>,
  orders: ReadonlyArray<Row>,
  deliveries: ReadonlyArray<Delivery>
): ReadonlyArray<string> => {
  const faults: Array<string> = []
  const rows = new Map(orders.map((order) => [order["client_order_id"], order]))
  const bodies = new Map(deliveries.map((delivery) => [delivery.signalId, delivery]))
  const positions = new Map<string, number>()
  const inOrder = fills.toSorted((a, b) => Number(BigInt(a.sequence) - BigInt(b.sequence)))
  for (const fill of inOrder) {
    const place = `${fill.account} ${fill.symbol}`
    const before = positions.get(place) ?? 0
    const after = before + (fill.side === "buy" ? 1 : -1) * Number(fill.quantity)
    positions.set(place, after)
    const order = rows.get(fill.client_order_id)
    const story = `${place} went from ${before} to ${after} by ${fill.client_order_id}`
    if (order?.["intent"] === "reduce" && Math.abs(after) > Math.abs(before)) faults.push(`${story}, a close`)
    const delivery = bodies.get(order?.["signal_id"] ?? "")
    // The feed's signals name a side and no direction: they may go anywhere.
    if (order?.["source"] === "wave" || fill.account === "paper-4") continue
    const turned = before * after < 0
    if (turned && (delivery === undefined || !mayTurn(delivery)))
      faults.push(`${story}, which nobody asked for`)
    if (fill.account === "paper-1" && after < 0) faults.push(`${story}, and its strategy is long_only`)
  }
  return faults
}

const auditPositions = async ({ world }: ChaosStage): Promise<ReadonlyArray<string>> => {
  const words = (rows: ReadonlyArray<Row>) =>
    rows.flatMap((row) =>
      Number(row["quantity"]) === 0 ? [] : [`${row["account"]} ${row["symbol"]} ${Number(row["quantity"])}`]
    )
  const book = (await Promise.all(CHAOS_ACCOUNTS.map((account) => world.broker.positions(account)))).flat()
  return differences(
    "position",
    words(await world.service.list("positions")),
    words(book.map(({ account, symbol, quantity }) => ({ account, symbol, quantity })))
  )
}

/** Everything that is wrong once all has settled. `needed`: see ChaosOperator. */
export const judgeChaos = async (
  stage: ChaosStage,
  deliveries: ReadonlyArray<Delivery>,
  needed: ReadonlySet<string>
): Promise<ChaosVerdict> => {
  const { broker, service } = stage.world
  const counts = new Map<string, number>()
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)
  const orders = await service.list("orders")
  const fills = await service.list("fills")
  const book = await broker.fills()
  const { body, text } = await service.get("/api/v1/linkage")
  const linked = body.ours === fills.length && body.linked === fills.length && body.external === 0
  const violations = [
    ...(await auditSignals(stage, deliveries, needed, count)),
    ...(await auditWaves(stage, orders, count)),
    ...(await auditOrders(stage, orders, count)),
    ...differences("fill", fills.map(fillKey), book.map(fillKey)),
    ...crossings(book, orders, deliveries),
    ...(await auditPositions(stage)),
    ...(linked ? [] : [`linkage after ${fills.length} fills: ${text}`])
  ]
  return { violations, counts }
}
