/**
 * Slots: the places in a machine where its actor plugs an effect in.
 *
 * A machine names the work of a state and the shape of its input and output; what is done there is none of
 * its business. The bridge replaces each slot with an effect that lives in the child's scope. A slot that
 * nobody filled fails at once with its name, so a forgotten effect is a crash at start and never a state
 * that waits forever.
 *
 * Promises: an unfilled slot is an error event of its own state.
 * Never: does work.
 */
import {
  type AnyEventObject,
  fromCallback,
  fromPromise,
  type CallbackActorLogic,
  type PromiseActorLogic
} from "xstate"

/** Work that ends: its result arrives as `onDone`, its typed failure as `onError`. */
export const slot = <Input, Output>(): PromiseActorLogic<Output, Input> =>
  fromPromise<Output, Input>(({ self }) =>
    Promise.reject(new Error(`the slot ${self.id} of this machine is not filled`))
  )

/** Work that runs for as long as its state does, and reports to the machine by events. */
export const streamSlot = <Input>(): CallbackActorLogic<AnyEventObject, Input> =>
  fromCallback<AnyEventObject, Input>(({ self }) => {
    throw new Error(`the slot ${self.id} of this machine is not filled`)
  })
