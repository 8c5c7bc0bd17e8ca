/**
 * TelegramStore on PostgreSQL.
 *
 * Promises: those of the port; rows are of the bot whose token is set, by the number in front of its colon.
 * Never: lets one chat fill the table: above `telegramLimits.chatWaitingMax` messages that wait, its next replies are not made, and
 * above `telegramLimits.alertsWaitingMax` its alerts wait as alerts.
 * Failure: `DatabaseUnavailable`; every write may be repeated.
 */
import { Effect, Layer, Redacted } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { COMMAND_NAMES, type CommandName } from "../../domain/control/commands.ts"
import { deadLetterId } from "../../domain/kernel/ids.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { AskedEntry } from "../../domain/operators/telegram-asked.ts"
import type { SentAlert } from "../../domain/operators/telegram-alerts.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { PRESS_ANSWER } from "../../domain/operators/telegram-pace.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { TelegramInbox, type TelegramInboxService } from "../intake/telegram-inbox.port.ts"
import { Config } from "../platform/config.port.ts"
import { lastTests, ms, testSelfIn } from "./telegram-self-test.pg.ts"
import { contentOf } from "./telegram-update.decode.ts"
import {
  type Confirmation,
  type OutgoingCall,
  type Taken,
  type TelegramFigures,
  TelegramStore,
  type TelegramStoreService,
  type WaitingCall
} from "./telegram-store.port.ts"

/** Adds what the bot is to send; returns how much was left out: a chat that has too much waiting gets no more replies. Alerts are never left out. */
const addCalls = (sql: SqlClient, bot: string, updateId: number | null, calls: ReadonlyArray<OutgoingCall>) =>
  calls.length === 0
    ? Effect.succeed(0)
    : Effect.map(
        sql`
  INSERT INTO telegram_messages (bot, chat, update_id, method, parameters)
  SELECT ${bot}::bigint, c.chat, ${updateId}::bigint, c.method, c.parameters
  FROM unnest(${calls.map(({ chat }) => chat)}::bigint[], ${calls.map(({ method }) => method)}::text[],
    ${calls.map(({ parameters }) => JSON.stringify(parameters))}::text[]) WITH ORDINALITY AS c (chat, method, parameters, n)
  WHERE ${updateId}::bigint IS NULL OR ${telegramLimits.chatWaitingMax} >
    (SELECT count(*) FROM telegram_messages m WHERE m.bot = ${bot}::bigint AND m.chat = c.chat AND m.status = 'waiting')
  ORDER BY c.n
  RETURNING seq`,
        (made) => calls.length - made.length
      )

const receiveIn =
  (database: DatabaseService, bot: string): TelegramInboxService["receive"] =>
  (via, updates) =>
    updates.length === 0
      ? Effect.succeed(0)
      : database.run("telegram.receive", (sql) =>
          Effect.map(
            // One that came by the webhook and comes again by a poll is confirmed by the next poll, like those of polls.
            sql<{ readonly isNew: boolean }>`
        INSERT INTO telegram_updates (bot, update_id, via, body)
        SELECT ${bot}::bigint, u.id, ${via}, u.body
        FROM unnest(${updates.map(({ updateId }) => updateId)}::bigint[], ${updates.map(({ body }) => body)}::text[])
          AS u (id, body)
        ORDER BY u.id
        ON CONFLICT (bot, update_id) DO UPDATE SET via = excluded.via WHERE excluded.via = 'poll'
        RETURNING xmax = 0 AS "isNew"`,
            (rows) => rows.filter(({ isNew }) => isNew).length
          )
        )

const waitingIn =
  (database: DatabaseService, bot: string): TelegramStoreService["waiting"] =>
  (limit, except) =>
    database.run("telegram.waiting", (sql) =>
      Effect.map(
        sql<{ readonly id: bigint; readonly body: string; readonly at: number }>`
      SELECT update_id AS id, body, ${ms(sql, "received_at")} AS at FROM telegram_updates
      WHERE bot = ${bot}::bigint AND status = 'waiting' AND update_id <> ALL (${except}::bigint[])
      ORDER BY update_id LIMIT ${limit}`,
        (rows) =>
          rows.map(({ at, body, id }) => ({ updateId: Number(id), content: contentOf(body), receivedMs: at }))
      )
    )

