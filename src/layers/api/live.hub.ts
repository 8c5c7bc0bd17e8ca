/**
 * Live hub: everybody who looks at the journal as it happens.
 *
 * Each viewer has a position in the journal and reads on from there: from memory when it is there, from the table when it
 * was away for longer. So resuming and keeping up are the same thing, nothing is queued for a viewer, and one that reads
 * slowly is only further behind. Viewers at the same position get the same bytes.
 *
 * Promises: every viewer gets every entry of its filter once, in order, or a message that names those it does not get; a
 * viewer that does not read costs its bound and is dropped; recording an entry never waits for one.
 * Never: decides who may look: each viewer brings the question, which is asked again with each heartbeat.
 * Failure: a table that cannot be read ends the viewer with `unavailable`; it comes back at its position.
 */
import { Effect, Semaphore } from "effect"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { logEvent } from "../../runtime/log-event.ts"
import type { ByeReason, LiveMessage } from "../../wire/journal.ts"
import type { JournalStoreService } from "../health/journal-store.port.ts"
import type { Family } from "../platform/figures.port.ts"
import { liveLimits } from "../platform/http-limits.ts"
import type { JournalService } from "../platform/journal.port.ts"
import { type Chunks, makeChunks } from "./live.chunks.ts"
import { encodeMessage } from "./live.encode.ts"
import { replayFromTable } from "./live.replay.ts"
import { isBlocked, isBlockedFor, type Looking, type ViewerRequest } from "./live.viewer.ts"

/** The hub's side of a viewer. */
export interface Viewer {
  /** The peer has read: there is room again. */
  readonly drained: () => void
  /** The peer is gone. */
  readonly gone: () => void
}

export interface LiveHubParts {
  readonly journal: JournalService
  readonly store: JournalStoreService
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
  /** Epoch milliseconds. */
  readonly epochMs: () => number
}

type Ending = ByeReason | "full" | "gone"

const viewersFamily = (value: number): Family => ({
  name: "holdfast_live_viewers",
  help: "Viewers of the journal.",
  type: "gauge",
  samples: [{ labels: {}, value }]
})
const openedFamily = (value: number): Family => ({
  name: "holdfast_live_opened_total",
  help: "Streams of the journal that were opened.",
  type: "counter",
  samples: [{ labels: {}, value }]
})
const endedFamily = (ended: Readonly<Record<Ending, number>>): Family => ({
  name: "holdfast_live_ended_total",
  help: "Streams of the journal that ended or were refused, by reason.",
  type: "counter",
  samples: Object.entries(ended).map(([why, value]) => ({ labels: { why }, value }))
})

