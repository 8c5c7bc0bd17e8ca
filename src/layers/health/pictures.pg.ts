/**
 * Pictures on PostgreSQL, with the last ones in memory.
 *
 * Promises: as the port; a picture is in memory before it is stored.
 * Never: updates a row; holds more than `pictureLimits.heldMax` pictures.
 * Failure: `DatabaseUnavailable` where only the table could answer.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { PastOrder, PastPosition, Picture } from "../../domain/health/past.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { pictureLimits } from "../../domain/kernel/limits-kept.ts"
import { OPEN } from "../../domain/orders/order.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { Instance } from "../platform/instance.port.ts"
import { type KeptPicture, Pictures, type PresentRows } from "./pictures.port.ts"

interface OrderRow extends Omit<PastOrder, "filledQuantity" | "correlationId"> {
  readonly filled: string
  readonly correlation: string
}
interface PositionRow extends Omit<PastPosition, "averagePrice" | "realisedPnl"> {
  readonly average: string
  readonly realised: string
}

/** In the rule of `correlationOf`. */
const orders = (sql: SqlClient) => sql<OrderRow>`
  SELECT id, account, strategy, symbol, side, trim_scale(quantity)::text AS quantity,
    trim_scale(filled_quantity)::text AS filled, status, reason,
    coalesce(signal_id, command_id, opened_by, id)::text AS correlation,
    (extract(epoch FROM updated_at) * 1000)::float8 AS since
  FROM orders WHERE status = ANY (${[...OPEN]}::text[]) AND source <> 'canary'
  ORDER BY seq DESC LIMIT ${pictureLimits.ordersMax + 1}::int`

const positions = (sql: SqlClient) => sql<PositionRow>`
  SELECT account, symbol, trim_scale(quantity)::text AS quantity, trim_scale(average_price)::text AS average,
    trim_scale(realised_pnl)::text AS realised
  FROM positions WHERE quantity <> 0 AND account <> 'canary' ORDER BY account, symbol LIMIT ${pictureLimits.positionsMax + 1}::int`

const presentOf = (database: DatabaseService) =>
  database.run(
    "pictures.present",
    (sql) =>
      Effect.gen(function* () {
        const [open, held] = [yield* orders(sql), yield* positions(sql)]
        return {
          orders: open.slice(0, pictureLimits.ordersMax).map(({ correlation, filled, since, ...row }) => ({
            ...row,
            filledQuantity: filled,
            correlationId: correlation,
            since: Math.round(since)
          })),
          positions: held.slice(0, pictureLimits.positionsMax).map(({ average, realised, ...row }) => ({
            ...row,
            averagePrice: average,
            realisedPnl: realised
          })),
          isPart: open.length > pictureLimits.ordersMax || held.length > pictureLimits.positionsMax
        } satisfies PresentRows
      }),
    { deadlineMs: pictureLimits.rowsMsMax }
  )

const insert = (database: DatabaseService, node: string, { after, number, picture }: KeptPicture) =>
  database
    .run(
      "pictures.keep",
      (sql) => sql`
        WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS mode)
        INSERT INTO journal_pictures (node, boot, number, after, at, picture)
        SELECT ${node}, ${picture.boot}::uuid, ${String(number)}::text::bigint, ${String(after)}::text::bigint,
          to_timestamp(${picture.at}::float8 / 1000), ${JSON.stringify(picture)}::text::jsonb
        FROM quick ON CONFLICT DO NOTHING`,
      { deadlineMs: pictureLimits.storeMsMax }
    )
    .pipe(Effect.asVoid)

const newest = (database: DatabaseService, node: string, number: number) =>
  Effect.map(
    database.run(
      "pictures.before",
      (sql) => sql<{ readonly number: bigint; readonly after: bigint; readonly picture: Picture }>`
        SELECT number, after, picture FROM journal_pictures
        WHERE node = ${node} AND number <= ${String(number)}::text::bigint ORDER BY number DESC LIMIT 1`,
      { deadlineMs: readLimits.queryMs }
    ),
    ([row]): KeptPicture | null =>
      row === undefined
        ? null
        : { picture: row.picture, after: Number(row.after), number: Number(row.number) }
  )

export const picturesPg: Layer.Layer<Pictures, never, Database | Instance> = Layer.effect(
  Pictures,
  Effect.gen(function* () {
    const database = yield* Database
    const instance = yield* Instance
    const held: Array<KeptPicture> = []
    const node = (): string => {
      const identity = instance.current()
      invariant(identity !== null, "DATA_DIR is held before there is a database")
      return identity.nodeId
    }
    return Pictures.of({
      present: presentOf(database),
      keep: (kept) =>
        Effect.suspend(() => {
          held.push(kept)
          if (held.length > pictureLimits.heldMax) held.shift()
          return insert(database, node(), kept)
        }),
      // Those in memory are the newest there are, so one of them that is early enough is the answer.
      before: (number) =>
        Effect.suspend(() => {
          const found = held.findLast((kept) => kept.number <= number)
          return found === undefined ? newest(database, node(), number) : Effect.succeed(found)
        })
    })
  })
)
