/**
 * Instance: which node this is, and which of its lives.
 *
 * A lease names its owner. After a SIGKILL the next life of the same node must not wait for the lease of the
 * last one: the lock on DATA_DIR proves that one is dead, so both share `nodeId`. `bootId` tells the lives
 * apart in the log.
 *
 * Promises: `nodeId` is a random UUID kept in DATA_DIR, the same for every life that holds its lock.
 * Never: is derived from a host name or an address, which two machines can share.
 */
import { Context } from "effect"

export interface InstanceIdentity {
  readonly nodeId: string
  readonly bootId: string
}

export interface InstanceService {
  /** Known once the `database` component holds DATA_DIR; `null` before. */
  readonly current: () => InstanceIdentity | null
  readonly assign: (identity: InstanceIdentity) => void
}

export class Instance extends Context.Service<Instance, InstanceService>()("holdfast/layers/Instance") {}

/** An instance that is told its identity once the lock on DATA_DIR is held. */
export const makeInstance = (): InstanceService => {
  let identity: InstanceIdentity | null = null
  return {
    current: () => identity,
    assign: (next) => {
      identity = next
    }
  }
}
