/**
 * Statements on a test server, for creating databases there.
 *
 * Promises: a connection of its own for each, and no transaction, because CREATE DATABASE allows none.
 * Never: is used by what is tested.
 */
import { Effect } from "effect"
import { makeClient } from "../../src/layers/database/database.client.ts"
import { makeSocketCensus } from "../../src/layers/database/database.socket.ts"
import type { SocketTarget } from "../../src/layers/database/database-target.ts"

/** One statement, on a connection of its own and in no transaction. */
export const administer = (target: SocketTarget, statement: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    const sql = yield* makeClient({
      target,
      applicationName: "test administration",
      connections: 1,
      census: makeSocketCensus(),
      statementMs: 30_000,
      silenceMs: 31_000
    })
    yield* sql.unsafe(statement)
  }).pipe(Effect.scoped, Effect.orDie)
