/**
 * The plan of a chaos run: which faults, in which order, how hard and how close together, all of it from one seed.
 *
 * A run is a row of legs. A leg has a world of its own (processes, databases, a venue with one rule for client order ids), so a
 * violation names a leg, and a leg can be run again alone.
 *
 * Promises: the same seed and count give the same plan; every fault of a leg's ground is dealt once before one is dealt twice;
 * grounds and rules take turns.
 * Never: decides at which microsecond a fault strikes: that is the machine's, so a replay meets the same faults in the same
 * order and pace, and not the same interleaving.
 */
import type { DuplicateRule } from "../support/paper-broker.ts"
import { type Random, randomFrom } from "./random.ts"

/**
 * `alone`: one process with the server it starts itself. `pair`: two processes that share the accounts, on an external server.
 */
export type Ground = "alone" | "pair"

/** Every fault, and what it does. `ground`: where it can be done; absent: in both. */
export const FAULTS = {
  "service killed": { what: "SIGKILL of the process that trades, started again at once" },
  "service killed twice": { what: "the same, and again while it starts" },
  "service frozen": { what: "SIGSTOP of the process that trades until its lease is over" },
  "service stalled": { what: "SIGSTOP of it for less than a lease" },
  "database killed": { what: "SIGKILL of the postmaster" },
  "backend killed": { what: "SIGKILL of one backend, so the server recovers from a crash" },
  "backends terminated": { what: "SIGTERM of every backend of the service" },
  "database frozen": { what: "SIGSTOP of the whole server" },
  "database and service killed": { what: "SIGKILL of both", ground: "alone" },
  "database restarted": { what: "a fast or immediate shutdown, started again", ground: "pair" },
  "standby killed": { what: "SIGKILL of the process that does not trade", ground: "pair" },
  "both killed": { what: "SIGKILL of both processes", ground: "pair" },
  "database clock jumps": {
    what: "hf_now() and hf_clock() differ from the machine by seconds, and return",
    ground: "pair"
  },
  "process clock jumps": { what: "Date differs from the machine by up to 40 s, and returns" },
  "broker killed": { what: "SIGKILL of the venue, started again on its port and book" },
  "broker frozen": { what: "SIGSTOP of the venue" },
  "broker streams cut": { what: "the venue closes its streams with 1000" },
  "broker loses answers": {
    what: "three creates are accepted and the connection is cut instead of an answer"
  },
  "broker drops requests": { what: "two creates are cut off before the venue takes them" },
  "feed cut": { what: "SIGKILL of the signal server, started again on its port" }
} as const satisfies Readonly<Record<string, { readonly what: string; readonly ground?: Ground }>>

export type FaultKind = keyof typeof FAULTS

export interface PlannedFault {
  readonly kind: FaultKind
  /** Waits until somebody trades before it strikes; else it hits whatever the fault before it left. */
  readonly settled: boolean
  /** Pause before it, milliseconds. */
  readonly pauseMs: number
  /** How hard, from 0 to 1, and in which direction: durations, distances and choices follow from these. */
  readonly force: number
  readonly sign: 1 | -1
}

export interface Leg {
  readonly number: number
  readonly seed: number
  readonly ground: Ground
  readonly rule: DuplicateRule
  readonly faults: ReadonlyArray<PlannedFault>
}

/** More faults in one world mean more rows to judge for each; fewer mean more starts than faults. */
const LEG_FAULTS_MAX = 50
/** Fewer are not worth a start of everything. */
const LEG_FAULTS_MIN = 4
const RULES = ["U", "O", "R", "N"] as const

const dealt = (ground: Ground, count: number, random: Random): ReadonlyArray<FaultKind> => {
  const kinds = (Object.keys(FAULTS) as ReadonlyArray<FaultKind>).filter((kind) => {
    const fault: { readonly what: string; readonly ground?: Ground } = FAULTS[kind]
    return fault.ground === undefined || fault.ground === ground
  })
  const deck: Array<FaultKind> = []
  while (deck.length < count) {
    const round = [...kinds]
    for (let index = round.length - 1; index > 0; index -= 1) {
      const other = Math.floor(random.between(0, index + 1))
      ;[round[index], round[other]] = [round[other]!, round[index]!]
    }
    deck.push(...round)
  }
  return deck.slice(0, count)
}

/** `only`: a single leg of the plan, by its number. */
export const planOf = (kills: number, seed: number, only: number | null = null): ReadonlyArray<Leg> => {
  // Both grounds, as soon as there are faults enough for two.
  const count = Math.max(kills < LEG_FAULTS_MIN * 2 ? 1 : 2, Math.ceil(kills / LEG_FAULTS_MAX))
  const legs = Array.from({ length: count }, (_, number): Leg => {
    const legSeed = (seed * 1_000 + number) >>> 0
    const random = randomFrom(legSeed)
    const ground = number % 2 === 0 ? "pair" : "alone"
    const size = Math.floor(kills / count) + (number < kills % count ? 1 : 0)
    return {
      number,
      seed: legSeed,
      ground,
      // Both grounds meet all four rules.
      rule: RULES[(number + Math.floor(number / 4)) % RULES.length]!,
      faults: dealt(ground, size, random).map((kind) => ({
        kind,
        settled: random.next() < 0.65,
        pauseMs: random.between(50, 750),
        force: random.next(),
        sign: random.next() < 0.5 ? 1 : -1
      }))
    }
  })
  return only === null ? legs : legs.filter(({ number }) => number === only)
}
