/**
 * Pipeline votes: what the engines that vote are asked before a batch is decided.
 *
 * Outside of any transaction, and all at once: the agents of engine B about each symbol, the endpoints of engine C about each
 * signal, and the market about the option contracts that a strategy chooses among.
 *
 * Promises: it ends within the longest deadline of the settings; who only compares is not waited for as long, and not asked at all
 * while the process has too much to do.
 * Never: fails, or asks about a signal that only closes (T6).
 */
import { Clock, Effect, Option } from "effect"
import { asksChain, asksPanel, asksVoters } from "../../domain/decision/facts.ts"
import type { Vote } from "../../domain/decision/panel.ts"
import { questionOf } from "../../domain/decision/voter.ts"
import { claimLimits } from "../../domain/kernel/limits-signals.ts"
import { chooseListed, type ListedContract } from "../../domain/market/option-chain.ts"
import { instrumentName } from "../../domain/kernel/symbol-map.ts"
import type { PlanSettings } from "../../domain/orders/plan-context.ts"
import { Panel, panelLimits } from "../../layers/decision/panel.port.ts"
import type { ClaimedSignal } from "../../layers/decision/signals-store.port.ts"
import { Voters } from "../../layers/decision/voters.port.ts"
import { Market } from "../../layers/market/market.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Shedding } from "../../layers/platform/shedding.port.ts"
import { freshQuote } from "../execution/plan-input.ts"

type Signals = ReadonlyArray<Extract<ClaimedSignal, { readonly kind: "signal" }>>

/** What was answered; nothing where nobody was asked. */
export interface Asked {
  /** By instrument: the agents of engine B. */
  readonly votes: ReadonlyMap<string, ReadonlyArray<Vote>>
  /** By signal: the endpoints of engine C. */
  readonly voters: ReadonlyMap<string, ReadonlyArray<Vote>>
  /** By signal: the option contracts that are listed; none where nobody answered. */
  readonly chains: ReadonlyMap<string, ReadonlyArray<ListedContract>>
}

/** Asks the agents about the symbols whose signals they decide, or are to be compared on. */
const askAgents = (settings: PlanSettings, signals: Signals) =>
  Effect.gen(function* () {
    const panel = yield* Panel
    const shedding = yield* Shedding
    const { barMs, deadlineMs } = settings.panel
    const asked = new Map<string, number>()
    for (const { signal } of signals) {
      const why = asksPanel(signal, settings)
      if (why === "never" || (why === "compares" && !shedding.may("shadow"))) continue
      const symbol = instrumentName(signal.symbol, settings)
      const withinMs = why === "decides" ? deadlineMs : Math.min(deadlineMs, panelLimits.compareMsMax)
      asked.set(symbol, Math.max(withinMs, asked.get(symbol) ?? 0))
    }
    const votes = yield* Effect.forEach(
      asked,
      ([symbol, withinMs]) =>
        Effect.map(panel.ask({ symbol, barMs, withinMs }), (found) => [symbol, found] as const),
      { concurrency: "unbounded" }
    )
    return new Map(votes)
  })

/** Puts each signal to the endpoints that decide it, or are to be compared on it. */
const askVoters = (settings: PlanSettings, signals: Signals) =>
  Effect.gen(function* () {
    const voters = yield* Voters
    const shedding = yield* Shedding
    const inForce = (yield* Config).voters
    const nowMs = yield* Clock.currentTimeMillis
    const quoteOf = freshQuote(yield* Market, nowMs)
    const { mode } = settings
    const questions = signals.flatMap(({ signal }) =>
      asksVoters(signal, settings).flatMap((asked) => {
        const voter = inForce[asked.voter]
        if (voter === undefined || (!asked.decides && !shedding.may("shadow"))) return []
        const symbol = instrumentName(signal.symbol, settings)
        const question = questionOf(signal, asked, { mode, nowMs, symbol, quote: quoteOf(symbol) })
        return [
          {
            id: signal.id,
            name: asked.voter,
            question,
            withinMs: asked.decides ? voter.deadlineMs : voter.shadowDeadlineMs
          }
        ]
      })
    )
    const votes = yield* Effect.forEach(
      questions,
      ({ id, name, question, withinMs }) =>
        Effect.map(voters.ask(name, question, withinMs), (vote) => [id, vote] as const),
      { concurrency: "unbounded" }
    )
    const bySignal = new Map<string, ReadonlyArray<Vote>>()
    for (const [id, vote] of votes) bySignal.set(id, [...(bySignal.get(id) ?? []), vote])
    return bySignal
  })

/** The contracts that a strategy may choose among, with a quote of the one that each would: it is what its order is judged by. */
const askChains = (settings: PlanSettings, signals: Signals) =>
  Effect.gen(function* () {
    const market = yield* Market
    const atMs = yield* Clock.currentTimeMillis
    const one = ({ signal }: Signals[number]) =>
      Effect.gen(function* () {
        const right = asksChain(signal, settings)
        if (right === null) return null
        const underlying = instrumentName(signal.symbol, settings)
        const chain = yield* market.chain({ underlying, right, atMs })
        const { expiration, strike } = signal
        for (const { options } of Object.values(settings.strategies)) {
          if (options === null) continue
          const choice = chooseListed({ underlying, right, strike, expiration }, options, chain, atMs)
          if (choice._tag === "Chosen") yield* market.lookUp(choice.contract.symbol, claimLimits.enrichMsMax)
        }
        return [signal.id, chain] as const
      }).pipe(
        Effect.timeoutOption(claimLimits.enrichMsMax),
        Effect.map(Option.getOrNull),
        Effect.orElseSucceed(() => null)
      )
    const found = yield* Effect.forEach(signals, one, { concurrency: "unbounded" })
    return new Map(found.flatMap((entry) => (entry === null ? [] : [entry])))
  })

/** Asks whoever votes on these signals, and what is listed for them. */
export const askEngines = (settings: PlanSettings, signals: Signals) =>
  Effect.map(
    Effect.all([askAgents(settings, signals), askVoters(settings, signals), askChains(settings, signals)], {
      concurrency: 3
    }),
    ([votes, voters, chains]): Asked => ({ votes, voters, chains })
  )
