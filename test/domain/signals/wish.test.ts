import { assert, describe, it } from "@effect/vitest"
import { type Wish, wishOf, type WishSignal } from "../../../src/domain/signals/wish.ts"

const silent: WishSignal = {
  action: null,
  direction: null,
  quantity: null,
  intent: null,
  positionSize: null,
  marketPosition: null,
  marketPositionSize: null
}
const text = (wish: Wish | null): string => {
  if (wish === null) return "unclear"
  if (wish.kind === "target") return `target ${wish.position}`
  return `${wish.kind} ${wish.side ?? "either"} ${wish.quantity ?? "all"}`
}

describe("what an alert asks for (T10)", () => {
  const table: ReadonlyArray<readonly [Partial<WishSignal>, string]> = [
    [{ action: "BUY" }, "plain buy 7"],
    [{ action: "SELL", quantity: "2" }, "plain sell 2"],
    [{ direction: "LONG" }, "open buy 7"],
    [{ direction: "SHORT" }, "open sell 7"],
    [{ direction: "CALL" }, "open buy 7"],
    [{ direction: "PUT" }, "open buy 7"],
    [{ action: "BUY", direction: "LONG" }, "open buy 7"],
    [{ action: "SELL", direction: "SHORT", quantity: "3" }, "open sell 3"],
    [{ action: "SELL", direction: "LONG" }, "close sell all"],
    [{ action: "SELL", direction: "LONG", quantity: "3" }, "close sell 3"],
    [{ action: "BUY", direction: "SHORT" }, "close buy all"],
    [{ action: "SELL", direction: "CALL" }, "close sell all"],
    [{ action: "SELL", direction: "PUT", quantity: "1" }, "close sell 1"],
    [{ intent: "close" }, "close either all"],
    [{ intent: "close", quantity: "4" }, "close either 4"],
    [{ intent: "close", action: "SELL" }, "close sell all"],
    [{ intent: "close", action: "BUY", quantity: "1" }, "close buy 1"],
    [{ intent: "close", action: "SELL", direction: "LONG" }, "close sell all"],
    [{ intent: "close", action: "BUY", direction: "SHORT", quantity: "2" }, "close buy 2"],
    [{ intent: "close", action: "SELL", quantity: "3", marketPosition: "flat" }, "close either all"],
    [{ intent: "open", action: "SELL" }, "open sell 7"],
    [{ intent: "open", direction: "LONG" }, "open buy 7"],
    [{ intent: "open", direction: "PUT" }, "open buy 7"],
    [{ intent: "open", action: "BUY", quantity: "2" }, "open buy 2"],
    [{ intent: "open" }, "unclear"],
    [{ intent: "reverse" }, "reverse either 7"],
    [{ intent: "reverse", action: "SELL", quantity: "2" }, "reverse sell 2"],
    [{ intent: "reverse", direction: "LONG" }, "reverse buy 7"],
    [{ intent: "reverse", direction: "SHORT" }, "reverse sell 7"],
    [{ intent: "target", positionSize: "-3" }, "target -3"],
    [{ intent: "target", positionSize: "2.50", action: "SELL" }, "target 2.5"],
    [{ intent: "target", positionSize: "0" }, "close either all"],
    [{ intent: "target", positionSize: "-0.0", action: "BUY" }, "close either all"],
    [{ intent: "target" }, "unclear"],
    [{ action: "SELL", quantity: "3", marketPosition: "long" }, "close sell 3"],
    [{ action: "SELL", marketPosition: "long" }, "close sell 7"],
    [{ action: "BUY", quantity: "3", marketPosition: "long" }, "open buy 3"],
    [{ action: "SELL", marketPosition: "short" }, "open sell 7"],
    [{ action: "BUY", quantity: "3", marketPosition: "short" }, "close buy 3"],
    [{ action: "BUY", marketPosition: "flat" }, "plain buy 7"],
    [{ action: "SELL", marketPosition: "flat" }, "plain sell 7"],
    [{ direction: "SHORT", marketPosition: "long" }, "open sell 7"],
    [{}, "unclear"]
  ]
  for (const [given, expected] of table) {
    it(`[${JSON.stringify(given)}] is ${expected}`, () => {
      assert.strictEqual(text(wishOf({ ...silent, ...given }, "7")), expected)
    })
  }
})
