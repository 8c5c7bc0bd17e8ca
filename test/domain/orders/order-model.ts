/**
 * A reference model of an order's life, written from the truth tables and not from the order table: it knows facts (was it sent,
 * does the venue attest it, what is in doubt, what has traded) and no transitions. It is slow on purpose: every question is
 * answered from the whole story of the order, so nothing is carried along that could be carried wrongly.
 *
 * Promises: pure; a step that does not fit leaves every fact as it is, except that a trade is a trade (T4).
 * Never: imports what it is compared with.
 */

/** What happens to an order. Quantities are whole. */
export type Step =
  | { readonly own: OwnStep }
  /** What a response, the stream or a look-up says it is. `complete`: the venue's word that all of it has traded. */
  | {
      readonly venue:
        | "open"
        | "partially_filled"
        | "filled"
        | "cancelled"
        | "expired"
        | "rejected"
        | "complete"
    }
  | { readonly venue: "cancel_refused" }
  | { readonly operator: "placed" | "not_placed" | "over" }
  | { readonly fill: number }

export const OWN_STEPS = [
  "denied",
  "held",
  "released",
  "expired_unsent",
  "withdrawn",
  "submitted",
  "cancel_requested",
  "outcome_lost",
  "lookup_started",
  "resubmitted",
  "escalated"
] as const
type OwnStep = (typeof OWN_STEPS)[number]

type End = "denied" | "withdrawn" | "expired_unsent" | "rejected" | "filled" | "cancelled" | "expired"

interface Facts {
  /** It left, or may have. */
  readonly isSent: boolean
  readonly isHeld: boolean
  /** The venue confirmed it since it was sent last. */
  readonly isAttested: boolean
  /** Some of it is known to have traded, and the rest to live. */
  readonly isPartly: boolean
  /** Who has to find out what became of it. */
  readonly doubt: "nobody_yet" | "asked" | "human" | null
  readonly isCancelling: boolean
  readonly end: End | null
}

const born: Facts = {
  isSent: false,
  isHeld: false,
  isAttested: false,
  isPartly: false,
  doubt: null,
  isCancelling: false,
  end: null
}

/** What follows from a step, or null when it does not fit. `booked`: what has traded before it. */
type Rule = (facts: Facts, booked: number) => Facts | null

const ends =
  (end: End): Rule =>
  (facts) => ({ ...facts, end, doubt: null, isCancelling: false })

/** T4, T10: what waits here may be refused, held, let go, sent, or end; nobody else has heard of it. */
const before: { readonly [step in OwnStep]?: Rule } = {
  denied: ends("denied"),
  withdrawn: ends("withdrawn"),
  expired_unsent: ends("expired_unsent"),
  held: (facts) => (facts.isHeld ? null : { ...facts, isHeld: true }),
  released: (facts) => (facts.isHeld ? { ...facts, isHeld: false } : null),
  submitted: (facts) => (facts.isHeld ? null : { ...facts, isSent: true })
}

/** The venue shows it alive: a doubt is over, a cancel that travels is not (K9). */
const alive: Rule = (facts, booked) =>
  facts.isCancelling
    ? facts
    : { ...facts, isAttested: true, isPartly: booked > 0 || isKnownPartly(facts), doubt: null }

const isKnownPartly = (facts: Facts): boolean => facts.isPartly && facts.doubt === null

/** Somebody waits for an answer: to a create, to a cancel, or to a look-up. */
const waitsForAnswer = (facts: Facts): boolean =>
  facts.doubt === null ? facts.isCancelling || !facts.isAttested : facts.doubt === "asked"

/** T5: what may become of one that was sent. */
const after: { readonly [step in OwnStep]?: Rule } = {
  outcome_lost: (facts) =>
    waitsForAnswer(facts) ? { ...facts, doubt: "nobody_yet", isCancelling: false } : null,
  cancel_requested: (facts) =>
    facts.doubt === null && facts.isAttested && !facts.isCancelling ? { ...facts, isCancelling: true } : null,
  lookup_started: (facts) =>
    facts.doubt === "nobody_yet" || facts.doubt === "human" ? { ...facts, doubt: "asked" } : null,
  // The same id again: nobody attests the new create.
  resubmitted: (facts) =>
    facts.doubt === "asked" ? { ...facts, doubt: null, isAttested: false, isPartly: false } : null,
  expired_unsent: (facts, booked) => (facts.doubt === "asked" ? ends("expired_unsent")(facts, booked) : null),
  escalated: (facts) =>
    facts.doubt === "nobody_yet" || facts.doubt === "asked" ? { ...facts, doubt: "human" } : null
}

const venueRules: { readonly [word in Extract<Step, { readonly venue: string }>["venue"]]: Rule } = {
  open: alive,
  partially_filled: alive,
  // Its fills are facts of their own, and may come later.
  filled: alive,
  complete: ends("filled"),
  cancelled: ends("cancelled"),
  expired: ends("expired"),
  // What is known to have traded was not refused. While its end is asked for, the answer is what counts.
  rejected: (facts, booked) =>
    facts.doubt === null && !facts.isCancelling && isKnownPartly(facts)
      ? null
      : ends("rejected")(facts, booked),
  cancel_refused: (facts) =>
    facts.isCancelling ? { ...facts, doubt: "nobody_yet", isCancelling: false } : null
}

