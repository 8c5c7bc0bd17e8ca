/**
 * Brokers of the configuration: one connection per entry of `brokers`, chosen by its kind.
 *
 * Promises: every configured broker has a connection from the start, whether its venue is up or not; the address of an
 * embedded venue is looked up at each call.
 * Never: connects; that is the business of whoever uses a connection.
 * Failure: a name that is not configured is a bug and dies.
 */
import { Effect, Layer } from "effect"
import { invariant } from "../../domain/kernel/invariant.ts"
import { makePaperConnection } from "./broker.paper.ts"
import { type BrokerConnection, Brokers } from "./broker.port.ts"
import { Config } from "../platform/config.port.ts"
import { PaperVenues } from "./paper-venue.port.ts"

export const layerConfiguredBrokers: Layer.Layer<Brokers, never, Config | PaperVenues> = Layer.effect(
  Brokers,
  Effect.gen(function* () {
    const settings = yield* Config
    const venues = yield* PaperVenues
    const connections = new Map<string, BrokerConnection>()
    for (const [name, { propagationMs, rule, url }] of Object.entries(settings.brokers)) {
      const address = () => url ?? venues.addressOf(name)
      connections.set(name, yield* makePaperConnection({ name, venue: name, rule, propagationMs, address }))
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
