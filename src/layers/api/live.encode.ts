/**
 * Live encoding: entries and messages as bytes, once for all viewers.
 *
 * A server's WebSocket frames are not masked, and a chunk of server-sent events is text: both are the same bytes for every
 * viewer. So a chunk is encoded once, and what fifty viewers have not read yet is one buffer and not fifty.
 *
 * Promises: a frame or an event is never split over two buffers.
 * Never: knows a viewer.
 * Failure: what JSON cannot write is left out of its entry; nothing here throws.
 */
import type { JournalEntry } from "../../domain/platform/journal.ts"
import { entryItem, type LiveMessage } from "../../wire/journal.ts"

export type StreamFormat = "ws" | "sse"

/** One entry's JSON, and its number. */
export interface EntryText {
  readonly seq: number
  readonly json: string
}

/** The JSON of an entry. What was recorded with a value that JSON cannot write is shown without it. */
export const entryText = (entry: JournalEntry, boot: string): EntryText => {
  const { seq } = entry
  const item = entryItem(entry, boot)
  try {
    return { seq, json: JSON.stringify(item) }
  } catch {
    // Thrown from a timer it would end the process, for the sake of a viewer.
    return { seq, json: JSON.stringify({ ...item, context: null, detail: null }) }
  }
}

/** FIN and the opcode of text. */
const TEXT_FRAME = 0x81
const SHORT_MAX = 125
const MIDDLE_MAX = 0xff_ff

const headerBytes = (length: number): number => (length <= SHORT_MAX ? 2 : length <= MIDDLE_MAX ? 4 : 10)

const writeHeader = (bytes: Buffer, at: number, length: number): number => {
  bytes[at] = TEXT_FRAME
  if (length <= SHORT_MAX) {
    bytes[at + 1] = length
    return at + 2
  }
  if (length <= MIDDLE_MAX) {
    bytes[at + 1] = 126
    return bytes.writeUInt16BE(length, at + 2)
  }
  bytes[at + 1] = 127
  return bytes.writeBigUInt64BE(BigInt(length), at + 2)
}

/** Text frames, one after the other. */
const framesOf = (texts: ReadonlyArray<string>): Buffer => {
  const lengths = texts.map((text) => Buffer.byteLength(text))
  const bytes = Buffer.allocUnsafeSlow(lengths.reduce((sum, length) => sum + headerBytes(length) + length, 0))
  let at = 0
  for (const [index, text] of texts.entries()) {
    at = writeHeader(bytes, at, lengths[index] ?? 0)
    at += bytes.write(text, at)
  }
  return bytes
}

/** A chunk of entries. */
export const encodeEntries = (format: StreamFormat, entries: ReadonlyArray<EntryText>): Buffer =>
  format === "ws"
    ? framesOf(entries.map(({ json }) => json))
    : Buffer.from(entries.map(({ json, seq }) => `id: ${seq}\ndata: ${json}\n\n`).join(""))

/** A message that is no entry. */
export const encodeMessage = (format: StreamFormat, message: LiveMessage): Buffer => {
  const json = JSON.stringify(message)
  if (format === "ws") return framesOf([json])
  // A comment keeps a connection open without waking up a reader.
  return Buffer.from(
    message.type === "heartbeat" ? `: ${json}\n\n` : `event: ${message.type}\ndata: ${json}\n\n`
  )
}
