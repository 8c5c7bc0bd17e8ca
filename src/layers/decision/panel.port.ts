/**
 * Panel: where a decision asks the agents of engine B, and where they get their questions (D9).
 *
 * Each agent is a component of its own, so that one that hangs or dies is seen, restarted and missed by nobody else. What is asked
 * is put to all of them at once; whoever has not answered when the time is over abstains.
 *
 * Promises: `ask` never fails and ends within its time; it has one vote of every agent; an agent that is still busy with an
 * earlier question is not waited for; the bars of a symbol are asked for once per bar.
 * Never: forms an opinion.
 */
import { Clock, Context, Deferred, Effect, Layer, Option, Queue } from "effect"
import {
  AGENT_BARS,
  type AgentName,
  type AgentQuestion,
  AGENTS,
  type Opinion
} from "../../domain/decision/agents.ts"
import { abstention, type Vote, voteIn } from "../../domain/decision/panel.ts"
import type { Bar } from "../../domain/market/bar.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import { Market, type MarketService } from "../market/market.port.ts"

export const panelLimits = {
  /** Questions that wait for one agent: the symbols of a batch. */
  waitingMax: 64,
  /** Symbols whose bars are remembered. */
  symbolsMax: 500,
  /** An agent that works on one question for longer than this hangs. */
  answerMsMax: 5_000,
  /** A decision that only compares waits no longer than this, whatever the setting for one that counts. */
  compareMsMax: 25
} as const

/** A question as an agent gets it. */
export interface Asked {
  readonly question: AgentQuestion
  readonly answer: (opinion: Opinion) => void
}

export interface PanelQuestion {
  readonly symbol: string
  readonly barMs: number
  /** How long to wait. */
  readonly withinMs: number
}

export interface PanelService {
  readonly ask: (question: PanelQuestion) => Effect.Effect<ReadonlyArray<Vote>>
  /** The agent takes questions for as long as its scope; for its component alone. */
  readonly next: (agent: AgentName) => Effect.Effect<Asked>
  /** Called when the agent begins to take questions, and to end it. */
  readonly attend: (agent: AgentName) => () => void
}

interface Seat {
  readonly questions: Queue.Queue<Asked>
  attending: number
  /** When the question in work was taken, on the monotonic clock; null while there is none. */
  busySinceMs: number | null
}

type BarsOf = (symbol: string, barMs: number) => Effect.Effect<ReadonlyArray<Bar> | null>

/** Bars by symbol until the next one ends; null when the market gives none. */
const remembering = (market: MarketService): BarsOf => {
  const known = new Map<string, { readonly bars: ReadonlyArray<Bar>; readonly untilMs: number }>()
  return (symbol, barMs) =>
    Effect.gen(function* () {
      const atMs = yield* Clock.currentTimeMillis
      const key = `${barMs} ${symbol}`
      const found = known.get(key)
      if (found !== undefined && atMs < found.untilMs) return found.bars
      const read = yield* Effect.option(market.bars({ symbol, timeframeMs: barMs, count: AGENT_BARS, atMs }))
      if (Option.isNone(read)) return null
      known.delete(key)
      const [oldest] = known.keys()
      if (known.size >= panelLimits.symbolsMax && oldest !== undefined) known.delete(oldest)
      known.set(key, { bars: read.value, untilMs: (Math.floor(atMs / barMs) + 1) * barMs })
      return read.value
    })
}

const nowMs = Effect.map(Clock.Clock, (clock) => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)

const openSeats = Effect.gen(function* () {
  const seats = new Map<AgentName, Seat>()
  for (const agent of AGENTS)
    seats.set(agent, {
      questions: yield* Queue.dropping<Asked>(panelLimits.waitingMax),
      attending: 0,
      busySinceMs: null
    })
  return (agent: AgentName): Seat => {
    const seat = seats.get(agent)
    invariant(seat !== undefined, "every agent has a seat", { agent })
    return seat
  }
})

/** Why an agent need not be asked; null when it is. */
const absence = (seat: Seat, atMs: number, withinMs: number): string | null => {
  if (seat.attending === 0) return "it does not run"
  return seat.busySinceMs !== null && atMs - seat.busySinceMs > withinMs
    ? "it is busy with an earlier question"
    : null
}

const askOne = (agent: AgentName, seat: Seat, question: AgentQuestion, withinMs: number) =>
  Effect.gen(function* () {
    const fromMs = yield* nowMs
    const why = absence(seat, fromMs, withinMs)
    if (why !== null) return abstention(agent, why, 0)
    const done = yield* Deferred.make<Opinion>()
    const answer = (opinion: Opinion): void => void Deferred.doneUnsafe(done, Effect.succeed(opinion))
    if (!(yield* Queue.offer(seat.questions, { question, answer })))
      return abstention(agent, "too many questions wait for it", 0)
    const opinion = yield* Effect.timeoutOption(Deferred.await(done), withinMs)
    const ms = Math.round(((yield* nowMs) - fromMs) * 10) / 10
    return Option.isNone(opinion)
      ? abstention(agent, `it did not answer within ${withinMs} ms`, ms)
      : voteIn(agent, opinion.value, ms)
  })

const freshQuote = (market: MarketService, symbol: string, atMs: number): AgentQuestion["quote"] => {
  const found = market.quote(symbol)
  return found !== null && atMs - found.at.getTime() <= ageLimits.quoteAgeMsMax
    ? { bid: found.bid, ask: found.ask }
    : null
}

const makePanel = Effect.gen(function* () {
  const market = yield* Market
  const seatOf = yield* openSeats
  const barsOf = remembering(market)
  const service: PanelService = {
    ask: ({ barMs, symbol, withinMs }) =>
      Effect.gen(function* () {
        const fromMs = yield* nowMs
        const bars = Option.getOrNull(yield* Effect.timeoutOption(barsOf(symbol, barMs), withinMs))
        if (bars === null) return AGENTS.map((agent) => abstention(agent, "the market gave no bars", 0))
        const quote = freshQuote(market, symbol, yield* Clock.currentTimeMillis)
        const leftMs = Math.max(1, Math.round(withinMs - ((yield* nowMs) - fromMs)))
        return yield* Effect.forEach(
          AGENTS,
          (agent) => askOne(agent, seatOf(agent), { symbol, bars, quote }, leftMs),
          { concurrency: AGENTS.length }
        )
      }),
    next: (agent) =>
      Effect.gen(function* () {
        const seat = seatOf(agent)
        seat.busySinceMs = null
        const asked = yield* Queue.take(seat.questions)
        seat.busySinceMs = yield* nowMs
        return asked
      }),
    attend: (agent) => {
      const seat = seatOf(agent)
      seat.attending += 1
      return () => {
        seat.attending -= 1
        seat.busySinceMs = null
      }
    }
  }
  return service
})

export class Panel extends Context.Service<Panel, PanelService>()("holdfast/layers/Panel") {
  static readonly layer: Layer.Layer<Panel, never, Market> = Layer.effect(Panel, makePanel)
}
