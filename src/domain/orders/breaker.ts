/**
 * breaker: the circuit breaker of a broker or of a strategy, as one table of transitions and the rules that move it (E7).
 *
 * A breaker is a row that every process shares, not a process: what a venue does to one account concerns all of them, and a
 * restart must not forget it. The keeper (breakers.actor.ts) and the commands of an operator ask here what the next row is.
 *
 * Promises: pure; every change names its event, who made it and its numbers; what an operator opened only an operator closes;
 * the cooldown doubles with each opening until the breaker stayed closed for long enough.
 * Never: reads a clock or a table; decides about an order (risk-breaker.ts does).
 */
import type { BreakerLimits, Settings } from "../kernel/settings.ts"
import type { RiskNumbers } from "./risk-verdict.ts"

export const BREAKER_STATES = ["CLOSED", "OPEN", "HALF_OPEN"] as const
export type BreakerState = (typeof BREAKER_STATES)[number]

/** `opened` and `closed` are an operator's, every other event is a rule's. */
export const BREAKER_EVENTS = [
  "breaker.tripped",
  "breaker.cooled",
  "breaker.probe_passed",
  "breaker.recovered",
  "breaker.failed_again",
  "breaker.opened",
  "breaker.closed"
] as const
export type BreakerEvent = (typeof BREAKER_EVENTS)[number]

/** What each event leads to; an event that is not listed is illegal in that state. */
export const BREAKER_TRANSITIONS: Readonly<
  Record<BreakerState, Readonly<Partial<Record<BreakerEvent, BreakerState>>>>
> = {
  CLOSED: { "breaker.tripped": "OPEN", "breaker.opened": "OPEN", "breaker.closed": "CLOSED" },
  OPEN: { "breaker.cooled": "HALF_OPEN", "breaker.opened": "OPEN", "breaker.closed": "CLOSED" },
  HALF_OPEN: {
    "breaker.probe_passed": "HALF_OPEN",
    "breaker.recovered": "CLOSED",
    "breaker.failed_again": "OPEN",
    "breaker.opened": "OPEN",
    "breaker.closed": "CLOSED"
  }
}

/** The ids of the breakers of an installation: `broker:<name>`, `strategy:<name>`. */
export const breakerIds = ({
  brokers,
  strategies
}: Pick<Settings, "brokers" | "strategies">): ReadonlyArray<string> => [
  ...Object.keys(brokers).map((name) => `broker:${name}`),
  ...Object.keys(strategies).map((name) => `strategy:${name}`)
]

/** The kind and the name in an id. A kind that does not exist has no limits, because nothing has such an id. */
export const partsOf = (id: string): { readonly kind: string; readonly name: string } => {
  const [kind = "", ...rest] = id.split(":")
  return { kind, name: rest.join(":") }
}

/** What an absent `failuresMax` means: practice is where faults are tried out, elsewhere each failure may be money. */
const failuresMaxOf = ({ failuresMax }: BreakerLimits, mode: Settings["mode"]): number | null =>
  failuresMax === undefined ? (mode === "PRACTICE" ? 20 : 5) : failuresMax

export interface BreakerPolicy extends BreakerLimits {
  readonly failuresMax: number | null
}

/** The limits of a breaker: its own, else those of its kind. Null: there is no such kind. */
export const policyOf = (settings: Pick<Settings, "mode" | "risk">, id: string): BreakerPolicy | null => {
  const { breakers } = settings.risk
  const limits = breakers[id] ?? breakers[partsOf(id).kind]
  return limits === undefined ? null : { ...limits, failuresMax: failuresMaxOf(limits, settings.mode) }
}

/** Calls of one breaker within its window, or since its last change where that is later. */
export interface BreakerCounts {
  /** Creates and cancels at a broker; creates of a strategy. */
  readonly orders: number
  readonly orderFailures: number
  /** Look-ups at a broker. */
  readonly reads: number
  readonly readFailures: number
}

