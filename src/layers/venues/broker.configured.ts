/**
 * Brokers of the configuration: one connection per entry of `brokers`. The paper broker is the only kind so far.
 *
 * Promises: every configured broker has a connection from the start, whether its venue is up or not; the address of an
 * embedded venue is looked up at each call; every figure passes the gate (broker.gate.ts), and every call is counted for the
 * circuit breaker of its broker (broker.counted.ts).
 * Never: connects; that is the business of whoever uses a connection.
 * Failure: a name that is not configured is a bug and dies.
 */
import { Effect, Layer } from "effect"
import { invariant } from "../../domain/kernel/invariant.ts"
import { Alerts } from "../alerts/alerts.port.ts"
import { Breakers } from "../orders/breakers.port.ts"
import { counted } from "./broker.counted.ts"
import { gated } from "./broker.gate.ts"
import { makePaperConnection } from "./broker.paper.ts"
import { type BrokerConnection, Brokers } from "./broker.port.ts"
import { Config } from "../platform/config.port.ts"
import { PaperVenues } from "./paper-venue.port.ts"

export const layerConfiguredBrokers: Layer.Layer<Brokers, never, Alerts | Breakers | Config | PaperVenues> =
  Layer.effect(
    Brokers,
    Effect.gen(function* () {
      const settings = yield* Config
      const venues = yield* PaperVenues
      const alerts = yield* Alerts
      const breakers = yield* Breakers
      const connections = new Map<string, BrokerConnection>()
      for (const [name, { propagationMs, rule, url }] of Object.entries(settings.brokers)) {
        const address = () => url ?? venues.addressOf(name)
        const connection = yield* makePaperConnection({ name, venue: name, rule, propagationMs, address })
        connections.set(name, counted(gated(connection, alerts), breakers))
      }
      return {
        names: [...connections.keys()],
        get: (name) => {
          const connection = connections.get(name)
          invariant(connection !== undefined, "a requested broker is configured", { name })
          return connection
        }
      }
    })
  )
