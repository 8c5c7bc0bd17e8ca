/** The order table as a whole: its status sets, their agreement with the schema, and every legal pair. */
import { readdirSync, readFileSync } from "node:fs"

import { assert, describe, it } from "@effect/vitest"

import {
  AT_VENUE,
  BLOCKS_SYMBOL,
  OPEN,
  ORDER_EVENTS,
  ORDER_STATUSES,
  ORDER_TRANSITIONS,
  type OrderEvent,
  type OrderStatus,
  SETTLES,
  TERMINAL
} from "../../../src/domain/orders/order.ts"
import { SHORT_ENDS } from "../../../src/domain/orders/partial.ts"

const legal = (status: OrderStatus, event: OrderEvent): boolean =>
  ORDER_TRANSITIONS[status][event] !== undefined

describe("the sets of statuses", () => {
  it("split every status into open and terminal", () => {
    assert.strictEqual(OPEN.size + TERMINAL.size, ORDER_STATUSES.length)
    for (const status of ORDER_STATUSES) assert.notStrictEqual(OPEN.has(status), TERMINAL.has(status), status)
  })
  it("contain each other as they should", () => {
    for (const [inner, outer] of [
      [AT_VENUE, OPEN],
      [BLOCKS_SYMBOL, AT_VENUE],
      [SETTLES, TERMINAL]
    ] as const) {
      assert.isTrue([...inner].every((status) => outer.has(status)))
    }
  })
  it("are those of the events they stand for", () => {
    const having = (event: OrderEvent): ReadonlyArray<OrderStatus> =>
      ORDER_STATUSES.filter((status) => legal(status, event))
    assert.deepStrictEqual(having("order.cancel_requested").toSorted(), ["acked", "partially_filled"])
    assert.deepStrictEqual(having("order.withdrawn").toSorted(), ["held", "intended"])
  })
  it("block the symbol of an order that nobody knows about, and not of one that merely lives", () => {
    assert.isTrue(
      ["submitting", "unknown", "resolving", "needs_operator"].every((status) =>
        BLOCKS_SYMBOL.has(status as OrderStatus)
      )
    )
    assert.isFalse(BLOCKS_SYMBOL.has("acked") || BLOCKS_SYMBOL.has("pending_cancel"))
  })

  const folder = new URL("../../../migrations/", import.meta.url)
  const schema = readdirSync(folder)
    .toSorted()
    .map((file) => readFileSync(new URL(file, folder), "utf8"))
    .join("\n")
  const listAfter = (marker: string): ReadonlyArray<string> => {
    // The newest migration that says it is the one in force.
    const from = schema.lastIndexOf(marker)
    assert.isAtLeast(from, 0, marker)
    const list = /status IN \(([^)]*)\)/.exec(schema.slice(from))?.[1] ?? ""
    return [...list.matchAll(/'(\w+)'/g)].map((match) => match[1] ?? "").toSorted()
  }
  for (const [marker, set] of [
    ["ADD CONSTRAINT orders_status_check", ORDER_STATUSES],
    ["CREATE INDEX orders_at_venue", AT_VENUE],
    ["CREATE INDEX orders_open", OPEN],
    ["CREATE INDEX orders_unsettled", SETTLES],
    ["CREATE INDEX orders_partial", SHORT_ENDS],
    ["CREATE UNIQUE INDEX orders_one_live_exit", OPEN]
  ] as const) {
    it(`agree with the schema [${marker}]`, () => {
      assert.deepStrictEqual(listAfter(marker), [...set].toSorted())
    })
  }
})

/** Two letters for each status: the columns of the table below, in the order of a life. */
const CODES = {
  intended: "in",
  held: "he",
  submitting: "su",
  acked: "ac",
  partially_filled: "pf",
  pending_cancel: "pc",
  unknown: "un",
  resolving: "rs",
  needs_operator: "no",
  denied: "de",
  withdrawn: "wi",
  expired_unsent: "eu",
  rejected: "rj",
  filled: "fi",
  cancelled: "ca",
  expired: "ex"
} as const satisfies Readonly<Record<OrderStatus, string>>

