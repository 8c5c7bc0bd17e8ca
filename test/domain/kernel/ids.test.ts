/** Ids are computed: the same thing has the same id everywhere, and two things never share one. */
import { createHash } from "node:crypto"

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import {
  clientOrderId,
  deadLetterId,
  digest128,
  type EntryKey,
  exitClientOrderId,
  type ExitKey,
  exitOrderId,
  orderId,
  positionId,
  signalId,
  tradeRecordId,
  uuidFromDigest
} from "../../../src/domain/kernel/ids.ts"

const UUID_8 = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const entry: EntryKey = {
  signalId: signalId("default", "event:1"),
  account: "paper-1",
  strategy: "default",
  leg: 0
}
const exit: ExitKey = {
  account: "paper-1",
  positionId: positionId("paper-1", "SPY"),
  positionEpoch: 1,
  exitNumber: 1
}
const trade = { venue: "practice", account: "paper-1", symbol: "SPY", venueOrderId: "v-1", tradeId: "t-1" }

const PINNED = [
  "86cfaa11-57a7-88cf-b4ee-d71684cca705",
  "1fd3dcf7-4846-8f52-ab5d-161dfd3bd3af",
  "a44bf52e3e6bb9a1a388d9757a129485",
  "ff80a72d-139e-8a3e-a430-2a011d0730c0",
  "a462bf75698480949e4f359f5508d72f",
  "83346cb7-415a-8355-b255-1e968e8a7271",
  "58b0728d-bdf2-80a9-a55e-7bdcec881465"
]

describe("an id", () => {
  it("of a signal is the first 128 bits of sha256 with the bits of UUID version 8", () => {
    const hex = createHash("sha256").update('["signal","default","event:1"]').digest("hex").slice(0, 32)
    const id = signalId("default", "event:1").replaceAll("-", "")
    assert.strictEqual(
      id.slice(0, 12) + id.slice(13, 16) + id.slice(17),
      hex.slice(0, 12) + hex.slice(13, 16) + hex.slice(17)
    )
    assert.match(signalId("default", "event:1"), UUID_8)
  })

  it("for the venue is 32 hexadecimal characters and rises with the attempt only", () => {
    assert.match(clientOrderId(entry, 1), /^[0-9a-f]{32}$/)
    assert.match(exitClientOrderId(exit, 1), /^[0-9a-f]{32}$/)
    assert.notStrictEqual(clientOrderId(entry, 1), clientOrderId(entry, 2))
    assert.strictEqual(clientOrderId(entry, 1), clientOrderId({ ...entry }, 1))
  })

  it("does not move between versions of holdfast", () => {
    // Pinned: rows of running systems carry these.
    assert.deepStrictEqual(
      [
        signalId("default", "event:1"),
        orderId(entry),
        clientOrderId(entry, 1),
        exitOrderId(exit),
        exitClientOrderId(exit, 1),
        positionId("paper-1", "SPY"),
        tradeRecordId(trade)
      ],
      PINNED
    )
  })

  it("is a UUID wherever the column is one", () => {
    for (const id of [
      orderId(entry),
      exitOrderId(exit),
      positionId("a", "b"),
      tradeRecordId(trade),
      deadLetterId("a", "b", "c")
    ]) {
      assert.match(id, UUID_8)
    }
  })

  it("changes with every part of what it is about", () => {
    const ids = [
      orderId(entry),
      orderId({ ...entry, signalId: signalId("default", "event:2") }),
      orderId({ ...entry, account: "paper-2" }),
      orderId({ ...entry, strategy: "other" }),
      orderId({ ...entry, leg: 1 }),
      exitOrderId(exit),
      exitOrderId({ ...exit, account: "paper-2" }),
      exitOrderId({ ...exit, positionId: positionId("paper-1", "QQQ") }),
      exitOrderId({ ...exit, positionEpoch: 2 }),
      exitOrderId({ ...exit, exitNumber: 2 }),
      tradeRecordId(trade),
      ...(["venue", "account", "symbol", "venueOrderId", "tradeId"] as const).map((key) =>
        tradeRecordId({ ...trade, [key]: "other" })
      )
    ]
    assert.strictEqual(new Set(ids).size, ids.length)
  })

  it.prop(
    "never meets one whose parts were cut elsewhere",
    [Schema.String, Schema.String, Schema.String],
    ([a, b, c]) => {
      if (b === "") return
      assert.notStrictEqual(digest128("k", [a, b + c]), digest128("k", [a + b, c]))
      assert.notStrictEqual(digest128("k", [a, b]), digest128("k", [a, b, c]))
      assert.notStrictEqual(digest128(`k${a}`, [b]), digest128("k", [a, b]))
    },
    { arbitrary: { runs: 500, seed: 61 } }
  )

  it("is not made from anything but a digest", () => {
    assert.throws(() => uuidFromDigest("abc"), /invariant violated/)
  })
})
