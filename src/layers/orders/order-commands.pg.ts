/**
 * OrderCommands on PostgreSQL: each command is one transaction.
 *
 * Promises: what the port promises.
 * Never: holds a rule: those are in order-operate.pg.ts and order-close.pg.ts.
 * Failure: `DatabaseUnavailable`; a transaction whose answer was lost may have happened. A fault of a statement is a bug and dies.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Database } from "../database/database.port.ts"
import { Config } from "../platform/config.port.ts"
import { contextTerms } from "./account-book.pg.ts"
import { answerIn } from "./order-approve.pg.ts"
import { closeIn, flattenIn } from "./order-close.pg.ts"
import { OrderCommands } from "./order-commands.port.ts"
import { cancelIn, resolveIn } from "./order-operate.pg.ts"

export const orderCommandsPg: Layer.Layer<OrderCommands, never, Config | Database> = Layer.effect(
  OrderCommands,
  Effect.gen(function* () {
    const database = yield* Database
    const terms = contextTerms(yield* Config)
    const run = <A>(
      operation: string,
      f: (sql: SqlClient) => Effect.Effect<A, SqlError>,
      retry: "idempotent" | "never" = "idempotent"
    ) => database.transact(operation, f, { retry }).pipe(Effect.catchTag("DatabaseFault", Effect.die))
    return OrderCommands.of({
      cancel: (orderId, reason) => run("orders.cancel", (sql) => cancelIn(sql, orderId, reason)),
      // A second try would find the status that the first one left.
      resolve: (given) => run("orders.resolve", (sql) => resolveIn(sql, given), "never"),
      // A press finds by its command what it did.
      answer: (press) => run("orders.answer", (sql) => answerIn(sql, terms, press)),
      close: (request) => run("orders.close", (sql) => closeIn(sql, request)),
      flatten: (account, origin, reason) =>
        run("orders.flatten", (sql) => flattenIn(sql, account, origin, reason))
    })
  })
)