/** Changes the attempts of one update that waits. */
const countIn = (database: DatabaseService, bot: string, updateId: number, by: 1 | -1) =>
  database.run("telegram.attempt", (sql) =>
    Effect.map(
      sql<{ readonly attempts: number }>`
      UPDATE telegram_updates SET attempts = greatest(0, attempts + ${by}::int)
      WHERE bot = ${bot}::bigint AND update_id = ${updateId}::bigint AND status = 'waiting' RETURNING attempts`,
      ([row]) => row?.attempts ?? null
    )
  )

const settleIn =
  (database: DatabaseService, bot: string): TelegramStoreService["settle"] =>
  (updateId, calls) =>
    database.transact("telegram.settle", (sql) =>
      Effect.gen(function* () {
        const settled = yield* sql`UPDATE telegram_updates SET status = 'done', settled_at = hf_now()
          WHERE bot = ${bot}::bigint AND update_id = ${updateId}::bigint AND status = 'waiting' RETURNING update_id`
        // Another process settled it first, and answered.
        return settled.length === 0 ? 0 : yield* addCalls(sql, bot, updateId, calls)
      })
    )

const buryIn =
  (database: DatabaseService, bot: string): TelegramStoreService["bury"] =>
  (updateId, reason, calls) =>
    database.transact("telegram.bury", (sql) =>
      Effect.gen(function* () {
        const [dead] = yield* sql<{ readonly body: string }>`
          UPDATE telegram_updates SET status = 'dead', settled_at = hf_now()
          WHERE bot = ${bot}::bigint AND update_id = ${updateId}::bigint AND status = 'waiting' RETURNING body`
        if (dead === undefined) return
        const reference = `${bot}/${updateId}`
        yield* sql`INSERT INTO dead_letters (id, origin, reference, reason, payload)
          VALUES (${deadLetterId("telegram", reference, reason)}::uuid, 'telegram', ${reference}, ${reason},
            ${JSON.stringify({ update: dead.body })}::text::jsonb)
          ON CONFLICT DO NOTHING`
        yield* addCalls(sql, bot, updateId, calls)
      })
    )

interface ConfirmationRow {
  readonly id: string
  readonly chat: bigint
  readonly askedBy: bigint
  readonly command: string
  readonly target: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly reason: string | null
  readonly usedBy: bigint | null
  /** The press came in time, and may be begun now. */
  readonly inTime: boolean
  /** What was begun may be gone on with. */
  readonly mayFinish: boolean
}

const isCommand = (name: string): name is CommandName => COMMAND_NAMES.some((known) => known === name)

const confirmationOf = (row: ConfirmationRow): Confirmation | null =>
  isCommand(row.command)
    ? {
        id: row.id,
        chat: Number(row.chat),
        askedBy: Number(row.askedBy),
        command: row.command,
        target: row.target,
        arguments: row.arguments,
        reason: row.reason
      }
    : null

/**
 * Locks the row, so that two presses at once are one use. In time is when the press arrived here, and it is begun soon after that: a
 * press of yesterday, which a dead process left waiting, is about another market.
 */
const takeConfirmationIn =
  (database: DatabaseService, bot: string): TelegramStoreService["takeConfirmation"] =>
  ({ chat, id, updateId, user }) =>
    database.transact("telegram.confirm", (sql) =>
      Effect.gen(function* () {
        const [row] = yield* sql<ConfirmationRow>`
          SELECT c.id, c.chat, c.asked_by AS "askedBy", c.command, c.target, c.arguments, c.reason, c.used_by AS "usedBy",
            c.expires_at > coalesce(u.received_at, hf_now())
              AND c.expires_at > hf_now() - ${telegramLimits.pressBegunMsMax}::int * interval '1 millisecond' AS "inTime",
            c.expires_at > hf_now() - ${telegramLimits.pressFinishedMsMax}::int * interval '1 millisecond' AS "mayFinish"
          FROM telegram_confirmations c
            LEFT JOIN telegram_updates u ON u.bot = c.bot AND u.update_id = ${updateId}::bigint
          WHERE c.id = ${id} AND c.bot = ${bot}::bigint AND c.chat = ${chat}::bigint FOR UPDATE OF c`
        const confirmation = row === undefined ? null : confirmationOf(row)
        if (row === undefined || confirmation === null) return { _tag: "Missing" } satisfies Taken
        if (confirmation.askedBy !== user) return { _tag: "NotYours" } satisfies Taken
        if (row.usedBy !== null) {
          if (Number(row.usedBy) !== updateId) return { _tag: "Used" } satisfies Taken
          return row.mayFinish
            ? ({ _tag: "Taken", confirmation } satisfies Taken)
            : ({ _tag: "Overdue" } satisfies Taken)
        }
        if (!row.inTime) return { _tag: "Expired" } satisfies Taken
        yield* sql`UPDATE telegram_confirmations SET used_by = ${updateId}::bigint WHERE id = ${id}`
        return { _tag: "Taken", confirmation } satisfies Taken
      })
    )

