/**
 * Database in turns: the database as those see it who read for people, a few calls at a time.
 *
 * The pool is shared with what trades, and a page that polls asks for more at once than a pool has. So such reads wait for a turn
 * before they take a connection; how long they may wait is the deadline of whoever asked.
 *
 * Promises: no more than `atOnce` calls of all who share the layer are on their way at a time; those that wait come in their order;
 * who gives up while it waits has taken nothing.
 * Never: holds up a probe; changes a deadline: that of a call begins with its turn.
 * Failure: that of the database.
 */
import { Effect, Layer, Semaphore } from "effect"
import { Database } from "./database.port.ts"

/** A call must not make another inside of itself: it would wait for its own turn. */
export const databaseInTurns = (atOnce: number): Layer.Layer<Database, never, Database> =>
  Layer.effect(
    Database,
    Effect.map(Database, (database) => {
      const turns = Semaphore.makeUnsafe(atOnce)
      return Database.of({
        ...database,
        run: (operation, f, options) => turns.withPermits(1)(database.run(operation, f, options)),
        transact: (operation, f, options) => turns.withPermits(1)(database.transact(operation, f, options))
      })
    })
  )
