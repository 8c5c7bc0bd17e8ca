/** What is read back of a file that was cut or changed anywhere. */
import { assert, describe, it } from "vitest"
import { encodeRecord, readSegment, SEGMENT_HEADER } from "../../../src/layers/intake/spool.format.ts"

const contents = ["", "{}", '{"symbol":"ES1!","note":"é😀\\u0001"}', "x".repeat(300), "last"]
const records = contents.map(encodeRecord)
const whole = Buffer.concat([SEGMENT_HEADER, ...records])
/** Where each record ends. */
const ends = records.map((_, index) =>
  records.slice(0, index + 1).reduce((sum, record) => sum + record.length, SEGMENT_HEADER.length)
)

describe("a segment of the spool", () => {
  it("is read back as it was written, in order", () => {
    assert.deepStrictEqual(readSegment(whole), { records: contents, damaged: 0, torn: 0, known: true })
  })

  it("cut at any byte: exactly the whole records are read, and the rest is torn", () => {
    for (let length = 0; length <= whole.length; length += 1) {
      const cut = readSegment(whole.subarray(0, length))
      const count = ends.filter((end) => end <= length).length
      assert.deepStrictEqual(cut.records, contents.slice(0, count), `cut at ${length}`)
      assert.strictEqual(cut.damaged, 0, `cut at ${length}`)
      assert.isTrue(cut.known, `cut at ${length}`)
      const from = length < SEGMENT_HEADER.length ? 0 : (ends[count - 1] ?? SEGMENT_HEADER.length)
      assert.strictEqual(cut.torn, length - from, `cut at ${length}`)
    }
  })

  it("changed in any byte: all records but the one it lies in are read", () => {
    for (let at = SEGMENT_HEADER.length; at < whole.length; at += 1) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 0x40
      const hit = ends.findIndex((end) => at < end)
      const read = readSegment(bytes)
      assert.deepStrictEqual(
        read.records,
        contents.filter((_, index) => index !== hit),
        `changed at ${at}`
      )
      assert.strictEqual(read.damaged, hit === contents.length - 1 ? 0 : 1, `changed at ${at}`)
    }
  })

  it("overwritten by zeros in the middle, as a disk leaves a page it lost: the records around are read", () => {
    const bytes = Buffer.from(whole)
    bytes.fill(0, (ends[0] ?? 0) + 3, (ends[2] ?? 0) + 5)
    const read = readSegment(bytes)
    assert.deepStrictEqual(read.records, ["", "last"])
    assert.strictEqual(read.damaged, 1)
  })

  it("of another kind is not read at all", () => {
    for (const bytes of [Buffer.from("holdfast spool 2\nrest"), Buffer.alloc(64)])
      assert.deepInclude(readSegment(bytes), { records: [], known: false })
  })

  it("whose content looks like a record is still its content", () => {
    const inner = encodeRecord("inner").toString("latin1")
    const bytes = Buffer.concat([SEGMENT_HEADER, encodeRecord(JSON.stringify(inner)), encodeRecord("next")])
    assert.deepStrictEqual(readSegment(bytes).records, [JSON.stringify(inner), "next"])
    // Not even when the record around it is damaged: JSON escapes the bytes that a mark is made of.
    bytes[SEGMENT_HEADER.length] = 0
    assert.deepStrictEqual(readSegment(bytes).records, ["next"])
  })
})
