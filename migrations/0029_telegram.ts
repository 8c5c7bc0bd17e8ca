/**
 * 0029 telegram: what the bot was sent, what it is to send, and what somebody is about to confirm.
 *
 * An update is a row before Telegram is told that it arrived, so a crash between two steps repeats a step and never an effect: the
 * number of an update is its key, and a confirmation names the update that used it. Rows are by bot, whose updates are numbered
 * by Telegram: another token may be another bot. Bodies are text, because jsonb refuses characters that a person can send.
 *
 * Promises: additive; the audit takes one more way of proving who somebody is.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      // Who gives a command through the bot is known by the number of an account.
      sql`ALTER TABLE audit DROP CONSTRAINT audit_means_check,
        ADD CONSTRAINT audit_means_check CHECK (means IN ('token', 'session', 'local', 'telegram', 'rule', 'none'))`,
      // When its messages were made. Alerts of before are nobody's news.
      sql`ALTER TABLE alerts ADD COLUMN telegram_at timestamptz`,
      sql`UPDATE alerts SET telegram_at = last_at`,
      sql`CREATE INDEX alerts_telegram ON alerts (seq) WHERE telegram_at IS NULL`,
      sql`CREATE TABLE telegram_updates (
        bot bigint NOT NULL,
        update_id bigint NOT NULL,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        -- How it came: a poll or the webhook.
        via text NOT NULL CHECK (via IN ('poll', 'webhook')),
        body text NOT NULL,
        received_at timestamptz NOT NULL DEFAULT hf_now(),
        attempts integer NOT NULL DEFAULT 0,
        status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'done', 'dead')),
        settled_at timestamptz,
        PRIMARY KEY (bot, update_id)
      )`,
      sql`CREATE INDEX telegram_updates_waiting ON telegram_updates (bot, update_id) WHERE status = 'waiting'`,
      sql`CREATE TABLE telegram_messages (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        bot bigint NOT NULL,
        chat bigint NOT NULL,
        -- What it answers; null: an alert.
        update_id bigint,
        method text NOT NULL,
        parameters text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT hf_now(),
        status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'dropped')),
        settled_at timestamptz,
        reason text
      )`,
      sql`CREATE INDEX telegram_messages_waiting ON telegram_messages (bot, seq) WHERE status = 'waiting'`,
      sql`CREATE TABLE telegram_confirmations (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        bot bigint NOT NULL,
        chat bigint NOT NULL,
        asked_by bigint NOT NULL,
        command text NOT NULL,
        target text NOT NULL,
        arguments jsonb NOT NULL,
        reason text,
        created_at timestamptz NOT NULL DEFAULT hf_now(),
        expires_at timestamptz NOT NULL,
        -- The update that used it: the same update may use it again, another never.
        used_by bigint
      )`
    ],
    { discard: true }
  )
)
