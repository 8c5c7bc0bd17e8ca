/** The life of an order: the chart of the design, its legal surprises, and that nothing else may happen. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"

import {
  AT_VENUE,
  nextStatus,
  ORDER_EVENTS,
  ORDER_STATUSES,
  ORDER_TRANSITIONS,
  type OrderEvent,
  type OrderStatus,
  surpriseOf,
  TERMINAL
} from "../../../src/domain/orders/order.ts"

const lived = (
  from: OrderStatus,
  ...events: ReadonlyArray<OrderEvent>
): ReadonlyArray<OrderStatus | "illegal"> => {
  let status = from
  return events.map((event) => {
    const next = nextStatus(status, event)
    if (Result.isFailure(next)) return "illegal"
    status = next.success
    return status
  })
}
const legal = (status: OrderStatus, event: OrderEvent): boolean => Result.isSuccess(nextStatus(status, event))
const anyEvents = Arbitrary.array(Arbitrary.schema(Schema.Literals(ORDER_EVENTS)), { maxLength: 40 })

describe("an order that goes well", () => {
  it("is intended, submitted, acked, partially filled and filled", () => {
    assert.deepStrictEqual(
      lived("intended", "order.submitted", "order.acked", "fill.partial", "fill.partial", "fill.complete"),
      ["submitting", "acked", "partially_filled", "partially_filled", "filled"]
    )
  })
  it("may be cancelled on the way, and fills while the cancel travels", () => {
    assert.deepStrictEqual(lived("acked", "order.cancel_requested", "fill.partial", "order.cancelled"), [
      "pending_cancel",
      "pending_cancel",
      "cancelled"
    ])
    assert.deepStrictEqual(lived("partially_filled", "order.cancel_requested", "fill.complete"), [
      "pending_cancel",
      "filled"
    ])
  })
  it("may be held and released, and taken back before it was sent", () => {
    assert.deepStrictEqual(lived("intended", "order.held", "order.released", "order.withdrawn"), [
      "held",
      "intended",
      "withdrawn"
    ])
  })
})

describe("a legal surprise", () => {
  it("is a fill before the ack, and the ack that comes after it", () => {
    assert.deepStrictEqual(lived("submitting", "fill.partial", "order.acked"), [
      "partially_filled",
      "partially_filled"
    ])
    assert.deepStrictEqual(lived("submitting", "fill.complete", "order.acked"), ["filled", "filled"])
    assert.strictEqual(surpriseOf("submitting", "fill.complete"), "fill_before_ack")
    assert.strictEqual(surpriseOf("filled", "order.acked"), "late_report")
  })
  it("is a fill after the cancel: a complete one fills the order, a partial one leaves it cancelled", () => {
    assert.deepStrictEqual(lived("cancelled", "fill.partial", "fill.complete"), ["cancelled", "filled"])
    assert.deepStrictEqual(lived("expired", "fill.complete"), ["filled"])
    assert.strictEqual(surpriseOf("cancelled", "fill.partial"), "fill_after_cancel")
  })
  it("is not what usually happens", () => {
    for (const [status, event] of [
      ["acked", "fill.partial"],
      ["partially_filled", "fill.partial"],
      ["submitting", "order.acked"],
      ["pending_cancel", "order.cancelled"]
    ] as const) {
      assert.isNull(surpriseOf(status, event))
    }
  })
})

describe("T5 an order whose outcome is unknown", () => {
  it("K4 K5 is looked up and adopted as the venue has it", () => {
    for (const [event, status] of [
      ["order.acked", "acked"],
      ["order.partially_filled", "partially_filled"],
      ["order.filled", "filled"],
      ["order.cancelled", "cancelled"],
      ["order.expired", "expired"],
      ["order.rejected", "rejected"]
    ] as const) {
      assert.deepStrictEqual(lived("submitting", "order.outcome_lost", "order.lookup_started", event), [
        "unknown",
        "resolving",
        status
      ])
    }
  })
  it("[U, R] not found goes out again as the same order, and may be lost again", () => {
    assert.deepStrictEqual(lived("resolving", "order.resubmitted", "order.outcome_lost"), [
      "submitting",
      "unknown"
    ])
  })
  it("[O, N] not found ends with a human, whose word decides", () => {
    assert.deepStrictEqual(lived("resolving", "order.escalated", "order.resolved_placed"), [
      "needs_operator",
      "acked"
    ])
    assert.deepStrictEqual(lived("resolving", "order.escalated", "order.resolved_not_placed"), [
      "needs_operator",
      "intended"
    ])
  })
  it("K9 during a cancel is asked for, also when the venue refuses the cancel", () => {
    assert.deepStrictEqual(lived("pending_cancel", "order.outcome_lost", "order.lookup_started"), [
      "unknown",
      "resolving"
    ])
    assert.deepStrictEqual(lived("pending_cancel", "order.cancel_refused", "order.lookup_started"), [
      "unknown",
      "resolving"
    ])
  })
  it("is known again as soon as the venue attests it, even while a human was asked", () => {
    assert.deepStrictEqual(lived("needs_operator", "fill.complete"), ["filled"])
    assert.deepStrictEqual(lived("unknown", "order.acked"), ["acked"])
  })
  it("is never sent by itself: only from intended, or again under the same id from resolving", () => {
    const senders = ORDER_STATUSES.flatMap((status) =>
      ORDER_EVENTS.filter((event) => ORDER_TRANSITIONS[status][event] === "submitting").map(
        (event) => `${status} ${event}`
      )
    )
    assert.deepStrictEqual(senders, ["intended order.submitted", "resolving order.resubmitted"])
  })
  it("gets a new attempt by an operator only", () => {
    const again = ORDER_STATUSES.flatMap((status) =>
      ORDER_EVENTS.filter((event) => AT_VENUE.has(status) && ORDER_TRANSITIONS[status][event] === "intended")
    )
    assert.deepStrictEqual(again, ["order.resolved_not_placed"])
  })
  it("K3 that was intended and became stale is not sent", () => {
    assert.deepStrictEqual(lived("intended", "order.expired_unsent"), ["expired_unsent"])
    assert.isFalse(legal("submitting", "order.expired_unsent"))
  })
})

describe("an illegal event", () => {
  it("is a value that names the pair, and never throws", () => {
    const next = nextStatus("denied", "order.acked")
    assert(Result.isFailure(next))
    assert.deepInclude(next.failure, { _tag: "IllegalTransition", status: "denied", event: "order.acked" })
  })
  it("is any fill of an order that was never sent or was refused", () => {
    for (const status of ["intended", "held", "denied", "expired_unsent", "rejected"] as const) {
      for (const event of ["fill.partial", "fill.complete", "order.filled"] as const)
        assert.isFalse(legal(status, event), `${status} ${event}`)
    }
  })
  it("is a fill of more than was ordered, in every status", () => {
    for (const status of ORDER_STATUSES) assert.isFalse(legal(status, "fill.excess"), status)
  })
  it("is a cancel or a rejection of what is filled", () => {
    assert.isFalse(legal("filled", "order.cancelled"))
    assert.isFalse(legal("filled", "order.rejected"))
    assert.isFalse(legal("partially_filled", "order.rejected"))
  })
})

describe("a terminal order", () => {
  it("is left by a complete fill of a cancelled or expired one, and by nothing else", () => {
    const exits = [...TERMINAL].flatMap((status) =>
      ORDER_EVENTS.filter((event) => {
        const next = ORDER_TRANSITIONS[status][event]
        return next !== undefined && next !== status
      }).map((event) => `${status} ${event} ${ORDER_TRANSITIONS[status][event]}`)
    )
    assert.deepStrictEqual(exits.toSorted(), [
      "cancelled fill.complete filled",
      "cancelled order.filled filled",
      "expired fill.complete filled",
      "expired order.filled filled"
    ])
  })

  it.prop(
    "stays terminal whatever happens, and filled stays filled",
    [Arbitrary.schema(Schema.Literals([...TERMINAL])), anyEvents],
    ([start, events]) => {
      const path = lived(start, ...events).filter((status) => status !== "illegal")
      assert.isTrue(path.every((status) => TERMINAL.has(status)))
      const filledAt = path.indexOf("filled")
      if (filledAt >= 0) assert.isTrue(path.slice(filledAt).every((status) => status === "filled"))
    },
    { arbitrary: { runs: 500, seed: 91 } }
  )
})

describe("any life of an order", () => {
  it.prop(
    "reaches the wire only through submitting",
    [anyEvents],
    ([events]) => {
      const path = lived("intended", ...events).filter((status) => status !== "illegal")
      const wired = path.findIndex((status) => AT_VENUE.has(status))
      if (wired >= 0) assert.strictEqual(path[wired], "submitting")
    },
    { arbitrary: { runs: 1_000, seed: 92 } }
  )

  it("can end from every status", () => {
    for (const start of ORDER_STATUSES) {
      const reached = new Set<OrderStatus>([start])
      for (const status of reached)
        for (const next of Object.values(ORDER_TRANSITIONS[status])) reached.add(next)
      assert.isTrue(
        [...reached].some((status) => TERMINAL.has(status)),
        start
      )
    }
  })

  it("can reach every status", () => {
    const reached = new Set<OrderStatus>(["intended"])
    for (const status of reached)
      for (const next of Object.values(ORDER_TRANSITIONS[status])) reached.add(next)
    assert.deepStrictEqual([...reached].toSorted(), [...ORDER_STATUSES].toSorted())
  })
})

describe("each legal pair", () => {
  it("is a surprise only as these are", () => {
    const found = ORDER_STATUSES.flatMap((status) =>
      ORDER_EVENTS.flatMap((event) => {
        const surprise = surpriseOf(status, event)
        return surprise === null ? [] : [`${surprise}: ${status} ${event}`]
      })
    )
    assert.deepStrictEqual(found.toSorted(), [
      "fill_after_cancel: cancelled fill.complete",
      "fill_after_cancel: cancelled fill.partial",
      "fill_after_cancel: cancelled order.filled",
      "fill_after_cancel: expired fill.complete",
      "fill_after_cancel: expired fill.partial",
      "fill_after_cancel: expired order.filled",
      "fill_before_ack: submitting fill.complete",
      "fill_before_ack: submitting fill.partial",
      "late_report: acked order.acked",
      "late_report: cancelled order.acked",
      "late_report: cancelled order.cancelled",
      "late_report: cancelled order.partially_filled",
      "late_report: expired order.acked",
      "late_report: expired order.expired",
      "late_report: expired order.partially_filled",
      "late_report: filled order.acked",
      "late_report: filled order.filled",
      "late_report: filled order.partially_filled",
      "late_report: partially_filled order.acked",
      "late_report: pending_cancel order.acked",
      "late_report: pending_cancel order.partially_filled",
      "late_report: rejected order.rejected"
    ])
  })
})