/**
 * Every status (column) and every event (row): what follows, or `--`, which is illegal: stored, alerted, and without effect
 * (test/integration/order-lifecycle.test.ts does each of them to rows).
 */
const TABLE = `
                           in he su ac pf pc un rs no de wi eu rj fi ca ex
order.denied               de de -- -- -- -- -- -- -- -- -- -- -- -- -- --
order.held                 he -- -- -- -- -- -- -- -- -- -- -- -- -- -- --
order.released             -- in -- -- -- -- -- -- -- -- -- -- -- -- -- --
order.expired_unsent       eu eu -- -- -- -- -- eu -- -- -- -- -- -- -- --
order.withdrawn            wi wi -- -- -- -- -- -- -- -- -- -- -- -- -- --
order.submitted            su -- -- -- -- -- -- -- -- -- -- -- -- -- -- --
order.cancel_requested     -- -- -- pc pc -- -- -- -- -- -- -- -- -- -- --
order.outcome_lost         -- -- un -- -- un -- un -- -- -- -- -- -- -- --
order.lookup_started       -- -- -- -- -- -- rs -- rs -- -- -- -- -- -- --
order.resubmitted          -- -- -- -- -- -- -- su -- -- -- -- -- -- -- --
order.escalated            -- -- -- -- -- -- no no -- -- -- -- -- -- -- --
order.resolved_placed      -- -- -- -- -- -- -- -- ac -- -- -- -- -- -- --
order.resolved_not_placed  -- -- -- -- -- -- -- -- in -- -- -- -- -- -- --
order.resolved_over        -- -- -- -- -- -- -- -- ca -- -- -- -- -- -- --
order.acked                -- -- ac ac pf pc ac ac ac -- -- -- -- fi ca ex
order.partially_filled     -- -- pf pf pf pc pf pf pf -- -- -- -- fi ca ex
order.filled               -- -- fi fi fi fi fi fi fi -- -- -- -- fi fi fi
order.cancelled            -- -- ca ca ca ca ca ca ca -- -- -- -- -- ca --
order.expired              -- -- ex ex ex ex ex ex ex -- -- -- -- -- -- ex
order.rejected             -- -- rj rj -- rj rj rj rj -- -- -- rj -- -- --
order.cancel_refused       -- -- -- -- -- un -- -- -- -- -- -- -- -- -- --
fill.partial               -- -- pf pf pf pc pf pf pf -- -- -- -- fi ca ex
fill.complete              -- -- fi fi fi fi fi fi fi -- -- -- -- fi fi fi
fill.excess                -- -- -- -- -- -- -- -- -- -- -- -- -- -- -- --`

describe("the table", () => {
  const [head = "", ...lines] = TABLE.trimStart().split("\n")
  const cells = lines.map((line) => line.split(/\s+/))

  it("has a column for every status and a row for every event", () => {
    assert.deepStrictEqual(
      head.split(" "),
      ORDER_STATUSES.map((status) => CODES[status])
    )
    assert.deepStrictEqual(
      cells.map(([event]) => event ?? ""),
      [...ORDER_EVENTS]
    )
  })

  it.each(ORDER_STATUSES)(
    "[%s] is this one: after every event what follows, or that it is illegal",
    (status) => {
      const column = 1 + ORDER_STATUSES.indexOf(status)
      const next = ORDER_EVENTS.map((event) => ORDER_TRANSITIONS[status][event])
      assert.deepStrictEqual(
        ORDER_EVENTS.map((event, n) => `${event} ${next[n] === undefined ? "--" : CODES[next[n]]}`),
        cells.map((row) => `${row[0]} ${row[column]}`)
      )
    }
  )
})