/** The viewers of one listener. */
export class LiveHub {
  readonly #parts: LiveHubParts
  readonly #viewers = new Set<Looking>()
  readonly #chunks: Chunks
  readonly #pages = Semaphore.makeUnsafe(liveLimits.replaysMax)
  #flushedAtMs = Number.NEGATIVE_INFINITY
  #flushTimer: NodeJS.Timeout | null = null
  #sweepTimer: NodeJS.Timeout | null = null
  #unwatch: (() => void) | null = null
  #unlisten: (() => void) | null = null
  #opened = 0
  readonly #ended: Record<Ending, number> = {
    too_slow: 0,
    unauthorized: 0,
    stopping: 0,
    unavailable: 0,
    shed: 0,
    gone: 0,
    full: 0
  }

  constructor(parts: LiveHubParts) {
    this.#parts = parts
    this.#chunks = makeChunks(parts.journal)
  }

  /** Whether there are as many viewers as there may be; a caller that is refused for it is counted. */
  isFull(): boolean {
    const isFull = this.#viewers.size >= liveLimits.viewersMax
    if (isFull) this.#ended.full += 1
    return isFull
  }

  /** A caller that was refused because streams are given up now. */
  countShed(): void {
    this.#ended.shed += 1
  }

  /** Takes a viewer; null when there are as many as there may be. */
  open(request: ViewerRequest): Viewer | null {
    const { journal, nowMs } = this.#parts
    if (this.isFull()) return null
    const viewer: Looking = {
      request,
      cursor: request.after ?? journal.head(),
      mode: "ring",
      blockedSinceMs: null,
      heartbeatAtMs: nowMs(),
      probedAtMs: nowMs(),
      resume: null,
      stop: null
    }
    this.#viewers.add(viewer)
    this.#opened += 1
    this.#rouse()
    this.#greet(viewer)
    this.#begin(viewer)
    return {
      drained: () => {
        viewer.resume?.()
        if (this.#viewers.has(viewer)) this.#soon()
      },
      gone: () => this.#leave(viewer, "gone")
    }
  }

  /** Ends all viewers, with what they have not read yet. */
  end(reason: ByeReason): void {
    // The last entries are what a viewer of a stop is there for.
    for (const viewer of this.#viewers) this.#pump(viewer)
    this.#chunks.forget()
    for (const viewer of this.#viewers) this.#drop(viewer, reason)
  }

  figures(): ReadonlyArray<Family> {
    return [viewersFamily(this.#viewers.size), openedFamily(this.#opened), endedFamily(this.#ended)]
  }

  #send(viewer: Looking, message: LiveMessage): void {
    const { sink } = viewer.request
    sink.write(encodeMessage(sink.format, message))
  }

  #greet(viewer: Looking): void {
    const { journal } = this.#parts
    this.#send(viewer, {
      type: "hello",
      boot: journal.boot,
      after: viewer.cursor,
      head: journal.head(),
      first: journal.first(),
      heartbeat_ms: liveLimits.heartbeatMs
    })
    if (viewer.cursor <= journal.head()) return
    // Of another node, or from before the clock was set back: nothing of this process has been seen.
    viewer.cursor = journal.first() - 1
    this.#send(viewer, { type: "reset", after: viewer.cursor })
  }

  /** The first viewer switches the capture of details on, the last one off. */
  #rouse(): void {
    const { journal } = this.#parts
    this.#unwatch ??= journal.watch()
    this.#unlisten ??= journal.listen(() => this.#soon())
    this.#sweepTimer ??= setInterval(() => this.#sweep(), liveLimits.sweepMs).unref()
  }
  #rest(): void {
    this.#unwatch?.()
    this.#unlisten?.()
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer)
    if (this.#sweepTimer !== null) clearInterval(this.#sweepTimer)
    this.#unwatch = this.#unlisten = this.#flushTimer = this.#sweepTimer = null
  }

  #leave(viewer: Looking, why: ByeReason | "gone"): void {
    if (viewer.mode === "over") return
    viewer.mode = "over"
    this.#viewers.delete(viewer)
    this.#ended[why] += 1
    viewer.stop?.()
    viewer.resume?.()
    if (this.#viewers.size === 0) this.#rest()
    if (why === "gone") return
    this.#send(viewer, { type: "bye", reason: why, after: viewer.cursor })
    viewer.request.sink.end(why)
  }

  #drop(viewer: Looking, why: ByeReason): void {
    const { run, sink } = viewer.request
    run(
      logEvent(
        why === "stopping" ? "debug" : "warn",
        "live.viewer_dropped",
        `a viewer of the journal was dropped: ${why}`,
        {
          component: "root/http",
          reason: why,
          buffered_bytes: sink.buffered(),
          behind: this.#parts.journal.head() - viewer.cursor
        }
      )
    )
    this.#leave(viewer, why)
  }

  /** Writes what is in memory, as far as the viewer reads. */
  #pump(viewer: Looking): void {
    const { journal, nowMs } = this.#parts
    while (viewer.mode === "ring" && viewer.cursor < journal.head() && !isBlocked(viewer, nowMs())) {
      // A burst went through memory between two writes: what it missed is in the table.
      if (viewer.cursor + 1 < journal.first()) return this.#begin(viewer)
      const { filter, sink } = viewer.request
      const chunk = this.#chunks.after(sink.format, viewer.cursor, filter)
      viewer.cursor = chunk.to
      if (chunk.bytes !== null) sink.write(chunk.bytes)
    }
  }

  /** Goes on from where the viewer is: in memory, or in the table up to there. */
  #begin(viewer: Looking): void {
    if (viewer.cursor + 1 >= this.#parts.journal.first()) return this.#soon()
    viewer.mode = "table"
    viewer.stop = viewer.request.run(Effect.suspend(() => this.#replay(viewer)))
    return undefined
  }

  #replay(viewer: Looking): Effect.Effect<void> {
    const { journal, nowMs, store } = this.#parts
    return replayFromTable({
      journal,
      viewer,
      isBlocked: () => isBlocked(viewer, nowMs()),
      send: (message) => this.#send(viewer, message),
      // For each page: one that reads slowly must not hold up the others.
      read: (page) => this.#pages.withPermits(1)(store.read(page)),
      oldest: store.oldest
    }).pipe(
      Effect.andThen(
        Effect.sync(() => {
          if (viewer.mode === "table") viewer.mode = "ring"
          this.#soon()
        })
      ),
      Effect.catch(() => Effect.sync(() => this.#drop(viewer, "unavailable")))
    )
  }

  /** At once when the last write is a while ago, else together with what comes until then. */
  #soon(): void {
    const { nowMs } = this.#parts
    if (this.#viewers.size === 0) return
    this.#flushTimer ??= setTimeout(
      () => this.#flush(),
      Math.max(0, this.#flushedAtMs + liveLimits.coalesceMs - nowMs())
    )
  }
  #flush(): void {
    const { journal, nowMs } = this.#parts
    this.#flushTimer = null
    this.#flushedAtMs = nowMs()
    for (const viewer of this.#viewers) {
      this.#pump(viewer)
      // It does not read, and memory went on without it.
      const isBehind = viewer.mode === "ring" && viewer.cursor + 1 < journal.first()
      if (isBehind && isBlockedFor(viewer, nowMs(), liveLimits.behindMsMax)) this.#drop(viewer, "too_slow")
    }
    this.#chunks.forget()
  }

  #sweep(): void {
    const now = this.#parts.nowMs()
    for (const viewer of this.#viewers) {
      if (isBlockedFor(viewer, now, liveLimits.slowMsMax)) this.#drop(viewer, "too_slow")
      else if (now - viewer.heartbeatAtMs >= liveLimits.heartbeatMs) this.#beat(viewer, now)
    }
  }
  #beat(viewer: Looking, now: number): void {
    const { epochMs, journal } = this.#parts
    const { allowed, sink } = viewer.request
    viewer.heartbeatAtMs = now
    if (!allowed()) return this.#drop(viewer, "unauthorized")
    if (now - viewer.probedAtMs >= liveLimits.probeMs) {
      viewer.probedAtMs = now
      if (!sink.probe()) return this.#drop(viewer, "too_slow")
    }
    if (isBlocked(viewer, now)) return undefined
    return this.#send(viewer, { type: "heartbeat", head: journal.head(), at: isoOf(epochMs()) })
  }
}
