/**
 * 0038 telegram self-test: a message of the bot may be a test of its own path, and keeps the number that Telegram gave it.
 *
 * Promises: additive; messages of before have no number, and were no tests.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      // As Telegram's answer names it: proof that it was taken.
      sql`ALTER TABLE telegram_messages ADD COLUMN message_id bigint`,
      // Who asked for the test, as the audit names them, or 'schedule'; null: no test.
      sql`ALTER TABLE telegram_messages ADD COLUMN test_by text`,
      sql`CREATE INDEX telegram_messages_tests ON telegram_messages (bot, chat, seq) WHERE test_by IS NOT NULL`
    ],
    { discard: true }
  )
)
