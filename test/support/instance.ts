/**
 * An instance whose node has its lease for as long as the test runs.
 *
 * Promises: the standing is known from the first moment, as after the node component has opened the lease.
 * Never: queries a database.
 */
import { type InstanceService, makeInstance } from "../../src/layers/platform/instance.port.ts"

export const heldInstance = (nodeId: string, bootId: string): InstanceService => {
  const instance = makeInstance()
  instance.assign({ nodeId, bootId })
  instance.stand({
    _tag: "Held",
    deadline: {
      remainingMs: () => Number.POSITIVE_INFINITY,
      extend: () => undefined,
      giveUp: () => undefined
    }
  })
  return instance
}
