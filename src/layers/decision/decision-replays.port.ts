/**
 * DecisionReplays: where replays of decisions are asked for, and where their results are found.
 *
 * A replay takes minutes, and whoever asks for one does not wait: it is put in line here, the runner
 * (actors/decision/decision-replay.ts) takes one at a time, and the result stays until others push it out.
 *
 * Promises: bounded in every direction; what is refused because the line is full is a value; ids are not guessed from another.
 * Never: runs anything, or survives the process: a replay is a question and not a record.
 */
import { Context, Deferred, Effect, Layer } from "effect"
import type { ReplayResult } from "../../domain/decision/decision-replay.ts"
import { decisionReplayLimits } from "../../domain/kernel/limits-replay.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { Entropy } from "../platform/entropy.port.ts"
import type { DecisionSpan } from "./decision-history.port.ts"

export interface ReplayRequest extends DecisionSpan {
  /** What to decide under. */
  readonly settings: Settings
}

export interface ReplayJob {
  readonly id: string
  readonly request: ReplayRequest
  readonly status: "running" | "done" | "failed"
  /** Decisions that were made again so far. */
  readonly decided: number
  /** Of a replay that is done. */
  readonly result: ReplayResult | null
  /** Of a replay that failed. */
  readonly error: string | null
}

export interface DecisionReplaysService {
  /** Null: the line is full. */
  readonly submit: (request: ReplayRequest) => string | null
  readonly find: (id: string) => ReplayJob | null
  /** The next in line; waits for one. For the runner alone. */
  readonly next: Effect.Effect<ReplayJob>
  readonly progress: (id: string, decided: number) => void
  readonly settle: (id: string, end: ReplayResult | { readonly error: string }) => void
}

const make = (newId: () => string): DecisionReplaysService => {
  const jobs = new Map<string, ReplayJob>()
  const line: Array<string> = []
  let asked: Deferred.Deferred<void> | null = null
  const change = (id: string, changes: Partial<ReplayJob>): void => {
    const job = jobs.get(id)
    if (job !== undefined) jobs.set(id, { ...job, ...changes })
  }
  const forgetOldest = (): void => {
    for (const { id, status } of jobs.values()) {
      if (jobs.size <= decisionReplayLimits.keptMax) return
      if (status !== "running") jobs.delete(id)
    }
  }
  const next: Effect.Effect<ReplayJob> = Effect.suspend(() => {
    const job = jobs.get(line.shift() ?? "")
    if (job !== undefined) return Effect.succeed(job)
    const waiting = Deferred.makeUnsafe<void>()
    asked = waiting
    return Effect.andThen(Deferred.await(waiting), next)
  })
  return {
    submit: (request) => {
      if (line.length >= decisionReplayLimits.waitingMax) return null
      const id = newId()
      jobs.set(id, { id, request, status: "running", decided: 0, result: null, error: null })
      line.push(id)
      forgetOldest()
      if (asked !== null) Deferred.doneUnsafe(asked, Effect.void)
      asked = null
      return id
    },
    find: (id) => jobs.get(id) ?? null,
    next,
    progress: (id, decided) => change(id, { decided }),
    settle: (id, end) =>
      change(
        id,
        "error" in end
          ? { status: "failed", error: end.error }
          : { status: "done", decided: end.decided, result: end }
      )
  }
}

export class DecisionReplays extends Context.Service<DecisionReplays, DecisionReplaysService>()(
  "holdfast/layers/DecisionReplays"
) {
  static readonly layer: Layer.Layer<DecisionReplays, never, Entropy> = Layer.effect(
    DecisionReplays,
    Effect.map(Entropy, (entropy) => make(() => entropy.uuid()))
  )
}
