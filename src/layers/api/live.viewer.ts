/**
 * Live viewer: one reader of the journal, its position, and what decides whether it may have more.
 *
 * Promises: a position only rises; a viewer that is over stays over.
 * Never: writes.
 * Failure: a sink that fails reports its viewer as gone.
 */
import type { Effect } from "effect"
import type { ByeReason } from "../../wire/journal.ts"
import type { EntryFilter } from "../health/journal-store.port.ts"
import { liveLimits } from "../platform/http-limits.ts"
import type { StreamFormat } from "./live.encode.ts"

/** Where the bytes of one viewer go. */
export interface Sink {
  readonly format: StreamFormat
  readonly write: (bytes: Buffer) => void
  /** Bytes that wait for the peer. */
  readonly buffered: () => number
  /** Ends the stream; the bytes before it are still delivered where the peer reads. */
  readonly end: (reason: ByeReason) => void
  /** Asks the peer for a sign of life, where the protocol has one; false when the last one went unanswered. */
  readonly probe: () => boolean
}

export interface ViewerRequest {
  readonly sink: Sink
  readonly filter: EntryFilter
  /** The number it has last; null: only what comes now. */
  readonly after: number | null
  /** Whether it may still look. */
  readonly allowed: () => boolean
  /** Runs an effect for as long as the viewer is there; returns how to end it. */
  readonly run: (effect: Effect.Effect<void>) => () => void
}

/** A viewer of the hub. */
export interface Looking {
  readonly request: ViewerRequest
  cursor: number
  /** `table`: an effect reads for it. */
  mode: "ring" | "table" | "over"
  blockedSinceMs: number | null
  heartbeatAtMs: number
  probedAtMs: number
  /** Called when there is room again. */
  resume: (() => void) | null
  /** Ends the effect that reads for it. */
  stop: (() => void) | null
}

/** Whether it has as much waiting as it may; notes since when. */
export const isBlocked = (viewer: Looking, nowMs: number): boolean => {
  if (viewer.request.sink.buffered() <= liveLimits.bufferedBytesMax) {
    viewer.blockedSinceMs = null
    return false
  }
  viewer.blockedSinceMs ??= nowMs
  return true
}

/** Whether it has had as much waiting as it may for so long. */
export const isBlockedFor = (viewer: Looking, nowMs: number, forMs: number): boolean =>
  isBlocked(viewer, nowMs) && nowMs - (viewer.blockedSinceMs ?? nowMs) >= forMs
