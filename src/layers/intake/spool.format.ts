/**
 * The format of a spool segment: whole records, each with a checksum, one after the other.
 *
 * A process may be killed in the middle of a write, and a disk may lose or change bytes it has reported as written. So every
 * record begins with a mark, its length and a checksum of both length and content: what is not whole is recognised, and the
 * next record behind a damaged place is found again by its mark. No UTF-8 JSON contains the mark, so no body can imitate one.
 *
 * Promises: pure; what `encodeRecord` wrote is read back exactly, in order; of a file cut anywhere, exactly the records that are
 * whole are read; damage in the middle costs the records it lies in and no other.
 * Never: throws, whatever the bytes are.
 * Failure: of a file that is not what was written a caller gets the records that are, and how many places are not.
 */
import { crc32 } from "node:zlib"

/** The first line of every segment. */
export const SEGMENT_HEADER = Buffer.from("holdfast spool 1\n")

const mark = Buffer.from([0x48, 0x46, 0x01, 0x02])
const prefixBytes = mark.length + 8

const checksum = (length: Buffer, content: Buffer): number => crc32(content, crc32(length))

/** A record with this content. */
export const encodeRecord = (content: string): Buffer => {
  const bytes = Buffer.byteLength(content)
  const record = Buffer.allocUnsafe(prefixBytes + bytes)
  mark.copy(record)
  record.writeUInt32LE(bytes, mark.length)
  record.write(content, prefixBytes)
  const length = record.subarray(mark.length, mark.length + 4)
  record.writeUInt32LE(checksum(length, record.subarray(prefixBytes)), mark.length + 4)
  return record
}

/** What a segment contains. */
export interface SegmentContent {
  /** The contents of the whole records, oldest first. */
  readonly records: ReadonlyArray<string>
  /** Places with bytes that are no record and are followed by one: the disk has lost something. */
  readonly damaged: number
  /** Bytes at the end that are no whole record, as a kill in the middle of a write leaves them. */
  readonly torn: number
  /** False: the file is no segment of this format, and nothing was read. */
  readonly known: boolean
}

/** The end of the record at `at`, or null when there is no whole one. */
const endOf = (bytes: Buffer, at: number): number | null => {
  if (at + prefixBytes > bytes.length || bytes.compare(mark, 0, mark.length, at, at + mark.length) !== 0)
    return null
  const end = at + prefixBytes + bytes.readUInt32LE(at + mark.length)
  if (end > bytes.length) return null
  const length = bytes.subarray(at + mark.length, at + mark.length + 4)
  return checksum(length, bytes.subarray(at + prefixBytes, end)) === bytes.readUInt32LE(at + mark.length + 4)
    ? end
    : null
}

/** Where the next whole record begins, from `at` on; null when there is none. */
const nextFrom = (bytes: Buffer, at: number): number | null => {
  for (let found = bytes.indexOf(mark, at); found >= 0; found = bytes.indexOf(mark, found + 1))
    if (endOf(bytes, found) !== null) return found
  return null
}

export const readSegment = (bytes: Buffer): SegmentContent => {
  const header = bytes.subarray(0, SEGMENT_HEADER.length)
  if (!header.equals(SEGMENT_HEADER)) {
    // A kill while the file was made: nothing in it was ever acknowledged.
    const torn = header.equals(SEGMENT_HEADER.subarray(0, bytes.length))
    return { records: [], damaged: 0, torn: torn ? bytes.length : 0, known: torn }
  }
  const records: Array<string> = []
  let damaged = 0
  let at = SEGMENT_HEADER.length
  while (at < bytes.length) {
    const end = endOf(bytes, at)
    if (end === null) {
      const next = nextFrom(bytes, at + 1)
      if (next === null) break
      damaged += 1
      at = next
      continue
    }
    records.push(bytes.toString("utf8", at + prefixBytes, end))
    at = end
  }
  return { records, damaged, torn: bytes.length - at, known: true }
}
