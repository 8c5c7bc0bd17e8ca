/**
 * The cells of the crash matrix that are about a compensation (K12): an entry is cancelled with a part of it filled, and what it
 * has brought is closed by the policy of its strategy.
 *
 * Promises: a cell ends with two orders, the entry and one close of exactly its fills, with an alert that was raised once.
 * Never: gives the cancel again: it is in the row of the order, whenever the process dies.
 */
import { assert } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { type Cell, type Ending, endingOf } from "./crash-cells.ts"
import type { DuplicateRule } from "../support/paper-broker.ts"
import type { Row, Service } from "./service.ts"
import type { World } from "./world.ts"

/** The source of a strategy that closes what an entry brought before it ended. */
export const CUT_SOURCE = "cut"

/** What a cell needs of its scene. */
interface Stage {
  readonly world: World
  readonly command: (point: string, subject: string) => void
  readonly post: (symbol: string, source?: string) => Promise<string>
  readonly untilDead: (symbol: string, intent?: "entry" | "reduce") => Promise<Service>
  readonly judge: (
    rule: DuplicateRule,
    ending: Ending,
    order: Row,
    fills: ReadonlyArray<Row>
  ) => Promise<void>
}

const isOver = ({ settled_at: settledAt, status }: Row): boolean =>
  settledAt !== null || status === "needs_operator"

const ordersOf = async (
  { world }: Stage,
  symbol: string,
  what: string,
  fits: (orders: ReadonlyArray<Row>) => boolean
): Promise<ReadonlyArray<Row>> =>
  await waitUntil(
    () => `${what} of ${symbol}${world.service.tail()}`,
    async () => {
      const orders = await world.service.list("orders", `symbol=${symbol}`)
      return fits(orders) ? orders : undefined
    },
    60_000
  )

/** An entry of three at the venue, of which one has traded; the venue fills no more of its own accord. */
const partlyFilled = async (scene: Stage, symbol: string): Promise<Row> => {
  const { broker } = scene.world
  await broker.faults({ holdFills: true })
  await scene.post(symbol, CUT_SOURCE)
  const [acked] = await ordersOf(
    scene,
    symbol,
    "an entry at the venue",
    ([one]) => one?.["status"] === "acked"
  )
  const [there] = await broker.orders(String(acked!["client_order_id"]))
  await broker.fill(there!, "1", "100")
  const [order] = await ordersOf(
    scene,
    symbol,
    "a partly filled entry",
    ([one]) => one?.["status"] === "partially_filled"
  )
  return order!
}

/** K12: killed at each point between the cancel of the entry and the fill of the close. */
export const playCompensation = async (scene: Stage, cell: Cell, symbol: string): Promise<void> => {
  const { broker, service } = scene.world
  const { client_order_id: name, id } = await partlyFilled(scene, symbol)
  const point = cell.point.slice("K12-".length)
  scene.command(point.startsWith("K") ? point : cell.point, symbol)
  // The cancel may go out, and the process with it, before the operator has an answer.
  const answer = await service
    .post(`/api/v1/orders/${id}/cancel`, { reason: "a test" }, { deadlineMs: 6_000 })
    .catch(() => null)
  if (answer !== null) assert.strictEqual(answer.status, 202, answer.text)
  await waitUntil("the venue to cancel the entry", async () =>
    (await broker.orders(String(name)))[0]?.status === "cancelled" ? true : undefined
  )
  await broker.faults({ holdFills: false })
  const victim = await scene.untilDead(symbol, "reduce")
  victim.spawn()
  await service.ready()
  const orders = await ordersOf(
    scene,
    symbol,
    "an entry and its close",
    (all) => all.length > 1 && all.every(isOver)
  )
  await broker.clearFaults()
  const [entry, close, ...others] = orders.toReversed()
  assert.deepStrictEqual(others, [], "one entry, one close")
  assert.deepInclude(entry, { id, partial: "closed", filled_quantity: "1" })
  assert.deepInclude(close, { compensates: id, quantity: "1", exit_kind: "compensation" })
  const fills = await service.list("fills", `symbol=${symbol}`)
  const fillsOf = (order: Row | undefined) => fills.filter((fill) => fill["order_id"] === order?.["id"])
  await scene.judge(cell.rule, "cancelled", entry!, fillsOf(entry))
  await scene.judge(cell.rule, endingOf(cell), close!, fillsOf(close))
  const alerts = await service.list("monitoring/alerts", `dedup_key=order.partial_closed:${id}`)
  assert.deepStrictEqual(
    alerts.map(({ occurrences }) => Number(occurrences)),
    [1],
    "its alert is raised once"
  )
}
