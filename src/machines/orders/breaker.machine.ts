/**
 * Breaker machine: the circuit breaker of a broker or a strategy, drawn from the table of the domain.
 *
 * The table in domain/orders/breaker.ts is the one source: the store applies it under a version, and this chart is the same table
 * as a statechart, so that diagram, console and matrix test can never differ from the rows.
 *
 * Promises: one state per state of the row and one transition per entry of the table.
 * Never: adds, drops or renames a transition. Cooldown and probes have their deadlines in the row and in its keeper
 * (breakers.machine.ts), which is why every state here rests.
 * States: Closed -> Open -> HalfOpen -> Closed | Open; an operator opens and closes from any of them.
 */
import { setup } from "xstate"
import {
  BREAKER_EVENTS,
  BREAKER_STATES,
  BREAKER_TRANSITIONS,
  type BreakerEvent,
  type BreakerState
} from "../../domain/orders/breaker.ts"

const names = { CLOSED: "Closed", OPEN: "Open", HALF_OPEN: "HalfOpen" } as const

/** The state of a row in the chart: `HALF_OPEN` is `HalfOpen`. */
export const breakerStateOf = (state: BreakerState): (typeof names)[BreakerState] => names[state]

const descriptions: Readonly<Record<BreakerState, string>> = {
  CLOSED: "Entries pass; calls that fail are counted in a sliding window.",
  OPEN: "Entries are denied; reduces, exits and cancels pass. A rule's ends with its cooldown, an operator's never by itself.",
  HALF_OPEN:
    "Entries wait while look-ups at the venue probe it; enough of them close it, a failure opens it for twice as long."
}

const transitionsOf = (state: BreakerState) =>
  Object.fromEntries(
    BREAKER_EVENTS.flatMap((event) => {
      const next = BREAKER_TRANSITIONS[state][event]
      if (next === undefined) return []
      return [[event, next === state ? {} : { target: names[next] }]]
    })
  )

const states = Object.fromEntries(
  BREAKER_STATES.map((state) => [
    names[state],
    { description: descriptions[state], tags: ["resting"] as const, on: transitionsOf(state) }
  ])
)

export const breakerMachine = setup({
  types: {
    events: {} as { readonly type: BreakerEvent },
    tags: {} as "resting"
  }
}).createMachine({ id: "breaker", initial: "Closed", states })
