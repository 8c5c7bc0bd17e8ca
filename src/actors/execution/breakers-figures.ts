/**
 * The figures of circuit breakers for a scraper, read from what the last look found.
 *
 * Promises: one sample per breaker and state, 1 for the state that it is in; nothing is shown while nothing is known.
 * Never: takes a label from anything but a configured name.
 */
import { BREAKER_STATES } from "../../domain/orders/breaker.ts"
import type { SeenBreaker } from "../../layers/orders/breakers.port.ts"
import type { Family } from "../../layers/platform/figures.port.ts"

const counts = [
  ["orders", "calls", "orders"],
  ["orders", "failures", "orderFailures"],
  ["reads", "calls", "reads"],
  ["reads", "failures", "readFailures"]
] as const

export const breakerFigures = (
  seen: ReadonlyMap<string, SeenBreaker> | null,
  changes: number
): ReadonlyArray<Family> => {
  if (seen === null) return []
  const all = [...seen.values()]
  const windowOf = (what: "calls" | "failures") =>
    all.flatMap(({ breaker, counts: found }) =>
      counts
        .filter(([, of]) => of === what)
        .map(([kind, , key]) => ({ labels: { breaker: breaker.id, kind }, value: found[key] }))
    )
  return [
    {
      name: "holdfast_breaker_state",
      help: "1 for the state of the circuit breaker.",
      type: "gauge",
      samples: all.flatMap(({ breaker: { id, state } }) =>
        BREAKER_STATES.map((one) => ({ labels: { breaker: id, state: one }, value: one === state ? 1 : 0 }))
      )
    },
    {
      name: "holdfast_breaker_openings",
      help: "Openings of the circuit breaker in a row.",
      type: "gauge",
      samples: all.map(({ breaker: { id, openings } }) => ({ labels: { breaker: id }, value: openings }))
    },
    {
      name: "holdfast_breaker_window_calls",
      help: "Calls in the window of the circuit breaker, of all processes.",
      type: "gauge",
      samples: windowOf("calls")
    },
    {
      name: "holdfast_breaker_window_failures",
      help: "Failed calls in the window of the circuit breaker, of all processes.",
      type: "gauge",
      samples: windowOf("failures")
    },
    {
      name: "holdfast_breaker_changes_total",
      help: "Changes of circuit breakers that looks of this process made.",
      type: "counter",
      samples: [{ labels: {}, value: changes }]
    }
  ]
}
