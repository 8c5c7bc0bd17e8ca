/**
 * Resources: the port to what this process and its machine have left.
 *
 * Promises: a reading is synchronous but for the disk, takes about a millisecond and never fails; its event-loop figure is since
 * the last reading.
 * Never: judges a figure (domain/platform/resources.ts does).
 */
import { Context, type Effect } from "effect"
import type { ResourceReading } from "../../domain/platform/resources.ts"

/** What the process reads of itself; queues and connections are read by whoever has their ports. */
export type ProcessReading = Omit<ResourceReading, "poolWaiting" | "queueMs">

export interface ResourcesService {
  readonly read: Effect.Effect<ProcessReading>
  /** The memory that this process may have: that of its cgroup, or of the machine. Bytes. */
  readonly memoryBytes: number
}

export class Resources extends Context.Service<Resources, ResourcesService>()("holdfast/layers/Resources") {}
