/**
 * The cells of the crash matrix in which a process is frozen instead of killed: at K4 and right before the bytes of a create, past
 * its lease, and thawed.
 *
 * A frozen process is worse than a dead one: it comes back and goes on where it stood. Its lease is over by then and another
 * process has judged the order, so whatever it still does happens beside a new owner.
 *
 * Promises: the judge counts what the venue received; a cell is settled with both processes running.
 * Never: thaws before the lease is over.
 */
import { assert } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { nodeLimits } from "../../src/domain/kernel/limits-execution.ts"
import type { DuplicateRule } from "../support/paper-broker.ts"
import { waitUntil } from "../support/exchange.ts"
import { type Cell, createsOf, type Ending, endingOf } from "./crash-cells.ts"
import { isSettled, type Row, type Service } from "./service.ts"
import type { World } from "./world.ts"

/** What a cell needs of its scene. */
interface Stage {
  readonly world: World
  readonly lives: ReadonlyArray<Service>
  readonly command: (point: string, subject: string, signal: "SIGSTOP") => void
  readonly post: (symbol: string) => Promise<string>
  readonly untilFrozen: () => Promise<{ readonly frozen: Service; readonly other: Service | null }>
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

/** The order of a symbol, as this service shows it, once nothing more happens to it by itself. */
const ended = async (service: Service, symbol: string): Promise<Row> =>
  await waitUntil(
    () => `the order of ${symbol} to end${service.tail(30)}`,
    async () => (await service.list("orders", `symbol=${symbol}`)).find(isSettled),
    60_000
  )

/** What the thawed process writes and what it learns of it have arrived by then: a call, a look-up and a reconciliation. */
const AFTERMATH_MS = 3_000

export const playFreeze = async (scene: Stage, cell: Cell, symbol: string): Promise<void> => {
  const { broker } = scene.world
  scene.command(cell.point.slice("F-".length), symbol, "SIGSTOP")
  const posting = scene.post(symbol)
  // Whoever awaits it comes later; a rejection until then is not unhandled.
  posting.catch(() => undefined)
  const { frozen, other } = await scene.untilFrozen()
  try {
    // The lease is over on every clock, and whoever stands by has taken it.
    await pause(nodeLimits.leaseMs + nodeLimits.leaseMarginMs)
    await other?.trading(60_000)
    if (other !== null && cell.fault === "late") await ended(other, symbol)
  } finally {
    frozen.thaw()
  }
  const signalId = await posting
  await pause(AFTERMATH_MS)
  const trace = await scene.settled(signalId)
  const order = await waitUntil("the order to be what it stays", async () => {
    const [row] = await scene.world.service.list("orders", `symbol=${symbol}`)
    return row?.["status"] === endingOf(cell) ? row : undefined
  }).catch(() => trace.orders[0]!)
  const [count] = await broker.creates(String(order["client_order_id"]))
  const [least, most] = createsOf(cell)
  assert.isAtLeast(count?.received ?? 0, least, JSON.stringify(order))
  assert.isAtMost(count?.received ?? 0, most, JSON.stringify(order))
  assert.isAtMost(count?.created ?? 0, 1, "one create at the broker")
  assert.lengthOf(trace.orders, 1, "one order per intent")
  const fills = await scene.world.service.list("fills", `symbol=${symbol}`)
  await scene.judge(cell.rule, endingOf(cell), order, fills)
  for (const service of scene.lives) await service.ready(60_000)
}
