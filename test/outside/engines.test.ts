/**
 * Engines A, B and C from outside (D9, G5): the response names what decides, the trace has every vote, a shadow sends nothing, and an
 * agent that is paused abstains while signals are decided on.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { waitUntil } from "../support/exchange.ts"
import { alertBody } from "./service.ts"
import { World } from "./world.ts"

const strategy = { sources: ["default"], accounts: ["paper-1"], sidePolicy: "both" }
const settings = (voterUrl: string) => ({
  voters: {
    mine: {
      url: voterUrl,
      secret: "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo",
      deadlineMs: 5_000,
      failuresMax: 2,
      cooldownMs: 60_000
    }
  },
  strategies: {
    rules: { ...strategy, engine: "A", shadow: "B" },
    panel: { ...strategy, engine: "B", shadow: "A" },
    model: { ...strategy, engine: "C", voter: "mine" },
    either: { ...strategy, engine: "split", split: { bPct: 50, pins: { AAPL: "A", MSFT: "B" } } }
  },
  // Everybody is heard and nobody can keep an order from opening: whether one does must not depend on invented prices.
  panel: { threshold: -1, quorum: 4 }
})

/** The endpoint of engine C: what it answers, and what it was asked. */
const voter = { answer: "", asked: [] as Array<string> }
const endpoint = createServer((request, response) => {
  let text = ""
  request.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")))
  request.on("end", () => {
    voter.asked.push(text)
    response.writeHead(200, { "content-type": "application/json" }).end(voter.answer)
  })
})

let world: World
beforeAll(async () => {
  await new Promise<void>((listening) => endpoint.listen(0, "127.0.0.1", () => listening()))
  world = await World.open({
    settings: settings(`http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`)
  })
  await world.service.start()
}, 240_000)
afterAll(async () => {
  endpoint.closeAllConnections()
  endpoint.close()
  await world.dispose()
}, 150_000)

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
    // Each goes by the toss of its own identity: a dozen may well be all of one side.
    for (let at = 0; at < 12 || (variants.size < 2 && at < 100); at += 1) {
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

it("an endpoint of the user's own decides engine C, and is not asked when a decision is made again", async () => {
  const vote = async (answer: object, fields: Readonly<Record<string, unknown>> = {}) => {
    voter.answer = JSON.stringify(answer)
    const { decision, orders } = await decided({ strategy: "model", symbol: "SPY", ...fields })
    const [said] = decision.votes as ReadonlyArray<Vote>
    return { code: decision.reason, engine: decision.engine, said: said?.vote, order: orders[0].status }
  }
  const forIt = { vote: "long", confidence: 0.9, reasons: ["a model"] }
  const opened = { code: null, engine: "C", said: "long", order: "filled" }
  assert.deepStrictEqual(await vote(forIt), opened)
  const against = { code: "voter_against", engine: "C", said: "stay_out", order: "denied" }
  assert.deepStrictEqual(await vote({ ...forIt, vote: "stay_out" }), against)
  const silent = { code: "voter_silent", engine: "C", said: "abstain", order: "denied" }
  const lie = { ...forIt, confidence: 7 }
  assert.deepStrictEqual([await vote(lie), await vote(lie), await vote(forIt)], [silent, silent, silent])
  assert.lengthOf(voter.asked, 4, "two lies in a row opened its breaker")
  const path = encodeURIComponent("root/trading/voter:mine")
  assert.strictEqual((await world.service.get(`/api/v1/actors/${path}`)).body.state, "Open")
  const span = { from: "2020-01-01T00:00:00Z", to: "2100-01-01T00:00:00Z" }
  const again = await world.service.post("/api/v1/replay", span)
  assert.strictEqual(again.status, 202, again.text)
  const done = await waitUntil("the replay is done", async () => {
    const { body } = await world.service.get(`/api/v1/replay/${String(again.body.id)}`)
    return body.status === "running" ? undefined : body
  })
  assert.deepInclude(done, { status: "done", differences: [] })
  assert.lengthOf(voter.asked, 4, "a replay asks nobody")
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
