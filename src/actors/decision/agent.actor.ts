/**
 * Agent actor: the agent machine with one agent of engine B behind it.
 *
 * Promises: it is a fiber of its own: what it does to itself, hang, die or lie, costs a decision its vote and nothing else.
 * Never: keeps a question longer than `panelLimits.answerMsMax`.
 */
import { Effect, Option } from "effect"
import { type AgentName, type AgentQuestion, type Opinion, opinions } from "../../domain/decision/agents.ts"
import { Panel, panelLimits } from "../../layers/decision/panel.port.ts"
import { type AgentHung, agentMachine } from "../../machines/decision/agent.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { machineChild, streamActor } from "../../runtime/machine-child.ts"

/** How an agent comes to its opinion. */
export type Think = (question: AgentQuestion) => Effect.Effect<Opinion>

interface Tally {
  answered: number
}

const answering = (agent: AgentName, think: Think, tally: Tally) =>
  streamActor("agent.answer", ({ send }: { readonly send: (event: AgentHung) => void }) =>
    Effect.gen(function* () {
      const panel = yield* Panel
      const one = Effect.gen(function* () {
        const { answer, question } = yield* panel.next(agent)
        const opinion = yield* Effect.timeoutOption(think(question), panelLimits.answerMsMax)
        if (Option.isNone(opinion)) {
          send({ type: "agent.hung", symbol: question.symbol })
          // The machine leaves the state that this belongs to.
          return yield* Effect.never
        }
        answer(opinion.value)
        tally.answered += 1
        return undefined
      })
      return yield* Effect.acquireUseRelease(
        Effect.sync(() => panel.attend(agent)),
        () => Effect.forever(one),
        (leave) => Effect.sync(leave)
      )
    })
  )

const thinks =
  (agent: AgentName): Think =>
  (question) =>
    Effect.sync(() => opinions[agent](question))

/** The component `root/trading/agents/<agent>`. */
export const agentActor =
  (agent: AgentName, think: Think = thinks(agent)) =>
  (self: ChildSelf) =>
    Effect.suspend(() => {
      const tally: Tally = { answered: 0 }
      return machineChild({
        machine: agentMachine,
        input: { retryMs: panelLimits.answerMsMax },
        actors: { answer: answering(agent, think, tally) },
        status: ({ context }) => ({ detail: { answered: tally.answered, hung: context.hung } })
      })(self)
    })
