import { EventEmitter } from "node:events"
import { assert, describe, it } from "vitest"
import { type BodyRead, readBody } from "../../../src/layers/api/http.body.ts"
import type { Exchange } from "../../../src/layers/api/http.exchange.ts"

/** A body in these pieces, of which each is the sender's to use again afterwards. */
const read = (pieces: ReadonlyArray<string>, bytesMax = 1_024): BodyRead | undefined => {
  const request = new EventEmitter()
  const results: Array<BodyRead> = []
  const exchange = { request, startedAt: performance.now() } as unknown as Exchange
  readBody(
    exchange,
    bytesMax,
    (body) => void results.push(typeof body === "string" ? body : Buffer.from(body))
  )
  const [first = "", ...others] = pieces
  request.emit("data", Buffer.from(first))
  const shared = Buffer.alloc(bytesMax)
  for (const piece of others) request.emit("data", shared.subarray(0, shared.write(piece)))
  request.emit("end")
  assert.lengthOf(results, 1)
  return results[0]
}

describe("a body", () => {
  it.each([
    ["in one piece", ["whole"]],
    ["in two", ["wh", "ole"]],
    ["with an empty piece first", ["", "whole"]],
    ["empty", []],
    ["of bytes that come one by one", Array.from({ length: 950 }, (_, n) => String(n % 10))],
    ["as large as it may be", ["x".repeat(1_000), "y".repeat(24)]]
  ])("is what was sent, and none of its pieces is kept [%s]", (_, pieces) => {
    assert.strictEqual(String(read(pieces)), pieces.join(""))
  })

  it("that is too large is not read on", () => {
    assert.strictEqual(read(["x".repeat(1_000), "y".repeat(25)]), "too_large")
  })
})
