/** The order table as a whole: its status sets, their agreement with the schema, and every legal pair. */
import { readdirSync, readFileSync } from "node:fs"

import { assert, describe, expect, it } from "@effect/vitest"

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
    ["CREATE UNIQUE INDEX orders_one_live_exit", OPEN]
  ] as const) {
    it(`agree with the schema [${marker}]`, () => {
      assert.deepStrictEqual(listAfter(marker), [...set].toSorted())
    })
  }
})

describe("the table", () => {
  it("is this one: every legal pair, with what follows", () => {
    const rows = ORDER_STATUSES.map((status) => {
      const pairs = ORDER_EVENTS.flatMap((event) => {
        const next = ORDER_TRANSITIONS[status][event]
        return next === undefined ? [] : [`${event} -> ${next === status ? "=" : next}`]
      })
      return [status, ...pairs].join("\n  ")
    })
    assert.strictEqual(rows.length, 16)
    expect(rows.join("\n")).toMatchInlineSnapshot(`
      "intended
        order.denied -> denied
        order.held -> held
        order.expired_unsent -> expired_unsent
        order.withdrawn -> withdrawn
        order.submitted -> submitting
      held
        order.denied -> denied
        order.released -> intended
        order.expired_unsent -> expired_unsent
        order.withdrawn -> withdrawn
      submitting
        order.outcome_lost -> unknown
        order.acked -> acked
        order.partially_filled -> partially_filled
        order.filled -> filled
        order.cancelled -> cancelled
        order.expired -> expired
        order.rejected -> rejected
        fill.partial -> partially_filled
        fill.complete -> filled
      acked
        order.cancel_requested -> pending_cancel
        order.acked -> =
        order.partially_filled -> partially_filled
        order.filled -> filled
        order.cancelled -> cancelled
        order.expired -> expired
        order.rejected -> rejected
        fill.partial -> partially_filled
        fill.complete -> filled
      partially_filled
        order.cancel_requested -> pending_cancel
        order.acked -> =
        order.partially_filled -> =
        order.filled -> filled
        order.cancelled -> cancelled
        order.expired -> expired
        fill.partial -> =
        fill.complete -> filled
      pending_cancel
        order.outcome_lost -> unknown
        order.acked -> =
        order.partially_filled -> =
        order.filled -> filled
        order.cancelled -> cancelled
        order.expired -> expired
        order.rejected -> rejected
        order.cancel_refused -> unknown
        fill.partial -> =
        fill.complete -> filled
      unknown
        order.lookup_started -> resolving
        order.escalated -> needs_operator
        order.acked -> acked
        order.partially_filled -> partially_filled
        order.filled -> filled
        order.cancelled -> cancelled
        order.expired -> expired
        order.rejected -> rejected
        fill.partial -> partially_filled
        fill.complete -> filled
      resolving
        order.expired_unsent -> expired_unsent
        order.outcome_lost -> unknown
        order.resubmitted -> submitting
        order.escalated -> needs_operator
        order.acked -> acked
        order.partially_filled -> partially_filled
        order.filled -> filled
        order.cancelled -> cancelled
        order.expired -> expired
        order.rejected -> rejected
        fill.partial -> partially_filled
        fill.complete -> filled
      needs_operator
        order.lookup_started -> resolving
        order.resolved_placed -> acked
        order.resolved_not_placed -> intended
        order.acked -> acked
        order.partially_filled -> partially_filled
        order.filled -> filled
        order.cancelled -> cancelled
        order.expired -> expired
        order.rejected -> rejected
        fill.partial -> partially_filled
        fill.complete -> filled
      denied
      withdrawn
      expired_unsent
      rejected
        order.rejected -> =
      filled
        order.acked -> =
        order.partially_filled -> =
        order.filled -> =
        fill.partial -> =
        fill.complete -> =
      cancelled
        order.acked -> =
        order.partially_filled -> =
        order.filled -> filled
        order.cancelled -> =
        fill.partial -> =
        fill.complete -> filled
      expired
        order.acked -> =
        order.partially_filled -> =
        order.filled -> filled
        order.expired -> =
        fill.partial -> =
        fill.complete -> filled"
    `)
  })
})
