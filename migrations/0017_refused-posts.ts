/**
 * 0017 refused posts, replay and retention: what was not taken, and how long the rest is kept.
 *
 * A post that an authenticated sender wrote wrongly is a trade that nobody makes, and until now only a log line knew of it.
 * Its row keeps what is needed to send it through the intake again under the identity it came with: the names its headers
 * gave it, and the hash of its body as it was before secrets were taken out of it. Rejected: rows of `signals` in a status of
 * their own, which would take identities away from the posts that are right.
 *
 * Fills that are removed after their time leave their id behind: a venue may be asked for all fills it ever had, and one that
 * nobody remembered would move a position a second time. Their fees are in their position's sum (0015).
 *
 * Promises: no row changes; of what was there one index goes.
 * Never: drops or rewrites rows; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE refused_posts (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        source text NOT NULL,
        reason text NOT NULL CHECK (reason IN ('not_json', 'invalid', 'conflict', 'strategy_unknown')),
        -- The status code the sender was answered.
        answered integer NOT NULL,
        errors jsonb NOT NULL DEFAULT '[]',
        -- Text and not jsonb: most of it is no JSON.
        body text NOT NULL,
        body_bytes integer NOT NULL,
        cut boolean NOT NULL DEFAULT false,
        body_hash text,
        webhook_id text,
        idempotency_key text,
        request_id text NOT NULL,
        address text,
        -- No reference: it outlives the signal it conflicts with, or became.
        signal_id uuid,
        received_at timestamptz NOT NULL DEFAULT hf_now(),
        replayed_at timestamptz,
        replayed_by text
      )`,
      // What is open is counted all the time, and looked for by whoever replays it.
      sql`CREATE INDEX refused_posts_open ON refused_posts (seq) WHERE replayed_at IS NULL`,
      sql`CREATE INDEX dead_letters_open ON dead_letters (seq) WHERE replayed_at IS NULL`,
      sql`CREATE TABLE pruned_fills (id uuid PRIMARY KEY)`,
      // Beside signals_due (0009) it only misled: over a million decided signals and an empty queue the planner takes either
      // for one row, chose this one, and sorted the whole backlog of the next outage for each claim.
      sql`DROP INDEX signals_open`,
      // Removing a snapshot asks who links to it, and so does its trace: each read the whole table.
      sql`CREATE INDEX trade_strategy_link_snapshot ON trade_strategy_link (snapshot_id) WHERE snapshot_id IS NOT NULL`
    ],
    { discard: true }
  )
)
