/** Ids are computed: the same thing has the same id everywhere, and two things never share one. */
import { createHash } from "node:crypto"

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import {
  auditId,
  clientOrderId,
  closeClientOrderId,
  type CloseKey,
  closeOrderId,
  commandId,
  deadLetterId,
  digest128,
  type EntryKey,
  exitClientOrderId,
  type ExitKey,
  exitOrderId,
  isUuid,
  orderId,
  positionId,
  refusedSignalId,
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

describe("the ids of what operators do and what is refused", () => {
  const close: CloseKey = { commandId: "c-1", positionId: "p-1", strategy: "default" }

  it("do not move between versions of holdfast either", () => {
    assert.deepStrictEqual(
      [
        closeOrderId(close),
        closeClientOrderId(close, 1),
        closeOrderId({ ...close, entryId: "e-1" }),
        auditId("life", 1),
        commandId("key", "print"),
        deadLetterId("a", "b", "c"),
        refusedSignalId("s-1")
      ],
      [
        "f7a1df04-8b64-821c-9c99-fb7c1618626c",
        "82f9392864c79256ad6b99be7560e4a7",
        "00df39bf-bc63-8bd5-b6c9-2cced69bb65d",
        "ada7c562-fbd0-869d-9312-45e7eef5b089",
        "9a336e20-bdfb-83a0-80e8-8fcabeeea440",
        "3b4d03b2-202d-8b45-bf9d-0ec6d1cdac9e",
        "111fae81-5111-81d3-920b-baabc4fdaf8b"
      ]
    )
  })

  it("change with every part: no close is taken for another", () => {
    const ids = [
      close,
      { ...close, commandId: "c-2" },
      { ...close, positionId: "p-2" },
      { ...close, strategy: "other" },
      { ...close, entryId: "e-1" },
      { ...close, entryId: "e-2" }
    ].flatMap((key) => [closeOrderId(key), closeClientOrderId(key, 1), closeClientOrderId(key, 2)])
    assert.strictEqual(new Set(ids).size, ids.length)
  })
})

describe("a digest and a UUID", () => {
  const hex = "0123456789abcdef0123456789abcdef"

  it("keep the digits in their places, but for version and variant", () => {
    assert.strictEqual(uuidFromDigest(hex), "01234567-89ab-8def-8123-456789abcdef")
    assert.strictEqual(uuidFromDigest("f".repeat(32)), "ffffffff-ffff-8fff-bfff-ffffffffffff")
  })

  it("are read only when they are whole", () => {
    for (const text of [hex.slice(1), `${hex}0`, `g${hex.slice(1)}`, hex.toUpperCase()])
      assert.throws(() => uuidFromDigest(text), /a digest is 32 hexadecimal characters/)
    const uuid = "01234567-89ab-1def-8123-456789abcdef"
    assert.isTrue(isUuid(uuid) && isUuid(uuid.toUpperCase()))
    for (const text of [`${uuid}0`, `0${uuid}`, uuid.replaceAll("-", ""), uuid.replace("0", "g"), ""])
      assert.isFalse(isUuid(text), text)
  })
})
