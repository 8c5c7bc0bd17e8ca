/**
 * Telegram self-tests on PostgreSQL: messages of the bot that are a test, which are made and read here and sent like all others.
 *
 * Promises: of a chat one test waits at most, whoever asks.
 * Never: judges what came of one.
 * Failure: `DatabaseUnavailable`; every write may be repeated.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SelfTest } from "../../domain/operators/telegram-self-test.ts"
import type { DatabaseService } from "../database/database.port.ts"
import type { TelegramStoreService } from "./telegram-store.port.ts"

/** A moment as epoch milliseconds. */
export const ms = (sql: SqlClient, column: string) =>
  sql.literal(`(extract(epoch FROM ${column}) * 1000)::float8`)

interface TestRow extends Omit<SelfTest, "chat" | "messageId"> {
  readonly chat: bigint
  readonly messageId: bigint | null
}

/** The last test of each of these chats, and whether a message was taken there since. */
export const lastTests = (sql: SqlClient, bot: string, chats: ReadonlyArray<number>) =>
  Effect.map(
    sql<TestRow>`SELECT t.chat, t.test_by AS by, t.status, ${ms(sql, "t.created_at")} AS "atMs",
        ${ms(sql, "t.settled_at")} AS "settledMs", t.message_id AS "messageId", t.reason,
        t.status <> 'waiting' AND t.message_id IS NULL AND EXISTS (SELECT 1 FROM telegram_messages l
          WHERE l.bot = t.bot AND l.chat = t.chat AND l.seq > t.seq AND l.message_id IS NOT NULL) AS "isOver"
      FROM unnest(${chats}::bigint[]) AS c (chat) CROSS JOIN LATERAL (SELECT * FROM telegram_messages m
        WHERE m.bot = ${bot}::bigint AND m.chat = c.chat AND m.test_by IS NOT NULL ORDER BY m.seq DESC LIMIT 1) AS t
      ORDER BY t.chat`,
    (rows) =>
      rows.map(({ chat, messageId, ...rest }): SelfTest => ({
        ...rest,
        chat: Number(chat),
        messageId: messageId === null ? null : Number(messageId)
      }))
  )

export const testSelfIn =
  (database: DatabaseService, bot: string): TelegramStoreService["testSelf"] =>
  (chats, by, everyMs, callOf) =>
    database.run("telegram.test", (sql) => {
      const calls = chats.map(callOf)
      return Effect.map(
        sql`INSERT INTO telegram_messages (bot, chat, method, parameters, test_by)
          SELECT ${bot}::bigint, c.chat, c.method, c.parameters, ${by}
          FROM unnest(${calls.map(({ chat }) => chat)}::bigint[], ${calls.map(({ method }) => method)}::text[],
            ${calls.map(({ parameters }) => JSON.stringify(parameters))}::text[]) AS c (chat, method, parameters)
          WHERE NOT EXISTS (SELECT 1 FROM telegram_messages m WHERE m.bot = ${bot}::bigint AND m.chat = c.chat
            AND m.test_by IS NOT NULL AND (m.status = 'waiting'
              OR m.created_at > hf_now() - ${everyMs ?? 0}::float8 * interval '1 millisecond'))
          RETURNING seq`,
        (made) => made.length
      )
    })
