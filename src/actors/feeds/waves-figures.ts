/**
 * The figures of a feed's wave scheduler for a scraper, read from what its machine counts anyway.
 *
 * Promises: each wave is counted under one status.
 * Never: takes a label from anything but a configured name.
 */
import type { Family } from "../../layers/platform/figures.port.ts"
import type { WavesContext } from "../../machines/feeds/waves.machine.ts"

export const waveFigures = (
  feed: string,
  { counters: { done, empty, lost, missed }, failedChecks }: Pick<WavesContext, "counters" | "failedChecks">
): ReadonlyArray<Family> => [
  {
    name: "holdfast_waves_total",
    help: "Waves that ended here, by how: done with signals, done and empty, missed, or left to another process.",
    type: "counter",
    samples: Object.entries({ done: done - empty, empty, missed, lost }).map(([status, value]) => ({
      labels: { feed, status },
      value
    }))
  },
  {
    name: "holdfast_wave_failed_checks",
    help: "Checks in a row that the feed did not answer.",
    type: "gauge",
    samples: [{ labels: { feed }, value: failedChecks }]
  }
]