const askConfirmationIn =
  (database: DatabaseService, bot: string): TelegramStoreService["askConfirmation"] =>
  (asked) =>
    database.run("telegram.ask", (sql) =>
      Effect.asVoid(sql`
      INSERT INTO telegram_confirmations (id, bot, chat, asked_by, command, target, arguments, reason, expires_at)
      VALUES (${asked.id}, ${bot}::bigint, ${asked.chat}::bigint, ${asked.askedBy}::bigint, ${asked.command}, ${asked.target},
        ${JSON.stringify(asked.arguments)}::text::jsonb, ${asked.reason},
        hf_now() + ${telegramLimits.confirmMs}::int * interval '1 millisecond')
      ON CONFLICT DO NOTHING`)
    )

interface CallRow {
  readonly seq: bigint
  readonly chat: bigint
  readonly method: string
  readonly parameters: string
  readonly created: number
  readonly isReply: boolean
}

const callOf = ({ chat, created, isReply, method, parameters, seq }: CallRow): WaitingCall => ({
  seq,
  chat: Number(chat),
  method,
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by `addCalls`
  parameters: JSON.parse(parameters) as Readonly<Record<string, unknown>>,
  createdMs: created,
  isReply
})

const unsentIn =
  (database: DatabaseService, bot: string): TelegramStoreService["unsent"] =>
  (limit) =>
    database.run("telegram.unsent", (sql) =>
      Effect.map(
        sql<CallRow>`SELECT seq, chat, method, parameters, ${ms(sql, "created_at")} AS created,
        update_id IS NOT NULL AS "isReply"
      FROM ((SELECT DISTINCT ON (chat) * FROM telegram_messages
          WHERE bot = ${bot}::bigint AND status = 'waiting' AND method <> ${PRESS_ANSWER} ORDER BY chat, seq)
        UNION ALL (SELECT * FROM telegram_messages
          WHERE bot = ${bot}::bigint AND status = 'waiting' AND method = ${PRESS_ANSWER})) AS heads
      ORDER BY seq LIMIT ${limit}`,
        (rows) => rows.map(callOf)
      )
    )

interface Ended {
  readonly status: "sent" | "dropped"
  readonly reason: string | null
  readonly messageId: number | null
}

const endIn = (database: DatabaseService, seq: bigint, { messageId, reason, status }: Ended) =>
  database.run("telegram.sent", (sql) =>
    Effect.asVoid(sql`UPDATE telegram_messages SET status = ${status}, settled_at = hf_now(), reason = ${reason},
        message_id = ${messageId}::bigint
      WHERE seq = ${seq}::bigint AND status = 'waiting'`)
  )

const emptyFigures: Omit<TelegramFigures, "dropped" | "tests"> = {
  received: 0,
  processed: 0,
  dead: 0,
  waiting: 0,
  oldestWaitingMs: null,
  unsent: 0,
  oldestUnsentMs: null,
  oldestAlertMs: null,
  lastReceivedMs: null,
  lastWebhookMs: null,
  lastReplyMs: null,
  nowMs: 0
}

