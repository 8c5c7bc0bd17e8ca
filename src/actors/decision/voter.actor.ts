/**
 * Voter actor: the voter machine with one endpoint of the user's own behind it.
 *
 * Promises: what the endpoint does, hang, die or lie, costs decisions its vote and nothing else; every answer is counted by what it
 * was; an endpoint that is left alone is an alert until it answers.
 * Never: asks the same question twice.
 */
import { Effect, Metric, Result } from "effect"
import { voterAbstention, voterVote } from "../../domain/decision/voter.ts"
import type { VoterSettings } from "../../domain/kernel/settings-voters.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { VoterExchange, type VoterFault } from "../../layers/decision/voter-exchange.port.ts"
import { Voters } from "../../layers/decision/voters.port.ts"
import { type VoterContext, type VoterEvent, voterMachine } from "../../machines/decision/voter.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { machineChild, streamActor } from "../../runtime/machine-child.ts"

const answersTotal = Metric.counter("holdfast_voter_answers_total", {
  description: "Questions put to an endpoint of engine C, by what its answer was.",
  incremental: true
})

/** What came of the questions of one life. */
interface Tally {
  voted: number
  abstained: number
  refused: number
  /** The last one failed. */
  isFailing: boolean
}

const count = (voter: string, result: "vote" | "abstain" | VoterFault) =>
  Metric.update(Metric.withAttributes(answersTotal, { voter, result }), 1)

/** Takes one question, and puts it to the endpoint. */
const askNext = (voter: string, settings: VoterSettings, tally: Tally, send: (event: VoterEvent) => void) =>
  Effect.gen(function* () {
    const voters = yield* Voters
    const exchange = yield* VoterExchange
    const { answer, isOver, question } = yield* voters.next(voter)
    if (isOver()) return
    const came = yield* Effect.result(exchange.ask(settings, question))
    if (Result.isFailure(came)) {
      const { fault, reason } = came.failure
      tally.refused += 1
      tally.isFailing = true
      yield* count(voter, fault)
      answer(voterAbstention(voter, reason, 0))
      send({ type: "voter.failed", reason })
      return
    }
    const isVote = came.success.vote !== "abstain"
    tally[isVote ? "voted" : "abstained"] += 1
    yield* count(voter, isVote ? "vote" : "abstain")
    answer(voterVote(voter, came.success, 0))
    // What goes well all the time is no event: it would be the whole journal.
    if (tally.isFailing) send({ type: "voter.answered" })
    tally.isFailing = false
  })

const asking = (voter: string, settings: VoterSettings, tally: Tally) =>
  streamActor(
    "voter.ask",
    ({
      input,
      send
    }: {
      readonly input: { readonly alone: boolean }
      readonly send: (event: VoterEvent) => void
    }) =>
      Effect.scoped(
        Effect.gen(function* () {
          const voters = yield* Voters
          yield* voters.attend(voter, input.alone ? "alone" : "many")
          const asked = Array.from({ length: input.alone ? 1 : settings.atOnceMax }, (_, at) => at)
          return yield* Effect.forEach(asked, () => Effect.forever(askNext(voter, settings, tally, send)), {
            concurrency: "unbounded",
            discard: true
          })
        })
      )
  )

/** Tells the decisions and the operators. Neither waits, so an action of the machine may do it. */
const voices = (voter: string, component: string) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const voters = yield* Voters
    const run = Effect.runSyncWith(yield* Effect.context())
    const dedupKey = `voter.failing:${voter}`
    yield* Effect.acquireRelease(voters.away(voter, null), () => voters.away(voter, null))
    return {
      opened: ({ context }: { readonly context: VoterContext }) => {
        const why = context.lastError ?? "no reason known"
        run(
          Effect.andThen(
            voters.away(voter, `it is left alone after ${context.failures} failures: ${why}`),
            alerts.raise({
              severity: "HIGH",
              kind: "voter.failing",
              dedupKey,
              message: `the endpoint ${voter} of engine C failed ${context.failures} times in a row: ${why}`,
              component,
              standing: true
            })
          )
        )
      },
      closed: () => run(alerts.resolve(dedupKey, `the endpoint ${voter} of engine C answers`))
    }
  })

/** The component `root/trading/voter:<name>`. */
export const voterActor = (name: string, settings: VoterSettings) => (self: ChildSelf) =>
  Effect.gen(function* () {
    const tally: Tally = { voted: 0, abstained: 0, refused: 0, isFailing: false }
    return yield* machineChild({
      machine: voterMachine,
      input: { failuresMax: settings.failuresMax, cooldownMs: settings.cooldownMs },
      actors: { ask: asking(name, settings, tally) },
      actions: yield* voices(name, self.path),
      status: ({ context }) => {
        const { abstained, refused, voted } = tally
        return { detail: { voted, abstained, refused, failures: context.failures, opened: context.opened } }
      }
    })(self)
  })
