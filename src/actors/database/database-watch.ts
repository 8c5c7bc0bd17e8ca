/**
 * Database watch: notifies a machine when the database is there and when it is not.
 *
 * Losing the database is an event to which every storing component reacts with its `WaitingForDatabase` state;
 * this is the one piece of glue they all share.
 *
 * Promises: the current state first, then every change, as `database.available` or `database.unavailable`.
 * Never: queries the database itself.
 */
import { Effect, Stream } from "effect"
import { Database } from "../../layers/database/database.port.ts"
import { streamActor } from "../../runtime/machine-child.ts"

/** Implements the slot `watchDatabase` of a machine. An unknown database counts as away until a probe has answered. */
export const watchDatabase = () =>
  streamActor("database.watch", ({ send }: { readonly send: (event: { readonly type: string }) => void }) =>
    Effect.flatMap(Database, (database) =>
      Stream.runForEach(database.availability.changes, (state) =>
        Effect.sync(() =>
          send({ type: state === "available" ? "database.available" : "database.unavailable" })
        )
      )
    )
  )
