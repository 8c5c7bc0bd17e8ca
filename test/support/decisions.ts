/**
 * Rows and services for tests of the decision path: accounts that may trade, signals as the intake stores them.
 *
 * Promises: what is inserted passes the schema's own checks; every default is what practice mode uses.
 * Never: decides anything; expectations belong to the tests.
 */
import { randomUUID } from "node:crypto"
import { Effect, Layer } from "effect"
import type { Settings } from "../../src/domain/kernel/settings.ts"
import { versionOf } from "../../src/domain/kernel/settings-change.ts"
import { planSignal } from "../../src/domain/decision/decision.ts"
import { instrumentsOf } from "../../src/domain/kernel/instruments.ts"
import type { PlanSettings } from "../../src/domain/orders/plan-context.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import type { DatabaseService } from "../../src/layers/database/database.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { nodeEntropy } from "../../src/layers/platform/entropy.node.ts"
import { Entropy, type EntropyService } from "../../src/layers/platform/entropy.port.ts"
import { Instance, type InstanceService } from "../../src/layers/platform/instance.port.ts"
import { signalsStorePg } from "../../src/layers/decision/signals-store.pg.ts"
import {
  type Planner,
  SignalsStore,
  type SignalsStoreService
} from "../../src/layers/decision/signals-store.port.ts"
import { openFreshDatabase } from "./postgres.ts"
import { settingsFrom } from "./practice-settings.ts"
import { heldInstance } from "./instance.ts"

export const planSettings = (settings: Settings): PlanSettings => ({
  version: versionOf(settings),
  mode: settings.mode,
  symbols: settings.symbols,
  instruments: instrumentsOf(settings),
  panel: settings.panel,
  voters: settings.voters,
  brokers: settings.brokers,
  flags: settings.flags,
  sources: settings.sources,
  strategies: settings.strategies,
  accounts: settings.accounts,
  limits: { ...settings.risk, buyingPowerMultiple: settings.risk.buyingPowerMultiple ?? null },
  scopes: settings.risk.scopes
})

/** The planner of the service, with no market. */
export const plannerOf =
  (settings: Settings, mayDefer = true): Planner =>
  (signal, context) =>
    planSignal({
      signal,
      settings: planSettings(settings),
      context,
      quoteOf: () => null,
      figuresOf: () => null,
      votes: null,
      voters: null,
      chain: null,
      mayDefer
    })

/** A signals store on a database, as the node `nodeId`. */
export const storeOn = (
  database: DatabaseService,
  settings: Settings = settingsFrom(),
  nodeId: string = randomUUID(),
  instance: InstanceService = heldInstance(nodeId, randomUUID()),
  entropy: EntropyService = nodeEntropy
) =>
  Effect.map(SignalsStore, (store): SignalsStoreService => store).pipe(
    Effect.provide(
      signalsStorePg.pipe(
        Layer.provide(Layer.succeed(Database, database)),
        Layer.provide(Layer.succeed(Config, settings)),
        Layer.provide(Layer.succeed(Instance, instance)),
        Layer.provide(Layer.succeed(Entropy, entropy))
      )
    )
  )

/** A fresh database with both practice accounts, and a store on it. */
export const preparedStore = Effect.gen(function* () {
  const { database } = yield* openFreshDatabase()
  yield* insertAccounts(database)
  return { database, store: yield* storeOn(database) }
})

/** Rows of a query written out in a test. */
export const rows = <Row extends object>(database: DatabaseService, text: string) =>
  database.run("test.rows", (sql) => sql.unsafe<Row>(text))

/** Ends every lease on a signal. */
export const expireLeases = (database: DatabaseService) =>
  database.run("test.expire", (sql) => sql`UPDATE signals SET lease_until = hf_now() - interval '1 second'`)

/** Accounts with a reconciled row; `reconciled: false` leaves them not reconciled. */
export const insertAccounts = (
  database: DatabaseService,
  ids: ReadonlyArray<string> = ["paper-1", "paper-2"],
  reconciled = true
) =>
  database.run(
    "test.accounts",
    (sql) => sql`
    INSERT INTO accounts (id, venue, starting_cash, reconciled_at)
    SELECT id, 'practice', 100000, CASE WHEN ${reconciled}::boolean THEN hf_now() END FROM unnest(${ids}::text[]) AS ids (id)
    ON CONFLICT (id) DO UPDATE SET reconciled_at = excluded.reconciled_at`
  )

export interface TestSignal {
  readonly id?: string
  readonly source?: string
  readonly symbol?: string
  readonly action?: "BUY" | "SELL" | null
  readonly direction?: "LONG" | "SHORT" | "CALL" | "PUT" | null
  readonly quantity?: string | null
  readonly ageMs?: number
}

/** Stores signals as the intake does, in the order given. Returns their ids. */
export const insertSignals = (database: DatabaseService, signals: ReadonlyArray<TestSignal>) =>
  Effect.gen(function* () {
    const ids: Array<string> = []
    for (const {
      action = null,
      ageMs = 1_000,
      direction = "LONG",
      id = randomUUID(),
      quantity = null,
      source = "default",
      symbol = "SPY"
    } of signals) {
      yield* database.run(
        "test.signal",
        (sql) => sql`
        INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, symbol, action, direction, timeframe,
          fired_at, expires_from, quantity, request_id, answer)
        VALUES (${id}, 'signal', ${source}, ${id}, 'hash', ${id}, ${`{"symbol":"${symbol}"}`}::text::jsonb, ${symbol}, ${action}, ${direction}, '5m',
          hf_now() - ${ageMs}::int * interval '1 millisecond', hf_now() - ${ageMs}::int * interval '1 millisecond',
          ${quantity}::text::numeric, 'r', '{}')`
      )
      ids.push(id)
    }
    return ids
  })

/** Stores a metadata post as the intake does. Returns its signal id. */
export const insertMetadata = (
  database: DatabaseService,
  body: Record<string, unknown>,
  firedAt: Date | null = null
) =>
  Effect.gen(function* () {
    const id = randomUUID()
    yield* database.run(
      "test.metadata",
      (sql) => sql`
      INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, symbol, fired_at, request_id, answer)
      VALUES (${id}, 'metadata', 'default', ${id}, 'hash', ${id}, ${JSON.stringify(body)}::text::jsonb, 'ZRX-USD', ${firedAt}::timestamptz, 'r', '{}')`
    )
    return id
  })