/** A breaker as it is stored. Times are epoch milliseconds of the database's clock. */
export interface Breaker {
  readonly id: string
  readonly state: BreakerState
  /** An operator opened it: it stays open until an operator closes it. */
  readonly manual: boolean
  readonly reason: string | null
  /** `system`, `rule:<name>`, or who gave the command. */
  readonly changedBy: string
  readonly changedAtMs: number
  /** When the outbreak began; null while it is closed. */
  readonly openedAtMs: number | null
  /** Openings in a row, which decide how long the next cooldown is. */
  readonly openings: number
  /** When it becomes HALF_OPEN; null unless a rule opened it. */
  readonly cooldownUntilMs: number | null
  /** Probes that were answered since it became HALF_OPEN. */
  readonly probes: number
  /** What it was opened by, in numbers. */
  readonly numbers: RiskNumbers
  readonly version: number
}

/** The next row: everything but the version and the time, which the store gives it. */
export interface BreakerChange {
  readonly event: BreakerEvent
  readonly from: BreakerState
  readonly next: Omit<Breaker, "version" | "changedAtMs">
}

/** Legal by the table, or null. */
const step = (
  breaker: Breaker,
  event: BreakerEvent,
  changes: Partial<Omit<Breaker, "id" | "state" | "version" | "changedAtMs">>
): BreakerChange | null => {
  const state = BREAKER_TRANSITIONS[breaker.state][event]
  if (state === undefined) return null
  const { changedAtMs: _at, version: _version, ...before } = breaker
  return { event, from: breaker.state, next: { ...before, ...changes, state } }
}

/** The cooldown of an opening, the first of a row being 1. */
export const cooldownOf = (
  { cooldownMs, cooldownMsMax }: Pick<BreakerLimits, "cooldownMs" | "cooldownMsMax">,
  openings: number
): number => Math.min(cooldownMsMax, cooldownMs * 2 ** Math.min(Math.max(openings, 1) - 1, 30))

interface Trip {
  readonly reason: string
  readonly numbers: RiskNumbers
}

const seconds = (ms: number): string => `${ms / 1_000} s`

const over = (
  what: "orders" | "reads",
  calls: number,
  failures: number,
  limit: number | null,
  { failurePct, windowMs }: BreakerPolicy
): Trip | null =>
  limit === null || failures < limit || failures * 100 < failurePct * calls
    ? null
    : {
        reason: `${failures} of ${calls} ${what} failed within ${seconds(windowMs)}, limit ${limit} and ${failurePct} %`,
        numbers: { counted: what, failures, calls, window_ms: windowMs, limit, limit_pct: failurePct }
      }

/** Why the calls of a window open a breaker; null when they do not. */
export const tripOf = (policy: BreakerPolicy, counts: BreakerCounts): Trip | null =>
  over("orders", counts.orders, counts.orderFailures, policy.failuresMax, policy) ??
  over("reads", counts.reads, counts.readFailures, policy.readFailuresMax, policy)

const opened = (
  breaker: Breaker,
  event: "breaker.tripped" | "breaker.failed_again",
  rule: string,
  { numbers, reason }: Trip,
  policy: BreakerPolicy,
  nowMs: number
): BreakerChange | null => {
  const isQuiet = event === "breaker.tripped" && nowMs - breaker.changedAtMs >= policy.resetAfterMs
  const openings = isQuiet ? 1 : breaker.openings + 1
  const cooldownMs = cooldownOf(policy, openings)
  return step(breaker, event, {
    manual: false,
    reason,
    changedBy: `rule:${rule}`,
    openedAtMs: breaker.openedAtMs ?? nowMs,
    openings,
    cooldownUntilMs: nowMs + cooldownMs,
    probes: 0,
    numbers: { ...numbers, openings, cooldown_ms: cooldownMs }
  })
}

/**
 * What time and calls make of a breaker now; null: nothing. A call that fails while it is HALF_OPEN (a close or a cancel, which
 * always pass) is as good as a failed probe.
 */
