/**
 * Probing: look-ups at the venue for each breaker that is HALF_OPEN, by one process at a time.
 *
 * A probe never places an order: an order that might fail is what the breaker is there to prevent, and money is not a probe. A
 * venue that answers what an account holds and has open serves again; whether it takes orders, the first entries show, and
 * their failures open the breaker for twice as long. A strategy is probed by the brokers of its accounts.
 *
 * Promises: each probe ends within its deadline; nothing is asked, of the database either, while no breaker is HALF_OPEN.
 * Never: creates, cancels or changes anything at a venue.
 */
import { Clock, Effect } from "effect"
import { breakerLimits } from "../../domain/kernel/breaker-limits.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { type Breaker, isNews, partsOf, policyOf, probed } from "../../domain/orders/breaker.ts"
import { BreakerStore } from "../../layers/orders/breaker-store.port.ts"
import { Breakers } from "../../layers/orders/breakers.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { type BrokerConnection, Brokers } from "../../layers/venues/broker.port.ts"
import { streamActor } from "../../runtime/machine-child.ts"
import { type BreakerWatch, comparedUnless } from "./breakers-look.ts"
import { reportBreaker } from "./breaker-report.ts"

/** What a probe asks: a broker, about one of the accounts there; null where it has none. */
interface Question {
  readonly broker: string
  readonly account: string | null
}

/** One account of each broker that the breaker is about, another one with each probe. */
export const questionsOf = (
  { accounts, strategies }: Pick<Settings, "accounts" | "strategies">,
  { id, probes }: Pick<Breaker, "id" | "probes">
): ReadonlyArray<Question> => {
  const { kind, name } = partsOf(id)
  const named = kind === "broker" ? Object.keys(accounts) : (strategies[name]?.accounts ?? [])
  const byBroker = new Map<string, Array<string>>()
  if (kind === "broker") byBroker.set(name, [])
  for (const account of named) {
    const broker = accounts[account]?.broker
    if (broker === undefined || (kind === "broker" && broker !== name)) continue
    byBroker.set(broker, [...(byBroker.get(broker) ?? []), account])
  }
  return [...byBroker]
    .slice(0, breakerLimits.probeAccountsMax)
    .map(([broker, all]) => ({ broker, account: all[probes % Math.max(1, all.length)] ?? null }))
}

const ask = (connection: BrokerConnection, account: string | null) =>
  account === null
    ? Effect.asVoid(connection.activity)
    : Effect.asVoid(Effect.andThen(connection.openOrders(account), connection.positions(account)))

/** Why a venue did not answer; null when all did. */
const failureOf = (questions: ReadonlyArray<Question>) =>
  Effect.flatMap(Brokers, (brokers) =>
    Effect.forEach(questions, ({ account, broker }) => ask(brokers.get(broker), account), {
      concurrency: "unbounded",
      discard: true
    })
  ).pipe(
    Effect.as(null),
    Effect.timeoutOrElse({
      duration: breakerLimits.probeMsMax,
      orElse: () => Effect.succeed(`no answer within ${breakerLimits.probeMsMax} ms`)
    }),
    Effect.catchTag("BrokerUnavailable", ({ broker, operation, reason }) =>
      Effect.succeed(`${operation} at ${broker}: ${reason}`.slice(0, breakerLimits.reasonLengthMax))
    )
  )

/** One probe of one breaker, if this process may make it now. */
export const probeOnce = (watch: BreakerWatch, breaker: Breaker) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const store = yield* BreakerStore
    const view = yield* Breakers
    const wake = yield* Wake
    const policy = policyOf(settings, breaker.id)
    if (policy === null) return
    const claimedMs = yield* store.claimProbe(breaker, policy.probeEveryMs)
    if (claimedMs === null) return
    const beganMs = yield* Clock.currentTimeMillis
    const failure = yield* failureOf(questionsOf(settings, breaker))
    const nowMs = claimedMs + ((yield* Clock.currentTimeMillis) - beganMs)
    const change = probed(breaker, policy, failure, nowMs)
    if (change === null) return
    yield* comparedUnless(
      watch,
      Effect.gen(function* () {
        const moved = yield* store.move(breaker, change)
        if (moved === null) return
        view.change(moved)
        if (isNews(change)) yield* reportBreaker(watch.path, moved)
        else wake.notify("breakers")
      })
    )
  })

/** Fills the slot `probe`: probes every breaker that the view shows as HALF_OPEN. */
export const probeBreakers = (watch: BreakerWatch) =>
  streamActor("breakers.probe", () =>
    Effect.gen(function* () {
      const view = yield* Breakers
      const round = Effect.suspend(() => {
        const half = [...(view.current()?.values() ?? [])].filter(
          ({ breaker }) => breaker.state === "HALF_OPEN"
        )
        return Effect.forEach(half, ({ breaker }) => probeOnce(watch, breaker), {
          concurrency: "unbounded",
          discard: true
        })
      }).pipe(
        // The claim of a probe that was not stored ends by itself, and another one follows.
        Effect.catchTag("DatabaseUnavailable", () => Effect.void)
      )
      return yield* Effect.forever(Effect.andThen(Effect.sleep(breakerLimits.probeLookMs), round))
    })
  )
