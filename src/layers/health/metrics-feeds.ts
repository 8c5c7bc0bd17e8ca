/**
 * The figures of signal feeds and of their waves, read from what their components show in /health.
 *
 * A feed counts a hundred thousand signals in a flood; counting them a second time for a scraper would be the dearest
 * line of its loop. Its component shows its counts anyway, so they are read when they are scraped. They begin anew when
 * the component is restarted, which is how a scraper expects a counter to end.
 *
 * Promises: one sample per configured feed; a figure that a component does not show now is left out, never zero.
 * Never: takes a label from anything but the path of a component, which is made of configured names.
 */
import type { ComponentDocument } from "../../domain/health/health.ts"
import type { Family } from "./metrics-text.ts"

type Detail = ComponentDocument["detail"]
type Sample = Family["samples"][number]

interface Shown {
  readonly feed: string
  readonly state: string
  readonly detail: Detail
}

/** Components named `<role>:<feed>`, in the order of the tree. */
const shownBy = (
  components: Readonly<Record<string, ComponentDocument>>,
  role: "feed" | "waves"
): ReadonlyArray<Shown> =>
  Object.entries(components).flatMap(([path, { detail, state }]) => {
    const name = path.slice(path.lastIndexOf("/") + 1)
    return name.startsWith(`${role}:`) ? [{ feed: name.slice(role.length + 1), state, detail }] : []
  })

const numberIn = (detail: Detail, key: string): number | null => {
  const value = detail[key]
  return typeof value === "number" ? value : null
}

const samplesOf = (
  all: ReadonlyArray<Shown>,
  figure: (one: Shown) => number | null,
  labels: Readonly<Record<string, string>> = {}
): ReadonlyArray<Sample> =>
  all.flatMap((one) => {
    const value = figure(one)
    return value === null ? [] : [{ labels: { feed: one.feed, ...labels }, value }]
  })

/** What each result of a signal is called in the component's detail. */
const signalResults = {
  stored: "stored",
  duplicate: "duplicates",
  unusable: "unusable",
  conflict: "conflicts",
  refused: "refused",
  let_go: "let_go"
} as const

const feedFamilies = (feeds: ReadonlyArray<Shown>, nowMs: number): ReadonlyArray<Family> => [
  {
    name: "holdfast_feed_connected",
    help: "1 while the connection of the feed is live.",
    type: "gauge",
    samples: samplesOf(feeds, ({ state }) => (/^Live\b/.test(state) ? 1 : 0))
  },
  {
    name: "holdfast_feed_reconnects_total",
    help: "Live connections of the feed after its first.",
    type: "counter",
    samples: samplesOf(feeds, ({ detail }) => {
      const connects = numberIn(detail, "connects")
      return connects === null ? null : Math.max(0, connects - 1)
    })
  },
  {
    name: "holdfast_feed_messages_total",
    help: "Messages of the protocol that came from the feed.",
    type: "counter",
    samples: samplesOf(feeds, ({ detail }) => numberIn(detail, "messages"))
  },
  {
    name: "holdfast_feed_ignored_total",
    help: "Frames of the feed that are not of its protocol.",
    type: "counter",
    samples: samplesOf(feeds, ({ detail }) => numberIn(detail, "ignored"))
  },
  {
    name: "holdfast_feed_signals_total",
    help: "Signals of the feed, by what became of them.",
    type: "counter",
    samples: Object.entries(signalResults).flatMap(([result, key]) =>
      samplesOf(feeds, ({ detail }) => numberIn(detail, key), { result })
    )
  },
  {
    name: "holdfast_feed_signals_waiting",
    help: "Signals that were read and wait to be stored.",
    type: "gauge",
    samples: samplesOf(feeds, ({ detail }) => numberIn(detail, "waiting"))
  },
  {
    name: "holdfast_feed_last_data_age_seconds",
    help: "Time since the last message of the feed.",
    type: "gauge",
    samples: samplesOf(feeds, ({ detail }) => {
      const at = detail["last_data_at"]
      return typeof at === "string" ? Math.max(0, nowMs - Date.parse(at)) / 1_000 : null
    })
  }
]

const waveFamilies = (waves: ReadonlyArray<Shown>): ReadonlyArray<Family> => [
  {
    name: "holdfast_waves_total",
    help: "Waves that ended here, by how: done with signals, done and empty, missed, or left to another process.",
    type: "counter",
    samples: [
      ...samplesOf(
        waves,
        ({ detail }) => {
          const done = numberIn(detail, "done")
          return done === null ? null : done - (numberIn(detail, "empty") ?? 0)
        },
        { status: "done" }
      ),
      ...["empty", "missed", "lost"].flatMap((status) =>
        samplesOf(waves, ({ detail }) => numberIn(detail, status), { status })
      )
    ]
  },
  {
    name: "holdfast_wave_failed_checks",
    help: "Checks in a row that the feed did not answer.",
    type: "gauge",
    samples: samplesOf(waves, ({ detail }) => numberIn(detail, "failed_checks"))
  }
]

/** All families of feeds and waves; empty where none run in this process. */
export const feedAndWaveFamilies = (
  components: Readonly<Record<string, ComponentDocument>>,
  nowMs: number
): ReadonlyArray<Family> => [
  ...feedFamilies(shownBy(components, "feed"), nowMs),
  ...waveFamilies(shownBy(components, "waves"))
]
