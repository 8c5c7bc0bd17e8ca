/**
 * The cells of the crash matrix: where the process dies, what the venue does to its requests, and what the venue does with a
 * client order id that it has seen before.
 *
 * Promises: each cell has a name that is its test; the page docs/crash-matrix.md is made from this table.
 * Never: defines how a cell is run (crash-scene.ts).
 */
import type { DuplicateRule, FaultSwitches } from "../support/paper-broker.ts"

export const RULES: ReadonlyArray<DuplicateRule> = ["U", "R", "O", "N"]

/**
 * Where the process is killed, or under `F` frozen and thawed. Under `K11` and `F` a second process on the same database takes
 * over.
 */
export const POINTS = {
  K0: "before the commit of the intake",
  K1: "committed, not answered",
  K2: "answered and claimed, not decided",
  K3: "intended, not committed as submitting",
  K4: "submitting is committed, nothing is on the wire",
  K5: "the venue has answered, the answer is not stored",
  K6: "the answer is stored, fills are still to come",
  K7: "a fill has come, its transaction has not begun",
  K8: "inside the transaction of a fill",
  K9: "a cancel was answered, its answer is not stored",
  "K10-begun": "a flatten of two positions is audited, its orders do not exist yet",
  "K10-done": "the orders of a flatten are committed, the operator has no answer",
  "K10-K4": "a flatten of two positions: the first close is at K4",
  "K10-K5": "a flatten of two positions: the first close is at K5",
  "K11-K4": "two processes: the owner dies at K4, the other takes over",
  "K11-K5": "two processes: the owner dies at K5, the other takes over",
  "K12-K9": "a partly filled entry is cancelled: the venue has answered, its answer is not stored",
  "K12-in": "inside the transaction that stores the close of what it had filled",
  "K12-stored": "that close is stored with its alert, nobody was told of it",
  "K12-K4": "that close is at K4",
  "K12-K5": "that close is at K5",
  "K12-K6": "that close is at K6",
  "K12-K7": "that close is at K7",
  "K12-K8": "that close is at K8",
  "F-K4": "frozen past its lease at K4, before anything of the create",
  "F-K4-connected": "frozen past its lease with the connection made, right before the permit is checked",
  "F-K4-permitted": "frozen past its lease after the permit was checked, right before the bytes"
} as const

export type Point = keyof typeof POINTS

/** How an order ends: filled once, cancelled, or nothing of it in the venue's book and the reason known. */
export type Ending = "filled" | "cancelled" | "rejected" | "needs_operator"

export interface VenueFault {
  readonly what: string
  readonly switches: FaultSwitches
  /** What the venue makes of the first create: an order, a refusal that it documents, or nothing. */
  readonly first?: "refused" | "nothing"
  /** The fault is about the stream and is taken back when the process is started again. */
  readonly endsWithLife?: boolean
}

const once = { times: 1 } as const

export const VENUE_FAULTS: Readonly<Record<string, VenueFault>> = {
  none: { what: "nothing", switches: {} },
  hung: {
    what: "the answer outlasts every deadline, accepted only then",
    switches: { create: { mode: "delay_before", delayMs: 30_000, ...once } }
  },
  slow: {
    what: "accepted, the answer outlasts every deadline",
    switches: { create: { mode: "delay_after", delayMs: 8_000, ...once } }
  },
  late: {
    what: "accepted, the answer comes late",
    switches: { create: { mode: "delay_after", delayMs: 700, ...once } }
  },
  cut_before: {
    what: "disconnected before the venue accepts",
    switches: { create: { mode: "drop_before", ...once } },
    first: "nothing"
  },
  cut_after: {
    what: "disconnected after the venue accepted",
    switches: { create: { mode: "drop_after", ...once } }
  },
  error_before: {
    what: "500 before the venue accepts",
    switches: { create: { mode: "error_before", ...once } },
    first: "nothing"
  },
  error_after: {
    what: "500 after the venue accepted",
    switches: { create: { mode: "error_after", ...once } }
  },
  html: {
    what: "HTML instead of JSON, accepted",
    switches: { create: { mode: "garbage_after", ...once } }
  },
  penalty: {
    what: "a refusal inside a 200",
    switches: { create: { mode: "penalty_before", ...once } },
    first: "nothing"
  },
  rate_limit: {
    what: "the venue's rate limit, which its list of refusals does not have",
    switches: { create: { mode: "refuse", code: "rate_limited", ...once } },
    first: "nothing"
  },
  refused: {
    what: "a refusal that the venue documents",
    switches: { create: { mode: "refuse", code: "market_closed", ...once } },
    first: "refused"
  },
  invisible: {
    what: "accepted, not visible to look-ups for a while",
    switches: { create: { mode: "drop_after", ...once }, invisibleMs: 1_200 }
  },
  partial: { what: "filled in three parts", switches: { fillParts: 3 } },
  twice: { what: "each fill is sent twice", switches: { fillParts: 2, fillsTwice: true } },
  reversed: { what: "fills come in reverse", switches: { fillParts: 3, fillsReversed: true } },
  deaf: {
    what: "filled while the stream says nothing",
    switches: { streamSilent: true },
    endsWithLife: true
  },
  reads: {
    what: "queries (positions, orders, fills) fail four times",
    switches: { read: { mode: "error_before", times: 4 } }
  }
}

