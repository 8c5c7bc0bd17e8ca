/**
 * Worker: the port to the engine of this process: its event loop, its memory, its garbage collector.
 *
 * Promises: `read` is synchronous and cheap; the event-loop figures are since `sinceMs`, about a minute or as long as
 * nobody read them.
 * Never: knows a component.
 */
import { Context } from "effect"

export interface WorkerReading {
  readonly pid: number
  readonly node: string
  /** Epoch milliseconds. */
  readonly startedAtMs: number
  readonly eventLoop: {
    readonly sinceMs: number
    /** Delay beyond the sampling interval, in milliseconds. */
    readonly meanMs: number
    readonly p99Ms: number
    readonly maxMs: number
    /** Part of the time in which the loop was busy, 0 to 1. */
    readonly utilization: number
  }
  /** Collections since the process started. */
  readonly gc: { readonly count: number; readonly totalMs: number; readonly maxMs: number }
  readonly memory: {
    readonly rssBytes: number
    readonly heapUsedBytes: number
    readonly heapTotalBytes: number
    readonly heapLimitBytes: number
    readonly externalBytes: number
  }
}

export class Worker extends Context.Service<Worker, { readonly read: () => WorkerReading }>()(
  "holdfast/layers/Worker"
) {}
