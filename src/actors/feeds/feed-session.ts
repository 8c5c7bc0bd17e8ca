/**
 * Feed session: one connection of a feed, from its handshake to its end, as events for the machine and rows in the
 * database.
 *
 * What the machine must decide about is sent to it; the signals themselves bypass it into the backlog, because a
 * hundred thousand of them are work and not decisions.
 *
 * Promises: every message is counted once, as usable, as unusable or as ignored; reading pauses while the backlog is
 * full and resumes when it has drained; what was read is stored even when its connection has ended, and what no
 * longer fits is discarded, counted and requested again.
 * Never: reacts to a deadline or an end itself; the machine owns that.
 */
import { feedBell } from "../../layers/platform/bells.ts"
import { Clock, Effect, Redacted, Stream } from "effect"
import {
  authText,
  type FeedMessage,
  pongText,
  requestText,
  type UnusableSignal,
  type WaveSignal
} from "../../domain/feeds/feed-wire.ts"
import { feedLimits } from "../../domain/kernel/limits-feeds.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import type { FeedSettings } from "../../domain/kernel/settings.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import { FeedBuffer, type FeedBufferService } from "../../layers/feeds/feed-buffer.port.ts"

import { type FeedConnection, SignalFeed } from "../../layers/feeds/signal-feed.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import type { FeedCommand, FeedEvent } from "../../machines/feeds/feed-setup.ts"
import { logEvent } from "../../runtime/log-event.ts"
import type { Mailbox } from "../../runtime/mailbox.ts"
import type { Backlog, FeedItem } from "./feed-backlog.ts"
import { reportUnusable, type UnusableReported } from "./feed-unusable.ts"

/** What has arrived since the feed started, over all its connections. */
export interface FeedCounts {
  /** Messages of the protocol. */
  messages: number
  /** Epoch milliseconds of the last one, null before it. */
  lastDataAt: number | null
  stored: number
  duplicates: number
  /** Invalid JSON, unknown types, frames that are not UTF-8. */
  ignored: number
  /** Signals that cannot be traded, each time they arrived. */
  unusable: number
  conflicts: number
  /** Signals the database refuses for good. */
  refused: number
  /** Signals discarded because the database was away for long; they are requested again. */
  letGo: number
}

export const noCounts = (): FeedCounts => ({
  messages: 0,
  lastDataAt: null,
  stored: 0,
  duplicates: 0,
  ignored: 0,
  unusable: 0,
  conflicts: 0,
  refused: 0,
  letGo: 0
})

export interface FeedSession {
  readonly name: string
  readonly path: string
  readonly settings: FeedSettings
  /** Where the server is now; null while this process's own server is not up. */
  readonly url: () => string | null
  /** Masks the feed's secrets in what its server sends. */
  readonly mask: Mask
  readonly counts: FeedCounts
  readonly backlog: Backlog
  readonly link: FeedLink
  readonly reported: UnusableReported
}

/** The current connection, and whether it is being read. */
export interface FeedLink {
  connection: FeedConnection | null
  paused: boolean
  /** Signals were discarded, and must be requested when there is room. */
  missed: boolean
}

interface FeedChannel {
  readonly send: (event: FeedEvent) => void
  readonly events: Mailbox<{ readonly type: string }>
}

/** What the machine awaits from this connection, so that it is notified of each once and not a hundred thousand times. */
interface Awaited {
  heard: boolean
  signals: boolean
  stats: boolean
  pong: boolean
}

const hear = (
  session: FeedSession,
  awaited: Awaited,
  connection: FeedConnection,
  send: FeedChannel["send"],
  now: () => number,
  message: FeedMessage
): void => {
  const { backlog, counts } = session
  if (message.type === "ignored") {
    counts.ignored += 1
    return
  }
  counts.messages += 1
  counts.lastDataAt = now()
  switch (message.type) {
    case "auth_success":
      return send({ type: "auth.accepted", at: now() })
    case "auth_failed":
      // A server may repeat the token it refuses.
      return send({ type: "auth.refused", reason: session.mask(message.reason), at: now() })
    case "stats":
      if (awaited.stats) send({ type: "stats.received" })
      awaited.stats = false
      break
    case "ping":
      // At once and bypassing the machine: a server that pings hangs up on clients that are slow to answer.
      connection.send(pongText)
      break
    case "pong":
      if (awaited.pong) send({ type: "pong.received" })
      awaited.pong = false
      break
    case "signals":
      counts.unusable += message.unusable.length
      if (backlog.size() < feedLimits.waitingSignalsHard) {
        backlog.offer(message.signals)
        backlog.offer(message.unusable)
      } else {
        counts.letGo += message.signals.length + message.unusable.length
        session.link.missed = true
      }
      if (message.kind === "batch") {
        backlog.answered()
        if (awaited.signals) send({ type: "signals.received" })
        awaited.signals = false
      }
      break
  }
  if (awaited.heard) send({ type: "message.received" })
  awaited.heard = false
}

const carryOut = (
  session: FeedSession,
  awaited: Awaited,
  connection: FeedConnection,
  command: FeedCommand
): void => {
  switch (command.type) {
    case "send.auth": {
      const { token } = session.settings
      return connection.send(authText(token === null ? "" : Redacted.value(token)))
    }
    case "send.get_signals":
      awaited.signals = true
      return connection.send(requestText("get_signals"))
    case "send.get_stats":
      awaited.stats = true
      return connection.send(requestText("get_stats"))
    case "send.pings":
      awaited.pong = true
      connection.ping()
      return connection.send(requestText("ping"))
  }
}