/** What the venue does to a cancel (K9). The order is open and nothing of it has filled. */
export const CANCEL_FAULTS: Readonly<Record<string, VenueFault>> = {
  none: { what: "nothing", switches: {} },
  slow: {
    what: "cancelled, the answer outlasts every deadline",
    switches: { cancel: { mode: "delay_after", delayMs: 8_000, ...once } }
  },
  cut_before: {
    what: "disconnected before the venue cancels",
    switches: { cancel: { mode: "drop_before", ...once } }
  },
  cut_after: {
    what: "disconnected after the venue cancelled",
    switches: { cancel: { mode: "drop_after", ...once } }
  },
  error_before: {
    what: "500 before the venue cancels",
    switches: { cancel: { mode: "error_before", ...once } }
  },
  error_after: {
    what: "500 after the venue cancelled",
    switches: { cancel: { mode: "error_after", ...once } }
  },
  html: {
    what: "HTML instead of JSON, cancelled",
    switches: { cancel: { mode: "garbage_after", ...once } }
  },
  refused: {
    what: "the venue says that the order is not open, and it is",
    switches: { cancel: { mode: "refuse", code: "order_not_open", ...once } }
  },
  race: {
    what: "disconnected before the venue cancels, and it fills the order while we are dead",
    switches: { cancel: { mode: "drop_before", ...once } }
  }
}

/** When the frozen process goes on (F). The venue has no fault: what is judged is who wrote to it. */
export const THAWS: Readonly<Record<string, VenueFault>> = {
  soon: { what: "thawed while the other process looks the order up", switches: {} },
  late: { what: "thawed after the other process has ended it", switches: {} },
  alone: { what: "no other process: thawed past its lease, it goes on by itself", switches: {} }
}

/** Faults under which every close of a flatten is filled in the end, whatever the rule. */
const FLATTEN_FAULTS = Object.fromEntries(
  Object.entries(VENUE_FAULTS).filter(([, { first }]) => first === undefined)
)

/** True of a point at which the process is frozen and thawed, not killed. */
export const isFreeze = (point: Point): boolean => point.startsWith("F-")

/** True of a point of a compensation: the order of its cell is the close; the entry before it is cancelled with a part of it filled. */
export const isCompensation = (point: Point): boolean => point.startsWith("K12")

/** The faults that are tried at a point. */
export const faultsOf = (point: Point): Readonly<Record<string, VenueFault>> => {
  if (point === "K9") return CANCEL_FAULTS
  if (isFreeze(point)) return THAWS
  if (point === "K10-K4" || point === "K10-K5" || isCompensation(point))
    return { none: { what: "nothing", switches: {} } }
  return point.startsWith("K10") ? FLATTEN_FAULTS : VENUE_FAULTS
}

export interface Cell {
  readonly point: Point
  readonly rule: DuplicateRule
  readonly fault: string
}

/**
 * How the order of a cell ends (T5). One that the venue may have, and does not show, is sent again only where a second create
 * is harmless; under O and N an operator decides.
 */
export const endingOf = ({ fault, point, rule }: Cell): Ending => {
  if (point === "K9") return fault === "race" ? "filled" : "cancelled"
  const { first } = faultsOf(point)[fault]!
  const isResent = rule === "U" || rule === "R"
  // What a frozen process still writes after its permit was checked is found at the venue and adopted.
  const isUnsent = point.endsWith("K4") || point === "F-K4-connected"
  // The refusal died with the process: what is known is that the venue shows no such order.
  const isRefusalLost = first === "refused" && point.endsWith("K5")
  if (!isResent && (isUnsent || isRefusalLost || first === "nothing")) return "needs_operator"
  return first === "refused" && !isRefusalLost ? "rejected" : "filled"
}

export const cellsOf = (rule: DuplicateRule): ReadonlyArray<Cell> =>
  (Object.keys(POINTS) as ReadonlyArray<Point>).flatMap((point) =>
    Object.keys(faultsOf(point)).map((fault) => ({ point, rule, fault }))
  )

/** The creates that the venue may receive under the id of a freeze cell, the fewest and the most. */
export const createsOf = ({ point, rule, fault }: Cell): readonly [least: number, most: number] => {
  const isResent = rule === "U" || rule === "R"
  // Bytes that leave after the other process found no such order at the venue meet its second send of the same id.
  if (point === "F-K4-permitted") return [1, isResent && fault !== "alone" ? 2 : 1]
  return isResent ? [1, 1] : [0, 0]
}

/** A few freezes for every run, each at another point and moment. */
export const freezeSampleOf = (rule: DuplicateRule): ReadonlyArray<Cell> => [
  {
    U: { point: "F-K4-permitted", rule, fault: "late" },
    R: { point: "F-K4", rule, fault: "soon" },
    O: { point: "F-K4-permitted", rule, fault: "soon" },
    N: { point: "F-K4-connected", rule, fault: "late" }
  }[rule] as Cell
]

/** One cell of each point: the rules and the faults take turns, so that a few cells meet all of the first and most of the second. */
export const sampleOf = (rule: DuplicateRule, size: number): ReadonlyArray<Cell> => {
  // Compensations have a test of every run, at three of their points (partial-fills.test.ts).
  const all = cellsOf(rule).filter(({ point }) => !isFreeze(point) && !isCompensation(point))
  // A step that shares no divisor with the number of cells visits points and faults evenly.
  return Array.from({ length: size }, (_, n) => all[(n * 59 + 7 * RULES.indexOf(rule)) % all.length]!)
}

export const nameOf = ({ fault, point, rule }: Cell): string => `${point} ${fault} ${rule}`
