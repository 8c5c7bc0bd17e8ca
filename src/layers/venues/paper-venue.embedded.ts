/**
 * Embedded paper venue: the peer program of peers/paper-broker, started inside this process.
 *
 * `npm start` on a fresh machine must give an account that trades without a second program. The venue keeps its book in a
 * schema of its own next to our tables, with a pool of its own, and we talk to it over loopback as to any external venue.
 *
 * Promises: one venue per broker name; its book survives us, because the schema is named after the broker and not after
 * the process; accounts start with the configured cash, those that a reload adds as well; trades cost the
 * configured fees.
 * Never: hands the venue anything of ours but the address of the database.
 * Failure: `PaperVenueFailed` when it cannot listen or dies; a database that is away is the venue's own business.
 */
import { Deferred, Effect, Layer } from "effect"
import { type PaperBrokerOptions, venueDefaults } from "../../../peers/paper-broker/options.ts"
import { startPaperBroker } from "../../../peers/paper-broker/venue.ts"
import { instrumentsOf } from "../../domain/kernel/instruments.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { feeOf } from "../../domain/kernel/venue-fee.ts"
import { Config } from "../platform/config.port.ts"
import { type DatabaseTarget, urlOf } from "../database/database-target.ts"
import { PaperVenueFailed, PaperVenues, type PaperVenuesService } from "./paper-venue.port.ts"
import { PostgresServer } from "../database/postgres-server.port.ts"

/** The broker that practice mode configures by itself has the plain name; a second venue gets a suffix. */
const schemaOf = (broker: string): string =>
  broker === "practice" ? venueDefaults.schema : `${venueDefaults.schema}_${broker.replaceAll("-", "_")}`

/** The schemas in which the venues of these settings keep their books. */
export const venueSchemasOf = ({ brokers }: Settings): ReadonlyArray<string> =>
  Object.entries(brokers).flatMap(([name, { url }]) => (url === null ? [schemaOf(name)] : []))

/** Starting cash by account, as it is in the settings now: computed once for each settings in force. */
const startingCash = (settings: Settings, broker: string): (() => PaperBrokerOptions["accounts"]) => {
  let of: Settings["accounts"] | null = null
  let cash: PaperBrokerOptions["accounts"] = {}
  return () => {
    const { accounts } = settings
    if (accounts !== of) {
      of = accounts
      const own = Object.entries(accounts).filter(([, account]) => account.broker === broker)
      cash = Object.fromEntries(own.map(([id, account]) => [id, account.startingCash]))
    }
    return cash
  }
}

const optionsOf = (settings: Settings, target: DatabaseTarget, broker: string): PaperBrokerOptions => {
  const cash = startingCash(settings, broker)
  return {
    ...venueDefaults,
    databaseUrl: urlOf(target),
    schema: schemaOf(broker),
    rule: settings.brokers[broker]?.rule ?? venueDefaults.rule,
    venue: broker,
    seed: settings.market.seed,
    // By the settings of the moment, as for accounts.
    feeOf: (trade) =>
      feeOf(settings.brokers[broker]?.fees ?? {}, instrumentsOf(settings).of(trade.symbol), trade),
    // An account that a reload adds is known to a venue that runs already.
    get accounts() {
      return cash()
    }
  }
}

/** Builds the launcher; nothing starts until `launch`. */
export const makeEmbeddedVenues = (settings: Settings, target: DatabaseTarget): PaperVenuesService => {
  const addresses = new Map<string, string>()
  return {
    addressOf: (broker) => addresses.get(broker) ?? null,
    launch: (broker) =>
      Effect.gen(function* () {
        const failed = (reason: string) => new PaperVenueFailed({ broker, reason })
        const venue = yield* startPaperBroker(optionsOf(settings, target, broker)).pipe(
          Effect.mapError(({ port, code }) => failed(`cannot listen on port ${port}: ${code}`))
        )
        const published = yield* Deferred.make<void>()
        // An address is published once orders are accepted there: until then a create is better not sent than unknown.
        yield* Effect.forkScoped(
          Effect.andThen(
            venue.serving,
            Effect.suspend(() => {
              addresses.set(broker, venue.url)
              return Deferred.succeed(published, undefined)
            })
          )
        )
        // The next venue may be up before this one is quite down.
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => addresses.get(broker) === venue.url && addresses.delete(broker))
        )
        const ended = venue.ended.pipe(Effect.mapError(({ reason }) => failed(reason)))
        return { url: venue.url, serving: Deferred.await(published), ended }
      })
  }
}

export const layerEmbeddedVenues: Layer.Layer<PaperVenues, never, Config | PostgresServer> = Layer.effect(
  PaperVenues,
  Effect.gen(function* () {
    const settings = yield* Config
    const server = yield* PostgresServer
    return makeEmbeddedVenues(settings, server.target)
  })
)