/** What is counted of the last rows: the tables keep weeks, and a count of all of them would be the most expensive statement of the bot. */
const figuresIn = (
  database: DatabaseService,
  bot: string,
  chats: ReadonlyArray<number>
): TelegramStoreService["figures"] =>
  database.run("telegram.figures", (sql) =>
    Effect.gen(function* () {
      const dropped = yield* sql<{ readonly chat: bigint; readonly reason: string; readonly at: number }>`
        SELECT chat, coalesce(reason, '') AS reason, ${ms(sql, "settled_at")} AS at
        FROM (SELECT DISTINCT ON (chat) chat, status, reason, settled_at
          FROM (SELECT seq, chat, status, reason, settled_at FROM telegram_messages WHERE bot = ${bot}::bigint AND status <> 'waiting'
            AND method = 'sendMessage' ORDER BY seq DESC LIMIT 500) AS recent
          WHERE chat = ANY (${chats}::bigint[]) ORDER BY chat, seq DESC) AS last
        WHERE status = 'dropped' ORDER BY chat`
      const [row] = yield* sql<Omit<TelegramFigures, "dropped" | "tests">>`
      SELECT u.received, u.processed, u.dead, u.last AS "lastReceivedMs", u.hook AS "lastWebhookMs", w.waiting,
        w.oldest AS "oldestWaitingMs", m.unsent, m.oldest AS "oldestUnsentMs", m.alert AS "oldestAlertMs",
        ${ms(sql, "hf_now()")} AS "nowMs",
        (SELECT ${ms(sql, "max(settled_at)")} FROM (SELECT settled_at FROM telegram_messages
          WHERE bot = ${bot}::bigint AND status = 'sent' AND update_id IS NOT NULL ORDER BY seq DESC LIMIT 20) AS s) AS "lastReplyMs"
      FROM (SELECT count(*)::int AS received, (count(*) FILTER (WHERE status = 'done'))::int AS processed,
          (count(*) FILTER (WHERE status = 'dead'))::int AS dead, ${ms(sql, "max(received_at)")} AS last,
          ${ms(sql, "max(received_at) FILTER (WHERE via = 'webhook')")} AS hook
        FROM (SELECT status, via, received_at FROM telegram_updates WHERE bot = ${bot}::bigint ORDER BY update_id DESC LIMIT 1000)
          AS r) AS u,
        (SELECT count(*)::int AS waiting, ${ms(sql, "min(received_at)")} AS oldest FROM telegram_updates
          WHERE bot = ${bot}::bigint AND status = 'waiting') AS w,
        (SELECT count(*)::int AS unsent, ${ms(sql, "min(created_at) FILTER (WHERE update_id IS NOT NULL)")} AS oldest,
          ${ms(sql, "min(created_at) FILTER (WHERE update_id IS NULL AND test_by IS NULL)")} AS alert
          FROM telegram_messages WHERE bot = ${bot}::bigint AND status = 'waiting') AS m`
      const of = dropped.map(({ at, chat, reason }) => ({ chat: Number(chat), reason, atMs: at }))
      return { ...(row ?? emptyFigures), dropped: of, tests: yield* lastTests(sql, bot, chats) }
    })
  )

/** Those for which not too much waits that nobody asked for. */
const freeChats = (sql: SqlClient, bot: string, chats: ReadonlyArray<number>) =>
  Effect.map(
    sql<{ readonly chat: bigint }>`SELECT c.chat FROM unnest(${chats}::bigint[]) AS c (chat)
      WHERE ${telegramLimits.alertsWaitingMax} > (SELECT count(*) FROM telegram_messages m
        WHERE m.bot = ${bot}::bigint AND m.chat = c.chat AND m.status = 'waiting' AND m.update_id IS NULL)`,
    (rows) => rows.map(({ chat }) => Number(chat))
  )

type AskedRow = AskedEntry & { readonly told: ReadonlyArray<string> }

/** What waits is bounded by the deadline of each; what is over in a moment is asked about as well, because nobody else will. */
const askApprovalsIn =
  (database: DatabaseService, bot: string): TelegramStoreService["askApprovals"] =>
  (chats, callOf) =>
    database.transact("telegram.ask_approvals", (sql) =>
      Effect.gen(function* () {
        const entries = yield* sql<AskedRow>`
          SELECT o.id AS "orderId", o.account, o.strategy, o.symbol, o.side, trim_scale(o.quantity)::text AS quantity,
            concat_ws(' ', replace(o.type, '_', ' '), trim_scale(o.stop_price), trim_scale(o.limit_price)) AS terms,
            coalesce((SELECT trim_scale(s.quantity)::text FROM positions s
              WHERE s.account = o.account AND s.symbol = o.symbol), '0') AS position,
            trim_scale(p.price)::text AS price, p.otherwise,
            ${ms(sql, "least(p.deadline, o.valid_until)")} AS "answerByMs", p.telegram_chats::text[] AS told
          FROM approvals p JOIN orders o ON o.id = p.order_id
          WHERE p.decision IS NULL AND o.status = 'held' AND least(p.deadline, o.valid_until) > hf_now()
            AND NOT p.telegram_chats @> ${chats}::bigint[]
          ORDER BY p.seq LIMIT ${telegramLimits.approvalsRoundMax} FOR UPDATE OF p SKIP LOCKED`
        if (entries.length === 0) return 0
        const free = yield* freeChats(sql, bot, chats)
        for (const { told, ...entry } of entries) {
          const news = free.filter((chat) => !told.includes(String(chat)))
          if (news.length === 0) continue
          yield* sql`UPDATE approvals SET telegram_chats = telegram_chats || ${news}::bigint[]
            WHERE order_id = ${entry.orderId}::uuid`
          yield* addCalls(
            sql,
            bot,
            null,
            news.map((chat) => callOf(chat, entry))
          )
        }
        return entries.length
      })
    )

