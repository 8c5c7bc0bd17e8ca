/**
 * Brokers of the configuration: one connection per entry of `brokers`. The paper broker is the only kind so far.
 *
 * A reload adds, changes and removes entries. A connection is made when it is first asked for and again when its entry has
 * changed; who uses it keeps the one it got until it is restarted, so the former ones stay open until they are released.
 *
 * Promises: every configured broker has a connection, whether its venue is up or not; the address of an embedded venue is looked
 * up at each call; every figure passes the gate (broker.gate.ts), and every call is counted for the circuit breaker of its
 * broker (broker.counted.ts).
 * Never: connects; that is the business of whoever uses a connection.
 * Failure: a name that was never configured is a bug and dies.
 */
import { Effect, Exit, Layer, Scope } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import type { BrokerSettings } from "../../domain/kernel/settings.ts"
import { isSameSetting } from "../../domain/kernel/settings-change.ts"
import { Alerts } from "../alerts/alerts.port.ts"
import { Database } from "../database/database.port.ts"
import { Breakers } from "../orders/breakers.port.ts"
import { counted } from "./broker.counted.ts"
import { gated } from "./broker.gate.ts"
import { makeNullConnection } from "./broker.null.ts"
import { makePaperConnection } from "./broker.paper.ts"
import { type BrokerConnection, Brokers } from "./broker.port.ts"
import { Config } from "../platform/config.port.ts"
import { PaperVenues } from "./paper-venue.port.ts"

interface Made {
  readonly broker: BrokerSettings
  readonly connection: BrokerConnection
  readonly scope: Scope.Closeable
}

export const layerConfiguredBrokers: Layer.Layer<
  Brokers,
  never,
  Alerts | Breakers | Config | Database | PaperVenues
> = Layer.effect(
  Brokers,
  Effect.gen(function* () {
    const settings = yield* Config
    const canary = gated(yield* makeNullConnection(CANARY, yield* Database), yield* Alerts)
    const venues = yield* PaperVenues
    const alerts = yield* Alerts
    const breakers = yield* Breakers
    const whole = yield* Effect.scope
    const run = Effect.runSyncWith(yield* Effect.context<never>())
    // By name; both are bounded by the entries of the settings, and by the reloads that were not released yet.
    const made = new Map<string, Made>()
    const replaced = new Set<Made>()
    const make = (name: string, broker: BrokerSettings): Made => {
      const { propagationMs, rule, url } = broker
      const address = () => url ?? venues.addressOf(name)
      const scope = run(Scope.fork(whole))
      const connection = run(
        makePaperConnection({ name, venue: name, rule, propagationMs, address }).pipe(Scope.provide(scope))
      )
      return { broker, scope, connection: counted(gated(connection, alerts), breakers) }
    }
    const get = (name: string): BrokerConnection => {
      // In nobody's settings, and no failure of it counts for a circuit breaker.
      if (name === CANARY) return canary
      const there = made.get(name)
      const broker = Object.hasOwn(settings.brokers, name) ? settings.brokers[name] : there?.broker
      invariant(broker !== undefined, "a requested broker is configured", { name })
      if (there !== undefined && isSameSetting(there.broker, broker)) return there.connection
      const one = make(name, broker)
      if (there !== undefined) replaced.add(there)
      made.set(name, one)
      return one.connection
    }
    return {
      get,
      release: Effect.suspend(() => {
        for (const [name, one] of made) {
          if (Object.hasOwn(settings.brokers, name)) continue
          made.delete(name)
          replaced.add(one)
        }
        const over = [...replaced]
        replaced.clear()
        return Effect.forEach(over, ({ scope }) => Scope.close(scope, Exit.void), { discard: true })
      })
    }
  })
)
