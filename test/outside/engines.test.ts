/**
 * Engines A and B from outside (D9, G5): the response names what decides, the trace has every vote, a shadow sends nothing, and an
 * agent that is paused abstains while signals are decided on.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody } from "./service.ts"
import { World } from "./world.ts"

const strategy = { sources: ["default"], accounts: ["paper-1"], sidePolicy: "both" }
const settings = {
  strategies: {
    rules: { ...strategy, engine: "A", shadow: "B" },
    panel: { ...strategy, engine: "B", shadow: "A" },
    either: { ...strategy, engine: "split", split: { bPct: 50, pins: { AAPL: "A", MSFT: "B" } } }
  },
  // Everybody is heard and nobody can keep an order from opening: whether one does must not depend on invented prices.
  panel: { threshold: -1, quorum: 4 }
}

let world: World
beforeAll(async () => {
  world = await World.open({ settings })
  await world.service.start()
}, 120_000)
afterAll(() => world.dispose(), 60_000)

const decided = async (fields: Readonly<Record<string, unknown>>) => {
  const answer = await world.service.post("/webhook", alertBody(fields))
  assert.strictEqual(answer.status, 201, answer.text)
  const trace = await world.service.settled(String(answer.body.signal_id), 60_000)
  return { answer: answer.body, decision: trace.decision, orders: trace.orders }
}
interface Vote {
  readonly agent: string
  readonly vote: string
  readonly confidence: number
  readonly reasons: ReadonlyArray<string>
}

describe("a signal that engine B decides", () => {
  it("is answered with the engine that will decide it, and has the vote of every agent", async () => {
    const { answer, decision, orders } = await decided({ strategy: "panel" })
    assert.deepStrictEqual([answer.experiment_id, answer.variant, decision.engine], ["panel", "B", "B"])
    const votes = decision.votes as ReadonlyArray<Vote>
    assert.deepStrictEqual(
      votes.map(({ agent }) => agent),
      ["liquidity", "regime", "risk", "trend", "volatility"]
    )
    for (const { confidence, reasons } of votes) {
      assert.isTrue(confidence >= 0 && confidence <= 1)
      assert.isAbove(reasons.length, 0)
    }
    const check = decision.checks.find((one: { readonly check: string }) => one.check === "votes")
    assert.deepInclude(check, { ok: true, strategy: "panel" })
    assert.isAtLeast(check.numbers.voters, 4)
    assert.deepStrictEqual([orders.length, orders[0].status], [1, "filled"])
    assert.deepInclude(decision.shadow[0], { engine: "A", strategy: "panel", would: "order" })
  })

  it("of an experiment is the same engine for the same signal, and a pinned instrument has its own", async () => {
    const variants = new Set<string>()
    for (let at = 0; at < 12; at += 1) {
      const { answer, decision } = await decided({ strategy: "either", symbol: "SPY" })
      assert.strictEqual(answer.variant, decision.engine)
      variants.add(answer.variant)
    }
    assert.deepStrictEqual([...variants].toSorted(), ["A", "B"])
    for (const [symbol, engine] of [
      ["NASDAQ:AAPL", "A"],
      ["MSFT", "B"]
    ])
      assert.strictEqual((await decided({ strategy: "either", symbol })).answer.variant, engine)
  })
})

it("a shadow judges what A orders, and no order of it is anywhere", async () => {
  const { decision, orders } = await decided({ strategy: "rules" })
  assert.deepInclude(decision.shadow[0], { engine: "B", strategy: "rules", would: "order" })
  assert.isNumber(decision.shadow[0].score)
  assert.lengthOf(orders, 1)
  assert.lengthOf(decision.votes, 5)
})

it("an agent that is paused abstains by name, and with too few of them nothing opens", async () => {
  const agent = (name: string, command: "pause" | "resume") =>
    world.service.post(`/api/v1/actors/${encodeURIComponent(`root/trading/agents/${name}`)}/${command}`, {
      reason: "to see it missing"
    })
  const paused = ["trend", "risk"]
  for (const name of paused) assert.strictEqual((await agent(name, "pause")).status, 202)
  const { decision, orders } = await decided({ strategy: "panel" })
  const silent = (decision.votes as ReadonlyArray<Vote>).filter(
    ({ reasons }) => reasons[0] === "it does not run"
  )
  assert.deepStrictEqual(silent.map(({ agent: name }) => name).toSorted(), paused.toSorted())
  assert.deepStrictEqual(
    [decision.outcome, decision.reason, orders[0].status],
    ["denied", "votes_quorum", "denied"]
  )
  for (const name of paused) assert.strictEqual((await agent(name, "resume")).status, 202)
  await waitUntil("the agents to vote again", async () =>
    (await decided({ strategy: "panel" })).decision.outcome === "ordered" ? true : undefined
  )
})

it("the engines are compared by what their signals came to", async () => {
  const { items } = (await world.service.get("/api/v1/experiments")).body
  const of = (id: string, engine: string) =>
    items.find((one: Record<string, unknown>) => one["experiment_id"] === id && one["engine"] === engine)
  assert.deepInclude(of("rules", "A"), { signals: 1, ordered: 1, denied: 0, orders: 1 })
  assert.deepInclude(of("rules", "A").shadow, { engine: "B", orders: 1, agreed: 1, agreement: 1 })
  assert.strictEqual(of("panel", "B").denied, 1)
  assert.isAbove(of("either", "A").signals + of("either", "B").signals, 13)
})
