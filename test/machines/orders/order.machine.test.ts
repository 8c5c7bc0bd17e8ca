import { assert, describe, it } from "vitest"
import { createActor } from "xstate"
import { ORDER_EVENTS, ORDER_STATUSES, ORDER_TRANSITIONS } from "../../../src/domain/orders/order.ts"
import { orderMachine, orderStateOf } from "../../../src/machines/orders/order.machine.ts"

describe("the order machine", () => {
  it("has one state per status, named after it", () => {
    assert.deepStrictEqual(
      Object.keys(orderMachine.states).toSorted(),
      ORDER_STATUSES.map(orderStateOf).toSorted()
    )
    assert.strictEqual(orderStateOf("partially_filled"), "PartiallyFilled")
  })

  for (const status of ORDER_STATUSES) {
    it(`[${status}] does for every event what the table says, and nothing else`, () => {
      for (const event of ORDER_EVENTS) {
        const from = orderMachine.resolveState({ value: orderStateOf(status), context: {} })
        const actor = createActor(orderMachine, { snapshot: from })
        actor.start()
        const expected = ORDER_TRANSITIONS[status][event]
        const handled = orderMachine.states[orderStateOf(status)]?.transitions.has(event)
        assert.strictEqual(handled, expected !== undefined, `${status} ${event}`)
        actor.send({ type: event })
        assert.strictEqual(actor.getSnapshot().value, orderStateOf(expected ?? status), `${status} ${event}`)
      }
    })
  }
})