const operatorRules: { readonly [word in Extract<Step, { readonly operator: string }>["operator"]]: Rule } = {
  placed: (facts, booked) => ({ ...facts, doubt: null, isAttested: true, isPartly: booked > 0 }),
  // T5: the one way to a second attempt, and never of what has traded.
  not_placed: (_, booked) => (booked > 0 ? null : born),
  over: ends("cancelled")
}

/** What is over hears only echoes, and trades that happened before it was over. */
const echoes: { readonly [end in End]: ReadonlyArray<string> } = {
  denied: [],
  withdrawn: [],
  expired_unsent: [],
  rejected: ["rejected"],
  filled: ["open", "partially_filled", "filled", "complete"],
  cancelled: ["open", "partially_filled", "filled", "cancelled"],
  expired: ["open", "partially_filled", "filled", "expired"]
}

const mayTradeLate = (end: End): boolean => end === "cancelled" || end === "expired"

export class OrderModel {
  readonly #quantity: number
  readonly #story: Array<Step> = []

  constructor(quantity: number) {
    this.#quantity = quantity
  }

  /** Takes a step; false: it does not fit. */
  take(step: Step): boolean {
    this.#story.push(step)
    const [facts, booked] = this.#told(this.#story.length - 1)
    return this.#next(facts, booked, step) !== null
  }

  /** Those of some steps that would fit. */
  fitting(steps: ReadonlyArray<Step>): ReadonlyArray<Step> {
    const [facts, booked] = this.#told(this.#story.length)
    return steps.filter((step) => this.#next(facts, booked, step) !== null)
  }

  /** Facts and trades after the first `count` steps, from the beginning. */
  #told(count: number): readonly [Facts, number] {
    let facts = born
    let booked = 0
    for (const step of this.#story.slice(0, count)) {
      facts = this.#next(facts, booked, step) ?? facts
      if ("fill" in step) booked += step.fill
    }
    return [facts, booked]
  }

  #next(facts: Facts, booked: number, step: Step): Facts | null {
    if ("fill" in step) return this.#trade(facts, booked + step.fill)
    if (facts.end !== null) {
      if (!("venue" in step)) return null
      if (step.venue === "complete" && mayTradeLate(facts.end)) return { ...facts, end: "filled" }
      return echoes[facts.end].includes(step.venue) ? facts : null
    }
    if (!facts.isSent) return "own" in step ? (before[step.own]?.(facts, booked) ?? null) : null
    if ("own" in step) return after[step.own]?.(facts, booked) ?? null
    if ("venue" in step) return venueRules[step.venue](facts, booked)
    return facts.doubt === "human" ? operatorRules[step.operator](facts, booked) : null
  }

  /** A trade proves that the venue has the order; it says nothing of a cancel that travels. */
  #trade(facts: Facts, sum: number): Facts | null {
    if (sum > this.#quantity) return null
    const isAll = sum === this.#quantity
    if (facts.end !== null) {
      if (mayTradeLate(facts.end)) return isAll ? { ...facts, end: "filled" } : facts
      return facts.end === "filled" ? facts : null
    }
    if (!facts.isSent) return null
    if (isAll) return ends("filled")(facts, sum)
    return { ...facts, isAttested: true, isPartly: true, doubt: null }
  }

  get status(): string {
    const [facts] = this.#told(this.#story.length)
    if (facts.end !== null) return facts.end
    if (!facts.isSent) return facts.isHeld ? "held" : "intended"
    if (facts.doubt !== null)
      return { nobody_yet: "unknown", asked: "resolving", human: "needs_operator" }[facts.doubt]
    if (facts.isCancelling) return "pending_cancel"
    if (facts.isPartly) return "partially_filled"
    return facts.isAttested ? "acked" : "submitting"
  }

  get booked(): number {
    return this.#told(this.#story.length)[1]
  }

  /** F3: the venue has it, or may have it. */
  get mayBeAtVenue(): boolean {
    const [facts] = this.#told(this.#story.length)
    return facts.isSent && facts.end === null
  }

  /** T6: nobody knows whether the venue has it. */
  get blocksSymbol(): boolean {
    const [facts] = this.#told(this.#story.length)
    return this.mayBeAtVenue && (facts.doubt !== null || (!facts.isAttested && !facts.isCancelling))
  }

  get isOver(): boolean {
    return this.#told(this.#story.length)[0].end !== null
  }

  /** T14: what an operator's cancel does. */
  get cancel(): "withdraws" | "requests" | "has_it" | "refused" {
    const [facts] = this.#told(this.#story.length)
    if (facts.end !== null)
      return ["cancelled", "withdrawn", "expired_unsent"].includes(facts.end) ? "has_it" : "refused"
    if (!facts.isSent) return "withdraws"
    if (facts.isCancelling) return "has_it"
    return facts.doubt === null && facts.isAttested ? "requests" : "refused"
  }
}
