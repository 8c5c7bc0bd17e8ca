import { assert, describe, it, type TestContext } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import type { DuplicateRule, FaultSwitches, RequestFault } from "../support/paper-broker.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

const openWorld = async (rule: DuplicateRule, { onTestFinished }: TestContext): Promise<World> => {
  const world = await World.open({ rule, database: "external" })
  onTestFinished(() => world.dispose(), 60_000)
  await world.service.start()
  return world
}

const post = async (world: World, symbol: string): Promise<string> => {
  const answer = await world.service.post("/webhook", alertBody({ symbol }))
  assert.strictEqual(answer.status, 201, answer.text)
  return String(answer.body.signal_id)
}

/** What a fault of one create must lead to. `received`: requests the broker saw under the one client order id. */
interface Outcome {
  readonly status: "filled" | "rejected" | "needs_operator"
  readonly received: number
  readonly booked: number
}
const adopted: Outcome = { status: "filled", received: 1, booked: 1 }
const refused: Outcome = { status: "rejected", received: 1, booked: 0 }
/** T5: confirmed not found. */
const notFound = (rule: DuplicateRule): Outcome =>
  rule === "U" || rule === "R"
    ? { status: "filled", received: 2, booked: 1 }
    : { status: "needs_operator", received: 1, booked: 0 }

interface Case {
  readonly what: string
  readonly fault: RequestFault
  readonly more?: FaultSwitches
  readonly outcome: (rule: DuplicateRule) => Outcome
}

// A symbol of its own for each case, because an order nobody knows the outcome of blocks its symbol.
const cases: Readonly<Record<string, Case>> = {
  LOST: {
    what: "K5: accepted, the answer lost",
    fault: { mode: "drop_after" },
    outcome: () => adopted
  },
  LATE: {
    what: "accepted, and not visible to look-ups for a while",
    fault: { mode: "drop_after" },
    more: { invisibleMs: 1_200 },
    outcome: () => adopted
  },
  AFTER: { what: "500 after the commit", fault: { mode: "error_after" }, outcome: () => adopted },
  GARBAGE: { what: "an answer that is no answer", fault: { mode: "garbage_after" }, outcome: () => adopted },
  SLOW: {
    what: "accepted, the answer later than any deadline",
    fault: { mode: "delay_after", delayMs: 8_000 },
    outcome: () => adopted
  },
  CUT: { what: "the connection cut before the commit", fault: { mode: "drop_before" }, outcome: notFound },
  BEFORE: { what: "500 before the commit", fault: { mode: "error_before" }, outcome: notFound },
  HUNG: {
    what: "taken up only after we gave up waiting",
    fault: { mode: "delay_before", delayMs: 30_000 },
    outcome: () => adopted
  },
  REFUSED: {
    what: "a documented refusal",
    fault: { mode: "refuse", code: "market_closed" },
    outcome: () => refused
  },
  STRANGE: {
    what: "a refusal with a code nobody documented",
    fault: { mode: "refuse", code: "computer_says_no" },
    outcome: notFound
  }
}

/** What came of the order of a signal, seen from both sides. */
const outcomeOf = async (world: World, signalId: string): Promise<Outcome & { readonly log: Row }> => {
  const trace = await world.service.settled(signalId, 90_000)
  assert.lengthOf(trace.orders, 1)
  const order = trace.orders[0] as Row
  const id = String(order["client_order_id"])
  const [creates] = await world.broker.creates(id)
  const booked = (await world.broker.orders(id)).length
  return {
    status: order["status"] as Outcome["status"],
    received: creates?.received ?? 0,
    booked,
    log: order
  }
}

describe.concurrent("T5 crash points of a create", () => {
  it.for(["U", "R", "O", "N"] as const)(
    "rule %s: never more than one order per intent, whatever the broker does",
    { timeout: 300_000 },
    async (rule, context) => {
      const world = await openWorld(rule, context)
      const { broker, service } = world
      const signals = new Map<string, string>()
      for (const [symbol, { fault, more, outcome }] of Object.entries(cases)) {
        await broker.faults({ create: { times: 1, ...fault }, invisibleMs: 0, ...more })
        signals.set(symbol, await post(world, symbol))
        await waitUntil(
          () => `${symbol} to be sent${service.tail()}`,
          async () => ((await broker.createFaultSpent()) ? true : undefined)
        )
        // What outlasts the one request would change the next case: orders that stay invisible, and the second send.
        if (more !== undefined || outcome(rule).received > 1) await outcomeOf(world, signals.get(symbol)!)
      }
      await broker.clearFaults()
      for (const [symbol, { what, outcome }] of Object.entries(cases)) {
        const { log, ...seen } = await outcomeOf(world, signals.get(symbol)!)
        assert.deepStrictEqual(seen, outcome(rule), `${what}: ${JSON.stringify(log)}`)
      }
      // And nothing else happened: one order per intent in the whole book, each of its fills here once.
      const book = await broker.orders()
      assert.strictEqual(new Set(book.map((order) => order.client_order_id)).size, book.length)
      const fills = await service.list("fills")
      assert.sameMembers(
        fills.map((fill) => fill["trade_id"]),
        (await broker.fills()).map((fill) => fill.trade_id)
      )
      assert.deepStrictEqual(await service.restarts(), {})
      if (rule === "O" || rule === "N") {
        const alerts = await service.list("monitoring/alerts")
        assert.isNotEmpty(alerts, "an order that needs an operator is an alert")
      }
    }
  )
})
