/**
 * A sink that is a file: one line of JSON for each message.
 *
 * Promises: a message that was taken is on the disk; a line that a full disk cut is ended by the next one.
 * Never: rotates or reads the file: its owner does, and a file that was moved away is created again.
 * Failure: `SinkFailed` with the code of the operating system.
 */
import { Effect } from "effect"
import { type FileHandle, open } from "node:fs/promises"
import { dirname } from "node:path"
import { documentOf, type SinkMessage } from "../../domain/operators/sink-message.ts"
import { errorCodeOf } from "../platform/error-code.ts"
import { type Send, SinkFailed } from "./sinks.port.ts"

const LINE_BREAK = 0x0a

/** Whether a file of this size ends in the middle of a line. */
const isCut = async (file: FileHandle, size: number): Promise<boolean> => {
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] !== LINE_BREAK
}

/** The name of a file that is new is on the disk only with its folder. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(dirname(path), "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const append = async (path: string, message: SinkMessage): Promise<void> => {
  const file = await open(path, "a+", 0o600)
  try {
    const { size } = await file.stat()
    const cut = await isCut(file, size)
    await file.appendFile(`${cut ? "\n" : ""}${JSON.stringify(documentOf(message))}\n`)
    await file.datasync()
    if (size === 0) await syncFolder(path)
  } finally {
    await file.close()
  }
}

export const sendFile =
  (path: string): Send =>
  (message) =>
    Effect.tryPromise({
      try: () => append(path, message),
      catch: (error) =>
        new SinkFailed({
          failure: "unreachable",
          reason: `the file cannot be written: ${errorCodeOf(error) ?? "no reason known"}`,
          retryAfterMs: 0
        })
    })
