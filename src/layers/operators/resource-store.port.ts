/**
 * ResourceStore: the port to the history of what the process had left (T13).
 *
 * Promises: a sample is one row; a reader gets them by the list `resources` of the read store.
 * Never: judges a figure.
 */
import { Context, type Effect } from "effect"
import type { Feature, ResourceReading } from "../../domain/platform/resources.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** The worst of each figure since the last sample, and how things stood at its end. */
export interface ResourceSample extends ResourceReading {
  readonly node: string | null
  readonly atMs: number
  readonly state: string
  readonly shed: ReadonlyArray<Feature>
}

export interface ResourceStoreService {
  readonly add: (samples: ReadonlyArray<ResourceSample>) => Effect.Effect<void, DatabaseError>
}

export class ResourceStore extends Context.Service<ResourceStore, ResourceStoreService>()(
  "holdfast/layers/ResourceStore"
) {}
