/**
 * The HTTP world on a PostgreSQL database of its own: the real intake store and the real read store.
 *
 * What the memory twin cannot show is here: what is in the tables after a response, what a page of a list is, and what
 * the response is when the database goes away.
 */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Database, type DatabaseService } from "../../src/layers/database/database.port.ts"
import { makeStatementLedger } from "../../src/layers/database/database-statements.ts"
import { accountsStorePg } from "../../src/layers/accounts/accounts-store.pg.ts"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.port.ts"
import { auditStorePg } from "../../src/layers/control/audit-store.pg.ts"
import { AuditStore, type AuditStoreService } from "../../src/layers/control/audit-store.port.ts"
import { fillsStorePg } from "../../src/layers/orders/fills-store.pg.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { orderCommandsPg } from "../../src/layers/orders/order-commands.pg.ts"
import { OrderCommands } from "../../src/layers/orders/order-commands.port.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { deadLettersPg } from "../../src/layers/signals/dead-letters.pg.ts"
import { DeadLetters } from "../../src/layers/signals/dead-letters.port.ts"
import { IntakeStorePg } from "../../src/layers/signals/intake-store.pg.ts"
import { IntakeStore } from "../../src/layers/signals/intake-store.port.ts"
import { ReadStorePg } from "../../src/layers/health/read-store.pg.ts"
import { ReadStore } from "../../src/layers/health/read-store.port.ts"
import { tradingStateStorePg } from "../../src/layers/control/trading-state-store.pg.ts"
import { TradingStateStore } from "../../src/layers/control/trading-state-store.port.ts"
import { refusedStorePg } from "../../src/layers/intake/refused-store.pg.ts"
import { RefusedStore } from "../../src/layers/intake/refused-store.port.ts"
import { alertLogsPg } from "../../src/layers/intake/alert-log.pg.ts"
import { AlertLogs } from "../../src/layers/intake/alert-log.port.ts"
import { replayPg } from "../../src/layers/intake/replay.pg.ts"
import { Replay } from "../../src/layers/intake/replay.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { settingsFor, startWorld, type World, type WorldOptions } from "../layers/api/http-world.ts"
import { openFreshDatabase } from "../support/postgres.ts"

export interface PgWorld extends World {
  readonly database: DatabaseService
  readonly audit: AuditStoreService
  /** Runs one statement written in the test. */
  readonly sql: <A extends object>(text: string, values?: ReadonlyArray<unknown>) => Promise<ReadonlyArray<A>>
}

/** Starts a world whose stores are those of PostgreSQL. */
export const startPgWorld = async (options: WorldOptions = {}): Promise<PgWorld> => {
  const scope = Scope.makeUnsafe()
  const statements = makeStatementLedger(
    () => performance.now(),
    () => Date.now()
  )
  const program = Effect.gen(function* () {
    const { database } = yield* openFreshDatabase({ statements })
    // Only a probe of the database component says so; here the test is that component.
    database.availability.mark("available")
    const context = yield* Layer.build(
      Layer.mergeAll(
        ReadStorePg,
        refusedStorePg,
        replayPg,
        alertLogsPg,
        tradingStateStorePg,
        auditStorePg,
        orderCommandsPg,
        deadLettersPg,
        accountsStorePg,
        fillsStorePg
      ).pipe(
        Layer.provideMerge(IntakeStorePg),
        Layer.provide(
          Layer.mergeAll(
            Layer.succeed(Database, database),
            Layer.succeed(Config, settingsFor(options.environment, options.file)),
            Wake.layer
          )
        )
      )
    )
    return {
      database,
      audit: Context.get(context, AuditStore),
      orderCommands: Context.get(context, OrderCommands),
      deadLetters: Context.get(context, DeadLetters),
      accounts: Context.get(context, AccountsStore),
      fills: Context.get(context, FillsStore),
      store: Context.get(context, IntakeStore),
      reads: Context.get(context, ReadStore),
      refusedStore: Context.get(context, RefusedStore),
      replay: Context.get(context, Replay),
      alertLogs: Context.get(context, AlertLogs),
      states: Context.get(context, TradingStateStore)
    }
  })
  const { database, store, ...stores } = await Effect.runPromise(Scope.provide(program, scope))
  const world = await startWorld({ ...stores, statements, ...options, store: () => store })
  return {
    ...world,
    database,
    audit: stores.audit,
    sql: <A extends object>(text: string, values: ReadonlyArray<unknown> = []) =>
      Effect.runPromise(database.run("test", (client) => client.unsafe<A>(text, [...values]))),
    dispose: async () => {
      await world.dispose()
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}
