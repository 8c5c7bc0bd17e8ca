/**
 * 0034 outbox: what each sink is to be told of, and how far it came.
 *
 * An alert is marked as routed in the transaction that makes its rows here, so a process that dies between the two repeats the step
 * and no sink is told twice: a row is one alert at one severity for one sink. What was sent is counted beside the rows, because
 * rows go and a count over all of them would be read every few seconds.
 *
 * Promises: additive; alerts of before are nobody's news.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE alerts ADD COLUMN routed_at timestamptz, ADD COLUMN escalated_at timestamptz`,
      sql`UPDATE alerts SET routed_at = last_at`,
      sql`CREATE INDEX alerts_unrouted ON alerts (seq) WHERE routed_at IS NULL`,
      sql`CREATE INDEX alerts_unescalated ON alerts (routed_at)
        WHERE severity = 'CRITICAL' AND acknowledged_at IS NULL AND resolved_at IS NULL AND escalated_at IS NULL`,
      sql`CREATE TABLE sinks (
        name text PRIMARY KEY,
        -- Who sends for it now, and until when nobody else may: an order of sending needs one sender.
        owner uuid,
        until timestamptz NOT NULL DEFAULT hf_now(),
        sent bigint NOT NULL DEFAULT 0,
        dead bigint NOT NULL DEFAULT 0,
        last_sent_at timestamptz,
        last_failed_at timestamptz,
        -- Of the last attempt; null: it was taken.
        last_error text
      )`,
      sql`CREATE TABLE outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        sink text NOT NULL,
        alert_id uuid NOT NULL,
        -- Why: the severity that the alert had reached, or that nobody acknowledged it.
        occasion text NOT NULL CHECK (occasion IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL', 'escalated')),
        severity text NOT NULL CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
        kind text NOT NULL,
        -- The rest of what is told, bounded when it is made.
        content jsonb NOT NULL,
        state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'dead')),
        -- The message that it is a part of, whose id the receiver knows it by; kept from the first attempt on.
        delivery uuid,
        attempts integer NOT NULL DEFAULT 0,
        -- Attempts that the receiver answered with a refusal or a fault.
        refusals integer NOT NULL DEFAULT 0,
        next_at timestamptz NOT NULL DEFAULT hf_now(),
        created_at timestamptz NOT NULL DEFAULT hf_now(),
        settled_at timestamptz,
        last_error text,
        UNIQUE (alert_id, sink, occasion)
      )`,
      sql`CREATE INDEX outbox_queued ON outbox (sink, seq) WHERE state = 'queued'`,
      sql`CREATE INDEX outbox_sent ON outbox (sink, settled_at) WHERE state = 'sent'`
    ],
    { discard: true }
  )
)