type AlertRow = SentAlert & { readonly told: ReadonlyArray<string> }

/**
 * Alerts are locked in the order in which they came, and those that somebody changes now are left to the next look. An alert waits
 * until every chat was told, and a chat that is stuck keeps none from the others.
 */
const notifyAlertsIn =
  (database: DatabaseService, bot: string): TelegramStoreService["notifyAlerts"] =>
  (chats, { ageMsMax, isQuiet }, callsOf) =>
    database.transact("telegram.notify", (sql) =>
      Effect.gen(function* () {
        const free = yield* freeChats(sql, bot, chats)
        if (free.length === 0) return 0
        const alerts =
          yield* sql<AlertRow>`SELECT id, severity, kind, coalesce(last_message, message) AS message,
            telegram_chats::text[] AS told, ${ms(sql, "first_at")} AS "atMs",
            -- Named by the alert, or that of the order which it names.
            coalesce(detail->>'strategy', (SELECT o.strategy FROM orders o WHERE o.id =
              CASE WHEN detail->>'order_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (detail->>'order_id')::uuid END)) AS strategy
          FROM alerts
          WHERE telegram_at IS NULL AND (NOT ${isQuiet}::boolean OR severity = 'CRITICAL')
            AND NOT telegram_chats @> ${free}::bigint[]
            AND (first_at > hf_now() - ${ageMsMax}::float8 * interval '1 millisecond'
              OR resolved_at IS NULL AND severity IN ('HIGH', 'CRITICAL'))
          ORDER BY seq LIMIT ${telegramLimits.alertsRoundMax} FOR UPDATE SKIP LOCKED`
        if (alerts.length === 0) return 0
        yield* sql`UPDATE alerts SET telegram_chats = telegram_chats || ${free}::bigint[],
            telegram_at = CASE WHEN (telegram_chats || ${free}::bigint[]) @> ${chats}::bigint[] THEN hf_now() END
          WHERE id = ANY (${alerts.map(({ id }) => id)}::uuid[])`
        for (const chat of free) {
          const news = alerts.filter(({ told }) => !told.includes(String(chat)))
          if (news.length > 0) yield* addCalls(sql, bot, null, callsOf(chat, news))
        }
        return alerts.length
      })
    )

/** The number of the bot of these settings. */
const botOf = ({ telegram }: Settings): string =>
  telegram.token === null ? "0" : (Redacted.value(telegram.token).split(":")[0] ?? "0")

export const telegramInboxPg: Layer.Layer<TelegramInbox, never, Config | Database> = Layer.effect(
  TelegramInbox,
  Effect.gen(function* () {
    return TelegramInbox.of({ receive: receiveIn(yield* Database, botOf(yield* Config)) })
  })
)

export const telegramStorePg: Layer.Layer<TelegramStore, never, Config | Database> = Layer.effect(
  TelegramStore,
  Effect.gen(function* () {
    const database = yield* Database
    const settings = yield* Config
    const bot = botOf(settings)
    const chats = Object.keys(settings.telegram.chats).map(Number)
    return TelegramStore.of({
      nextOffset: database.run("telegram.offset", (sql) =>
        Effect.map(
          sql<{ readonly last: bigint | null }>`
            SELECT max(update_id) AS last FROM telegram_updates
            WHERE bot = ${bot}::bigint AND via = 'poll' AND received_at > hf_now() - interval '5 days'`,
          ([row]) => (row === undefined || row.last === null ? null : Number(row.last) + 1)
        )
      ),
      waiting: waitingIn(database, bot),
      begin: (updateId) => countIn(database, bot, updateId, 1),
      release: (updateId) => Effect.asVoid(countIn(database, bot, updateId, -1)),
      settle: settleIn(database, bot),
      bury: buryIn(database, bot),
      askConfirmation: askConfirmationIn(database, bot),
      takeConfirmation: takeConfirmationIn(database, bot),
      unsent: unsentIn(database, bot),
      sent: (seq, messageId) => endIn(database, seq, { status: "sent", reason: null, messageId }),
      drop: (seq, reason) => endIn(database, seq, { status: "dropped", reason, messageId: null }),
      testSelf: testSelfIn(database, bot),
      figures: figuresIn(database, bot, chats),
      notifyAlerts: notifyAlertsIn(database, bot),
      askApprovals: askApprovalsIn(database, bot)
    })
  })
)