export const nextOf = (
  breaker: Breaker,
  policy: BreakerPolicy,
  counts: BreakerCounts,
  nowMs: number
): BreakerChange | null => {
  switch (breaker.state) {
    case "CLOSED": {
      const trip = tripOf(policy, counts)
      return trip === null
        ? null
        : opened(breaker, "breaker.tripped", "breaker_failures", trip, policy, nowMs)
    }
    case "OPEN":
      if (breaker.manual || nowMs < (breaker.cooldownUntilMs ?? 0)) return null
      return step(breaker, "breaker.cooled", {
        reason: `its cooldown is over, ${policy.probesMin} probes must pass`,
        changedBy: "rule:breaker_cooldown",
        cooldownUntilMs: null,
        probes: 0
      })
    case "HALF_OPEN": {
      const { orderFailures: failures, orders: calls } = counts
      if (failures === 0) return null
      const trip = {
        reason: `${failures} of ${calls} orders failed while it was half open`,
        numbers: { counted: "orders", failures, calls }
      }
      return opened(breaker, "breaker.failed_again", "breaker_failures", trip, policy, nowMs)
    }
  }
}

/** What a probe makes of a breaker that is HALF_OPEN. `failure`: why the venue did not answer, null when it did. */
export const probed = (
  breaker: Breaker,
  policy: BreakerPolicy,
  failure: string | null,
  nowMs: number
): BreakerChange | null => {
  if (failure !== null) {
    const trip = {
      reason: `a probe failed: ${failure}`,
      numbers: { counted: "probes", failures: 1, calls: 1 }
    }
    return opened(breaker, "breaker.failed_again", "breaker_probe", trip, policy, nowMs)
  }
  const probes = breaker.probes + 1
  if (probes < policy.probesMin) return step(breaker, "breaker.probe_passed", { probes })
  return step(breaker, "breaker.recovered", {
    reason: `${probes} probes passed`,
    changedBy: "rule:breaker_probe",
    openedAtMs: null,
    probes,
    numbers: {}
  })
}

/** What an operator makes of a breaker, from any state. Closing forgets the openings before it. */
export const byOperator = (
  breaker: Breaker,
  command: "open" | "close",
  { by, nowMs, reason }: { readonly by: string; readonly nowMs: number; readonly reason: string | null }
): BreakerChange | null =>
  command === "open"
    ? step(breaker, "breaker.opened", {
        manual: true,
        reason,
        changedBy: by,
        openedAtMs: breaker.openedAtMs ?? nowMs,
        cooldownUntilMs: null,
        probes: 0,
        numbers: {}
      })
    : step(breaker, "breaker.closed", {
        manual: false,
        reason,
        changedBy: by,
        openedAtMs: null,
        openings: 0,
        cooldownUntilMs: null,
        probes: 0,
        numbers: {}
      })

/** A change of state or of who decides it; the others only count a probe. */
export const isNews = ({ event }: Pick<BreakerChange, "event">): boolean => event !== "breaker.probe_passed"

/** A breaker that is not closed. Times are epoch milliseconds of the database's clock. */
export interface StoppedBreaker {
  readonly id: string
  readonly state: Exclude<BreakerState, "CLOSED">
  readonly by: string
  readonly reason: string | null
  /** When its cooldown ends; null when only an operator closes it, or probes do. */
  readonly untilMs: number | null
  /** What it was opened by. */
  readonly numbers: RiskNumbers
}

/** The breakers that stop an order: those of the broker it goes to and of its strategy, an OPEN one first. */
export const breakersFor = (
  stopped: ReadonlyMap<string, StoppedBreaker>,
  broker: string | null,
  strategy: string
): ReadonlyArray<StoppedBreaker> =>
  [...(broker === null ? [] : [`broker:${broker}`]), `strategy:${strategy}`]
    .flatMap((id) => stopped.get(id) ?? [])
    .toSorted((a, b) => Number(b.state === "OPEN") - Number(a.state === "OPEN"))
