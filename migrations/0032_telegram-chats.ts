/**
 * 0032 telegram chats: which chats an alert was made into messages for, so that one that is stuck does not hold up the others.
 *
 * `telegram_at` stays what it was: every chat was told. Until then the chats that were told are here, and the alert waits for the rest.
 *
 * Promises: additive; alerts that were sent stay sent.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.asVoid(sql`ALTER TABLE alerts ADD COLUMN telegram_chats bigint[] NOT NULL DEFAULT '{}'`)
)
