/**
 * 0011 node leases: one lease per node, held by one life of it, in place of one lease per account.
 *
 * The lease of an account is that of the life in `accounts.owner`, so a process renews one row however many accounts it
 * holds. `accounts.lease_until` is `infinity` for such an owner: the version before this one, should it still run beside
 * us, then leaves the account alone.
 *
 * Promises: additive; rows written by the version before are judged by their own `lease_until` until it is over.
 * Never: drops or rewrites.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      // `host`, `pid` and `process_started` let the next life on the same host prove that this one is dead.
      sql`CREATE TABLE nodes (
        node_id text PRIMARY KEY,
        life text NOT NULL UNIQUE,
        host text,
        pid integer NOT NULL,
        process_started text NOT NULL,
        lease_until timestamptz NOT NULL,
        began_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      sql`CREATE INDEX accounts_owner ON accounts (owner)`
    ],
    { discard: true }
  )
)
