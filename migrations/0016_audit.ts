/**
 * 0016 audit: every command that was ever given, and what came of it (T14).
 *
 * A row is written before its command takes effect and completed afterwards, so a process that dies in between leaves one
 * that says `begun`. The key under which a command may be repeated is unique while an answer stands under it: what failed
 * or was cut off gives its key back. `command_id` leads from a command to the orders it made.
 *
 * Promises: additive; orders that exist were made by no command.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE audit (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        command text NOT NULL,
        scope text NOT NULL,
        arguments jsonb NOT NULL,
        reason text,
        by text NOT NULL,
        means text NOT NULL CHECK (means IN ('token', 'session', 'local', 'rule', 'none')),
        address text,
        request_id text NOT NULL,
        idempotency_key text,
        -- Of the command, its target and its body: the same key with another one is a mistake.
        fingerprint text NOT NULL,
        command_id uuid NOT NULL,
        -- The life of the process that carries it out.
        life text NOT NULL,
        result text NOT NULL CHECK (result IN ('begun', 'accepted', 'refused', 'failed', 'interrupted')),
        result_reason text,
        answer jsonb,
        begun_at timestamptz NOT NULL DEFAULT hf_clock(),
        completed_at timestamptz
      )`,
      sql`CREATE UNIQUE INDEX audit_key ON audit (idempotency_key)
        WHERE idempotency_key IS NOT NULL AND result IN ('begun', 'accepted', 'refused')`,
      sql`CREATE INDEX audit_begun ON audit (begun_at) WHERE result = 'begun'`,
      sql`ALTER TABLE orders ADD COLUMN command_id uuid`,
      sql`CREATE INDEX orders_command ON orders (command_id) WHERE command_id IS NOT NULL`
    ],
    { discard: true }
  )
)
