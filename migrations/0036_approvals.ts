/**
 * 0036 approvals: entries that a human is asked about before they are sent, and what was answered (G9).
 *
 * A row is made with its order, in the transaction that decides, so an order that has to wait cannot exist without what it
 * waits for. The answer is one column that is written once: a press, a command and the deadline meet at this row.
 *
 * Promises: additive; orders that exist were asked about by nobody.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE approvals (
        order_id uuid PRIMARY KEY REFERENCES orders ON DELETE CASCADE,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        asked_at timestamptz NOT NULL DEFAULT hf_now(),
        deadline timestamptz NOT NULL,
        -- What becomes of it when nobody answers.
        otherwise text NOT NULL CHECK (otherwise IN ('deny', 'allow')),
        -- What whoever decides is shown, and by how many percent it may have moved since; null: there was none, and any.
        price numeric,
        price_move_pct_max numeric,
        decision text CHECK (decision IN ('approved', 'declined')),
        decided_at timestamptz,
        -- As the audit names them, or 'deadline'.
        decided_by text,
        command_id uuid,
        note text,
        -- Chats of the bot that were asked.
        telegram_chats bigint[] NOT NULL DEFAULT '{}',
        CHECK ((decision IS NULL) = (decided_at IS NULL) AND (decision IS NULL) = (decided_by IS NULL))
      )`,
      sql`CREATE INDEX approvals_waiting ON approvals (seq) WHERE decision IS NULL`
    ],
    { discard: true }
  )
)
