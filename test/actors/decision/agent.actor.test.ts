/** Agents that hang, die and lie, on a virtual clock: a decision has its votes in time, and what is missing is shown. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { agentActor, type Think } from "../../../src/actors/decision/agent.actor.ts"
import { type AgentName, AGENTS, type Opinion } from "../../../src/domain/decision/agents.ts"
import type { Vote } from "../../../src/domain/decision/panel.ts"
import type { BarsRequest } from "../../../src/domain/market/bar.ts"
import { Panel, panelLimits } from "../../../src/layers/decision/panel.port.ts"
import { BarsUnavailable, Market, type MarketService } from "../../../src/layers/market/market.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

const yes: Opinion = { vote: "enter", confidence: 0.5, reasons: ["a test"] }
const within = 250
const barMs = 60_000

const openWorld = (thinks: Partial<Record<AgentName, Think>>, without: ReadonlyArray<AgentName> = []) =>
  Effect.gen(function* () {
    const asked: Array<BarsRequest> = []
    const state = { bars: true }
    const market = {
      quote: () => null,
      bars: (request: BarsRequest) =>
        Effect.suspend(() => {
          asked.push(request)
          return state.bars ? Effect.succeed([]) : Effect.fail(new BarsUnavailable({ reason: "a test" }))
        })
    } as unknown as MarketService
    const context = yield* Layer.build(Panel.layer.pipe(Layer.provide(Layer.succeed(Market, market))))
    const tree = yield* Effect.provide(
      startTree(
        supervisor({
          id: "root",
          children: AGENTS.filter((agent) => !without.includes(agent)).map((agent) =>
            worker({ id: agent, start: agentActor(agent, thinks[agent] ?? (() => Effect.succeed(yes))) })
          )
        }),
        { stopDeadlineMs: 5_000 }
      ),
      context
    )
    const panel = yield* Effect.provide(Panel, context)
    /** Asks, and lets so much time pass; the answer has come by then. */
    const ask = (symbol = "SPY", passMs = 0) =>
      Effect.gen(function* () {
        const asking = yield* Effect.forkChild(panel.ask({ symbol, barMs, withinMs: within }))
        yield* TestClock.adjust(passMs)
        return new Map((yield* Fiber.join(asking)).map((vote) => [vote.agent, vote]))
      })
    const child = (id: string) => tree.snapshot().children.find(({ path }) => path === `root/${id}`)
    return { ask, asked, child, state }
  })

const others = (votes: ReadonlyMap<string, Vote>, but: AgentName) =>
  AGENTS.filter((agent) => agent !== but).every((agent) => votes.get(agent)?.vote === "enter")

describe("[D9] the agents of engine B", () => {
  it.effect("all answer, and the bars of a symbol are read once per bar", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, asked } = yield* openWorld({})
        for (const symbol of ["SPY", "SPY", "QQQ"]) {
          const votes = yield* ask(symbol)
          assert.deepStrictEqual([...votes.keys()], [...AGENTS])
          assert.isTrue([...votes.values()].every(({ vote }) => vote === "enter"))
        }
        assert.deepStrictEqual(
          asked.map(({ symbol }) => symbol),
          ["SPY", "QQQ"]
        )
        yield* TestClock.adjust(barMs)
        yield* ask("SPY")
        assert.lengthOf(asked, 3, "a bar has ended")
      })
    )
  )

  it.effect("who hangs abstains when the time is over, is not waited for again, and is left to rest", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, child } = yield* openWorld({ trend: () => Effect.never })
        const first = yield* ask("SPY", within)
        assert.deepInclude(first.get("trend"), {
          vote: "abstain",
          reasons: [`it did not answer within ${within} ms`]
        })
        assert.isTrue(others(first, "trend"))
        yield* TestClock.adjust(1)
        const second = yield* ask("SPY")
        assert.deepInclude(second.get("trend"), {
          vote: "abstain",
          reasons: ["it is busy with an earlier question"]
        })
        yield* TestClock.adjust(panelLimits.answerMsMax)
        assert.strictEqual(child("trend")?.state, "BackingOff")
        assert.deepInclude((yield* ask("SPY")).get("trend"), { reasons: ["it does not run"] })
        yield* TestClock.adjust(panelLimits.answerMsMax)
        assert.strictEqual(child("trend")?.state, "Listening")
      })
    )
  )

  it.effect("who dies abstains, is restarted by its supervisor, and takes the next question", () =>
    Effect.scoped(
      Effect.gen(function* () {
        let dies = true
        const { ask, child } = yield* openWorld({
          risk: () => Effect.suspend(() => (dies ? Effect.die(new Error("a defect")) : Effect.succeed(yes)))
        })
        const votes = yield* ask("SPY", within)
        assert.strictEqual(votes.get("risk")?.vote, "abstain")
        assert.isTrue(others(votes, "risk"))
        dies = false
        yield* TestClock.adjust(10_000)
        assert.strictEqual(child("risk")?.restarts, 1)
        assert.strictEqual((yield* ask("SPY")).get("risk")?.vote, "enter")
      })
    )
  )

  it.effect("who lies abstains: nobody is a million sure", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask } = yield* openWorld({
          volatility: () => Effect.succeed({ ...yes, confidence: 1e6 }),
          regime: () => Effect.succeed({ ...yes, confidence: Number.NaN })
        })
        const votes = yield* ask()
        assert.deepStrictEqual(
          AGENTS.map((agent) => votes.get(agent)?.vote),
          ["enter", "abstain", "enter", "enter", "abstain"]
        )
      })
    )
  )

  it.effect("who does not run, and all of them without bars, are not waited for", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, state } = yield* openWorld({}, ["liquidity"])
        assert.deepInclude((yield* ask()).get("liquidity"), { vote: "abstain", reasons: ["it does not run"] })
        state.bars = false
        const votes = yield* ask("ELSE")
        assert.isTrue([...votes.values()].every(({ reasons }) => reasons[0] === "the market gave no bars"))
      })
    )
  )
})
