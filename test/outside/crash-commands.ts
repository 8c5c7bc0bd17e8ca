/**
 * The cells of the crash matrix that are about an operator's commands: a cancel (K9) and a flatten (K10).
 *
 * Promises: a command is given again under its idempotency key after the kill, as an operator does who had no answer.
 * Never: takes a first answer for granted: the process may have died before it.
 */
import { assert } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { type Cell, type Ending, endingOf, faultsOf } from "./crash-cells.ts"
import type { DuplicateRule } from "../support/paper-broker.ts"
import type { Row, Service } from "./service.ts"
import type { World } from "./world.ts"

/** The account whose positions a flatten closes; nothing else trades in it. */
export const FLAT_ACCOUNT = "paper-2"

/** What a cell needs of its scene. */
interface Stage {
  readonly world: World
  readonly command: (point: string, subject: string) => void
  readonly post: (symbol: string, source?: string) => Promise<string>
  readonly untilDead: (symbol: string, intent?: "entry" | "reduce") => Promise<Service>
  readonly settled: (
    signalId: string
  ) => Promise<{ readonly orders: ReadonlyArray<Row>; readonly fills: ReadonlyArray<Row> }>
  readonly judge: (
    rule: DuplicateRule,
    ending: Ending,
    order: Row,
    fills: ReadonlyArray<Row>
  ) => Promise<void>
}

const give = (scene: Stage, path: string, key: string) =>
  scene.world.service.post(
    path,
    { reason: "a test" },
    { headers: { "idempotency-key": key }, deadlineMs: 6_000 }
  )

/** Gives a command until it is answered; whoever dies with it is the cell's. */
const giveAgain = (scene: Stage, path: string, key: string) =>
  waitUntil(
    `an answer to ${path}`,
    async () => {
      const answer = await give(scene, path, key).catch(() => null)
      return answer !== null && answer.status !== 503 ? answer : undefined
    },
    30_000
  )

const orderOf = async ({ world }: Stage, symbol: string, status: string): Promise<Row> =>
  await waitUntil(`an order of ${symbol} that is ${status}`, async () =>
    (await world.service.list("orders", `symbol=${symbol}`)).find((order) => order["status"] === status)
  )

/** K9: an order that is open at the venue is cancelled. */
export const playCancel = async (scene: Stage, cell: Cell, symbol: string): Promise<void> => {
  const { broker, service } = scene.world
  const { switches } = faultsOf(cell.point)[cell.fault]!
  await broker.faults({ holdFills: true })
  const signalId = await scene.post(symbol)
  const order = await orderOf(scene, symbol, "acked")
  await broker.faults(switches)
  scene.command("K9", symbol)
  const path = `/api/v1/orders/${order["id"]}/cancel`
  // The cancel may go out, and the process with it, before the operator has an answer.
  const first = await give(scene, path, symbol).catch(() => null)
  if (first !== null) assert.strictEqual(first.status, 202, first.text)
  const victim = await scene.untilDead(symbol)
  if (cell.fault === "race") {
    await broker.faults({ holdFills: false })
    await waitUntil("the venue to fill it", async () =>
      (await broker.orders(String(order["client_order_id"])))[0]?.status === "filled" ? true : undefined
    )
  }
  victim.spawn()
  await service.ready()
  assert.strictEqual((await giveAgain(scene, path, symbol)).status, 202, "the answer of the first time")
  const { fills, orders } = await scene.settled(signalId)
  await broker.clearFaults()
  assert.lengthOf(orders, 1)
  await scene.judge(cell.rule, endingOf(cell), orders[0]!, fills)
}

/** The closes of these symbols, once they are all settled or need an operator. */
const closesOf = async ({ world }: Stage, symbols: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> =>
  await waitUntil(
    () => `the closes of ${symbols.join(", ")}${world.service.tail()}`,
    async () => {
      const lists = await Promise.all(
        symbols.map((symbol) => world.service.list("orders", `symbol=${symbol}`))
      )
      const closes = lists.flat().filter((order) => order["intent"] === "reduce")
      const isOver = (order: Row) => order["settled_at"] !== null || order["status"] === "needs_operator"
      return closes.length >= symbols.length && closes.every(isOver) ? closes : undefined
    },
    90_000
  )

/** K10: two positions of an account are closed by one command. */
export const playFlatten = async (scene: Stage, cell: Cell, symbol: string): Promise<void> => {
  const { broker, service } = scene.world
  const symbols = [`${symbol}A`, `${symbol}B`]
  for (const one of symbols) await scene.settled(await scene.post(one, "flat"))
  const fault = faultsOf(cell.point)[cell.fault]!
  await broker.faults(fault.switches)
  const isOfOrder = cell.point === "K10-K4" || cell.point === "K10-K5"
  scene.command(
    isOfOrder ? cell.point.slice(-2) : cell.point,
    isOfOrder ? symbols[0]! : `account:${FLAT_ACCOUNT}`
  )
  const path = `/api/v1/accounts/${FLAT_ACCOUNT}/flatten`
  const asked = give(scene, path, symbol).catch(() => null)
  const victim = await scene.untilDead(symbols[0]!, "reduce")
  await asked
  if (fault.endsWithLife === true) await broker.clearFaults()
  victim.spawn()
  await service.trading()
  let answer = await giveAgain(scene, path, symbol)
  // A key whose first attempt was cut off is free again once the row of the dead life is ended.
  while (answer.status === 409 && String(answer.body.reason) === "in_progress") {
    await pause(200)
    answer = await giveAgain(scene, path, symbol)
  }
  assert.strictEqual(answer.status, 202, answer.text)
  const closes = await closesOf(scene, symbols)
  await broker.clearFaults()
  assert.lengthOf(closes, 2, "one close per position, however often it was asked for")
  const fills = await service.list("fills", `account=${FLAT_ACCOUNT}`)
  for (const close of closes) {
    const isHit = isOfOrder && close["symbol"] === symbols[0]
    const ending = isHit ? endingOf(cell) : "filled"
    await scene.judge(
      cell.rule,
      ending,
      close,
      fills.filter((fill) => fill["order_id"] === close["id"])
    )
  }
}
