/**
 * Voters: where a decision asks the endpoints of engine C, and where their components get the questions (D9).
 *
 * Each endpoint has a component of its own, which asks it, and leaves it alone when it fails too often. A decision puts its
 * question here and waits for so long as its settings say, whatever the component does.
 *
 * Promises: `ask` never fails and ends within its time; without an answer it is an abstention that says why; who is not asked at
 * present is not waited for.
 * Never: speaks to an endpoint (layers/decision/voter-exchange.port.ts does).
 */
import { Clock, Context, Deferred, Effect, Layer, Option, Queue, type Scope } from "effect"
import type { Vote } from "../../domain/decision/panel.ts"
import { voterAbstention, type VoterQuestion } from "../../domain/decision/voter.ts"

export const voterLimits = {
  /** Questions that wait for one endpoint: the signals of a batch. */
  waitingMax: 64
} as const

/** A question as a component gets it. */
export interface AskedQuestion {
  readonly question: VoterQuestion
  readonly answer: (vote: Vote) => void
  /** Whoever asked has decided without it. */
  readonly isOver: () => boolean
}

/** How questions are taken: some at a time, or one that nobody else waits behind. */
export type Attendance = "many" | "alone"

export interface VotersService {
  readonly ask: (voter: string, question: VoterQuestion, withinMs: number) => Effect.Effect<Vote>
  /** The next question; for its component alone. */
  readonly next: (voter: string) => Effect.Effect<AskedQuestion>
  /** Questions are taken for as long as the scope; for its component alone. */
  readonly attend: (voter: string, how: Attendance) => Effect.Effect<void, never, Scope.Scope>
  /** Why nobody takes questions while nobody does; null: its component does not run. */
  readonly away: (voter: string, reason: string | null) => Effect.Effect<void>
}

interface Seat {
  readonly questions: Queue.Queue<AskedQuestion>
  attended: Attendance | null
  /** Put and not over. */
  open: number
  away: string | null
}

const nowMs = Effect.map(Clock.Clock, (clock) => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)

const openSeat = Effect.map(Queue.dropping<AskedQuestion>(voterLimits.waitingMax), (questions): Seat => ({
  questions,
  attended: null,
  open: 0,
  away: null
}))

/** Why it is not asked now; null when it is. */
const absence = ({ attended, away, open }: Seat): string | null => {
  if (attended === null) return away ?? "it does not run"
  return attended === "alone" && open > 0 ? "it is tried with another question" : null
}

const askOne = (voter: string, seat: Seat, question: VoterQuestion, withinMs: number) =>
  Effect.gen(function* () {
    const why = absence(seat)
    if (why !== null) return voterAbstention(voter, why, 0)
    const fromMs = yield* nowMs
    const done = yield* Deferred.make<Vote>()
    let isOver = false
    seat.open += 1
    const asked: AskedQuestion = {
      question,
      answer: (vote) => void Deferred.doneUnsafe(done, Effect.succeed(vote)),
      isOver: () => isOver
    }
    const vote = yield* Effect.ensuring(
      Effect.gen(function* () {
        if (!(yield* Queue.offer(seat.questions, asked)))
          return Option.some(voterAbstention(voter, "too many questions wait for it", 0))
        return yield* Effect.timeoutOption(Deferred.await(done), withinMs)
      }),
      Effect.sync(() => {
        isOver = true
        seat.open -= 1
      })
    )
    const ms = Math.round(((yield* nowMs) - fromMs) * 10) / 10
    return Option.isNone(vote)
      ? voterAbstention(voter, `it did not answer within ${withinMs} ms`, ms)
      : { ...vote.value, ms }
  })

const makeVoters = Effect.sync((): VotersService => {
  const seats = new Map<string, Seat>()
  const seatOf = (voter: string): Effect.Effect<Seat> =>
    Effect.suspend(() => {
      const known = seats.get(voter)
      return known === undefined
        ? Effect.tap(openSeat, (seat) => Effect.sync(() => seats.set(voter, seat)))
        : Effect.succeed(known)
    })
  const attended = (seat: Seat, how: Attendance | null) =>
    Effect.sync(() => {
      seat.attended = how
    })
  return {
    ask: (voter, question, withinMs) =>
      Effect.flatMap(seatOf(voter), (seat) => askOne(voter, seat, question, withinMs)),
    next: (voter) => Effect.flatMap(seatOf(voter), ({ questions }) => Queue.take(questions)),
    attend: (voter, how) =>
      Effect.flatMap(seatOf(voter), (seat) =>
        Effect.acquireRelease(attended(seat, how), () => attended(seat, null))
      ),
    away: (voter, reason) =>
      Effect.map(seatOf(voter), (seat) => {
        seat.away = reason
      })
  }
})

export class Voters extends Context.Service<Voters, VotersService>()("holdfast/layers/Voters") {
  static readonly layer: Layer.Layer<Voters> = Layer.effect(Voters, makeVoters)
}
