import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { absentFeedFigures, feedFigures } from "../../../src/actors/feeds/feed-figures.ts"
import { noCounts } from "../../../src/actors/feeds/feed-session.ts"
import { waveFigures } from "../../../src/actors/feeds/waves-figures.ts"
import { type Family, Figures } from "../../../src/layers/platform/figures.port.ts"

/** `name{label values} value`, one a sample. */
const written = (families: ReadonlyArray<Family>): ReadonlyArray<string> =>
  families.flatMap(({ name, samples }) =>
    samples.map(({ labels, value }) => `${name}{${Object.values(labels).join()}} ${value}`)
  )

const count = (feed: string, value: number): ReadonlyArray<Family> => [
  { name: "count_total", help: "h", type: "counter", samples: [{ labels: { feed }, value }] }
]

describe("figures of components", () => {
  it.effect("one family for all; an end takes back its own and nobody else's", () =>
    Effect.gen(function* () {
      const figures = yield* Figures
      const endFirst = figures.show("a", () => count("a", 1))
      const endOther = figures.show(
        "b",
        () => count("b", 2),
        () => count("b", 0)
      )
      assert.deepStrictEqual(written(figures.read(0)), ["count_total{a} 1", "count_total{b} 2"])
      assert.strictEqual(figures.read(0).length, 1)
      figures.show("a", () => count("a", 3))
      endFirst()
      endOther()
      assert.deepStrictEqual(written(figures.read(0)), ["count_total{a} 3", "count_total{b} 0"])
    }).pipe(Effect.provide(Figures.layer))
  )

  it("a feed tells what its session counted; one that does not run tells only that", () => {
    const counts = {
      ...noCounts(),
      messages: 41,
      lastDataAt: 15_500,
      stored: 30,
      duplicates: 7,
      ignored: 2,
      unusable: 1,
      letGo: 4
    }
    assert.deepStrictEqual(
      written(feedFigures("north", { isLive: true, connects: 3, counts, waiting: 5 }, 20_000)),
      [
        "holdfast_feed_connected{north} 1",
        "holdfast_feed_reconnects_total{north} 2",
        "holdfast_feed_messages_total{north} 41",
        "holdfast_feed_ignored_total{north} 2",
        "holdfast_feed_signals_total{north,stored} 30",
        "holdfast_feed_signals_total{north,duplicate} 7",
        "holdfast_feed_signals_total{north,unusable} 1",
        "holdfast_feed_signals_total{north,conflict} 0",
        "holdfast_feed_signals_total{north,refused} 0",
        "holdfast_feed_signals_total{north,let_go} 4",
        "holdfast_feed_signals_waiting{north} 5",
        "holdfast_feed_last_data_age_seconds{north} 4.5"
      ]
    )
    const never = feedFigures("north", { isLive: false, connects: 0, counts: noCounts(), waiting: 0 }, 20_000)
    assert.include(written(never), "holdfast_feed_reconnects_total{north} 0")
    assert.notInclude(written(never).join(), "age_seconds")
    assert.deepStrictEqual(written(absentFeedFigures("north")), ["holdfast_feed_connected{north} 0"])
  })

  it("each wave is counted under one status", () => {
    const counters = { done: 9, empty: 2, missed: 3, lost: 1 }
    assert.deepStrictEqual(written(waveFigures("north", { counters, failedChecks: 1 })), [
      "holdfast_waves_total{north,done} 7",
      "holdfast_waves_total{north,empty} 2",
      "holdfast_waves_total{north,missed} 3",
      "holdfast_waves_total{north,lost} 1",
      "holdfast_wave_failed_checks{north} 1"
    ])
  })
})
