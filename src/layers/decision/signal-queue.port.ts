/**
 * Signal queue: what this process last saw of the undecided signals.
 *
 * Sampled by every process and not by the pipeline: a pipeline that hangs, is paused or runs nowhere is exactly when
 * the age of the queue has to be seen.
 *
 * Promises: `null` while it is unknown, which it is whenever the database is away.
 * Never: decides about a signal.
 */
import { Context, Layer } from "effect"
import type { Backlog } from "./signals-store.port.ts"

export interface SignalQueueService {
  readonly current: () => Backlog | null
  readonly assign: (backlog: Backlog | null) => void
}

export class SignalQueue extends Context.Service<SignalQueue, SignalQueueService>()(
  "holdfast/layers/SignalQueue"
) {
  static readonly layer: Layer.Layer<SignalQueue> = Layer.sync(SignalQueue, () => {
    let backlog: Backlog | null = null
    return SignalQueue.of({
      current: () => backlog,
      assign: (next) => {
        backlog = next
      }
    })
  })
}
