/**
 * Voter exchange: the port to an endpoint of the user's own.
 *
 * Promises: one question, one answer or one failure, within the deadline of the settings; a failure is of one of a few kinds.
 * Never: repeats a question, or puts a secret into a failure.
 */
import { Context, Data, type Effect } from "effect"
import type { Opinion } from "../../domain/decision/agents.ts"
import type { VoterQuestion } from "../../domain/decision/voter.ts"
import type { VoterSettings } from "../../domain/kernel/settings-voters.ts"

/** `late`: no whole answer in time. `shape`: JSON that is no vote. */
export type VoterFault = "late" | "unreachable" | "status" | "redirect" | "not_json" | "too_large" | "shape"

export class VoterFailed extends Data.TaggedError("VoterFailed")<{
  readonly fault: VoterFault
  readonly reason: string
}> {
  override get message(): string {
    return this.reason
  }
}

export interface VoterExchangeService {
  readonly ask: (settings: VoterSettings, question: VoterQuestion) => Effect.Effect<Opinion, VoterFailed>
}

export class VoterExchange extends Context.Service<VoterExchange, VoterExchangeService>()(
  "holdfast/layers/VoterExchange"
) {}
