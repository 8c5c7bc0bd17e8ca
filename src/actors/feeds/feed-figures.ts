/**
 * The figures of a signal feed for a scraper, read from what its session counts anyway.
 *
 * Promises: one sample per figure and feed; a feed between two incarnations is shown only as not connected.
 * Never: takes a label from anything but a configured name.
 */
import type { Family } from "../../layers/platform/figures.port.ts"
import type { FeedCounts } from "./feed-session.ts"

export interface FeedReading {
  readonly isLive: boolean
  /** Live connections since the component started. */
  readonly connects: number
  readonly counts: FeedCounts
  /** Signals that were read and wait to be stored. */
  readonly waiting: number
}

const connected = (feed: string, isLive: boolean): Family => ({
  name: "holdfast_feed_connected",
  help: "1 while the connection of the feed is live.",
  type: "gauge",
  samples: [{ labels: { feed }, value: isLive ? 1 : 0 }]
})

/** What is known of a feed that does not run now. */
export const absentFeedFigures = (feed: string): ReadonlyArray<Family> => [connected(feed, false)]

export const feedFigures = (
  feed: string,
  { connects, counts, isLive, waiting }: FeedReading,
  nowMs: number
): ReadonlyArray<Family> => {
  const one = (value: number) => [{ labels: { feed }, value }]
  return [
    connected(feed, isLive),
    {
      name: "holdfast_feed_reconnects_total",
      help: "Live connections of the feed after its first.",
      type: "counter",
      samples: one(Math.max(0, connects - 1))
    },
    {
      name: "holdfast_feed_messages_total",
      help: "Messages of the protocol that came from the feed.",
      type: "counter",
      samples: one(counts.messages)
    },
    {
      name: "holdfast_feed_ignored_total",
      help: "Frames of the feed that are not of its protocol.",
      type: "counter",
      samples: one(counts.ignored)
    },
    {
      name: "holdfast_feed_signals_total",
      help: "Signals of the feed, by what became of them.",
      type: "counter",
      samples: Object.entries({
        stored: counts.stored,
        duplicate: counts.duplicates,
        unusable: counts.unusable,
        conflict: counts.conflicts,
        refused: counts.refused,
        let_go: counts.letGo
      }).map(([result, value]) => ({ labels: { feed, result }, value }))
    },
    {
      name: "holdfast_feed_signals_waiting",
      help: "Signals that were read and wait to be stored.",
      type: "gauge",
      samples: one(waiting)
    },
    {
      name: "holdfast_feed_last_data_age_seconds",
      help: "Time since the last message of the feed.",
      type: "gauge",
      samples: counts.lastDataAt === null ? [] : one(Math.max(0, nowMs - counts.lastDataAt) / 1_000)
    }
  ]
}
