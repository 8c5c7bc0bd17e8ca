/**
 * The sentences that explain a signal, over what is stored of it: its trace and every step of its orders (G3).
 *
 * Why here: the words are `whyOf`'s (domain/decision/why.ts); this only reads what they are about, so that whoever has the
 * read store has the same words.
 *
 * Promises: those of the trace, which it reads in the same transaction as the steps.
 * Never: words a sentence; writes.
 * Failure: `DatabaseUnavailable`; a row of another shape is a defect that names it.
 */
import { Effect } from "effect"
import { z } from "zod"
import { whyOf } from "../../domain/decision/why.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { orderEvent, trace } from "../../wire/trading.ts"
import { uuid } from "../../wire/words.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { jsonItem } from "./read-rows.pg.ts"
import type { Item } from "./read-store.port.ts"
import { readTrace } from "./read-trace.pg.ts"

const story = trace.extend({ events: z.array(orderEvent.extend({ order_id: uuid })) })

export const explainOf = (database: DatabaseService) => (id: string) =>
  database.run(
    "read.why",
    (sql) =>
      Effect.gen(function* () {
        const found = yield* readTrace(sql, id)
        if (found === null) return null
        const ids = [...found.orders, ...found.exits].map((order) => String(order["id"]))
        const events =
          yield* sql<Item>`SELECT order_id, event, from_status, to_status, legal, detail, at FROM order_events
          WHERE order_id = ANY (${ids}::uuid[]) ORDER BY seq`
        const { data, error } = story.safeParse({ ...found, events: events.map(jsonItem) })
        invariant(data !== undefined, "a stored signal has the shape that it is explained from", {
          problems: error?.issues.slice(0, 3).map(({ message, path }) => `${path.join(".")}: ${message}`)
        })
        return whyOf(data)
      }),
    { deadlineMs: readLimits.queryMs }
  )