/** Resumes reading, and requests what was discarded, once the backlog has drained. */
const drained = ({ backlog, link }: FeedSession, send: FeedChannel["send"]): void => {
  if (backlog.size() > feedLimits.waitingSignalsLow) return
  if (link.paused) {
    link.paused = false
    link.connection?.resume()
    send({ type: "reading.resumed" })
  }
  if (!link.missed) return
  link.missed = false
  send({ type: "signals.ask" })
}

const isUnusable = (item: FeedItem): item is UnusableSignal => "errors" in item
const isUsable = (item: FeedItem): item is WaveSignal => !isUnusable(item)

/**
 * Reports what cannot be traded before it is recorded: the report does not need the database. A row that the database
 * refuses is reported and given up, because the signals behind it have to be stored.
 */
const storeUnusable = (
  { counts, name, path, settings, reported }: FeedSession,
  buffer: FeedBufferService,
  unusable: ReadonlyArray<UnusableSignal>
) =>
  Effect.gen(function* () {
    if (unusable.length === 0) return
    yield* reportUnusable({ component: path, feed: name, reported, total: counts.unusable }, unusable)
    yield* buffer.storeUnusable({ feed: name, source: settings.source }, unusable).pipe(
      Effect.catchTag("DatabaseFault", ({ message }) =>
        logEvent("error", "feed.unusable_not_stored", message, {
          component: path,
          signals: unusable.length
        })
      )
    )
  })

/** Stores one statement's worth; what the database does not take now stays in the backlog. */
const storeSome = (session: FeedSession, send: FeedChannel["send"]) =>
  Effect.gen(function* () {
    const { backlog, counts, name, path, settings } = session
    const buffer = yield* FeedBuffer
    const wake = yield* Wake
    const alerts = yield* Alerts
    const items = yield* backlog.next
    yield* storeUnusable(session, buffer, items.filter(isUnusable))
    const { conflicts, duplicates, refused, stored } = yield* buffer.store(
      { feed: name, source: settings.source },
      items.filter(isUsable)
    )
    counts.stored += stored
    counts.duplicates += duplicates
    counts.conflicts += conflicts.length
    counts.refused += refused.length
    backlog.stored(items.length)
    drained(session, send)
    if (stored > 0 || backlog.size() === 0) wake.notify(feedBell(name))
    const wrong = [...conflicts, ...refused]
    if (wrong.length === 0) return
    yield* alerts.raise({
      severity: "HIGH",
      kind: "feed.signals_refused",
      dedupKey: `feed.signals_refused/${name}`,
      component: path,
      message: `${wrong.length} signals of ${name} were not stored: their ids are taken by other signals, or the database refuses them`,
      detail: { ids: wrong.slice(0, 10) }
    })
  })

/**
 * Stores what arrives, over all connections: what was read is stored even when its connection ended meanwhile, because a
 * server may not send it twice.
 */
export const runFeedStoring = (session: FeedSession, { send }: Pick<FeedChannel, "send">) =>
  Effect.gen(function* () {
    const database = yield* Database
    const back = database.availability.changes.pipe(
      Stream.filter((state) => state === "available"),
      Stream.take(1),
      Stream.runDrain,
      Effect.timeoutOption(feedLimits.databaseMsMax)
    )
    const failed = (reason: string) =>
      Effect.gen(function* () {
        send({ type: "store.failed", reason })
        yield* Effect.sleep(feedLimits.storeRetryMs)
      })
    return yield* Effect.andThen(back, storeSome(session, send)).pipe(
      Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], ({ message }) => failed(message)),
      Effect.forever
    )
  })

/** Runs one connection; ends only by being left. */
export const runFeedSession = (session: FeedSession, { events, send }: FeedChannel) =>
  Effect.scoped(
    Effect.gen(function* () {
      const feeds = yield* SignalFeed
      const clock = yield* Clock.Clock
      const now = () => clock.currentTimeMillisUnsafe()
      const { backlog, counts, link, settings } = session
      const awaited: Awaited = { heard: true, signals: false, stats: false, pong: false }
      const url = session.url()
      if (url === null) {
        const end = { kind: "refused", code: null, reason: "the practice server is not up" } as const
        send({ type: "socket.ended", end, at: now() })
        return yield* Effect.never
      }
      link.paused = false
      const connection: FeedConnection = yield* feeds.open(
        { url, frameBytesMax: settings.frameBytesMax },
        {
          opened: () => send({ type: "socket.opened" }),
          text: (text) => {
            hear(session, awaited, connection, send, now, feeds.read(text))
            if (link.paused || backlog.size() < feedLimits.waitingSignalsMax) return
            link.paused = true
            connection.pause()
            send({ type: "reading.paused" })
          },
          unreadable: () => {
            counts.ignored += 1
          },
          pong: () => send({ type: "pong.framed" }),
          ended: (end) =>
            send({ type: "socket.ended", end: { ...end, reason: session.mask(end.reason) }, at: now() })
        }
      )
      link.connection = connection
      return yield* Effect.forever(
        Effect.map(events.take, (command) => {
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the feed machine can send here, and it sends commands
          carryOut(session, awaited, connection, command as FeedCommand)
        })
      )
    })
  )
