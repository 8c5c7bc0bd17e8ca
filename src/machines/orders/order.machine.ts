/**
 * Order machine: the life of one order, drawn from the table of the domain.
 *
 * The table in domain/orders/order.ts is the one source: the store applies it under guards, and this chart is the same table
 * as a statechart, so that diagram, console and matrix test can never differ from the rows.
 *
 * Promises: one state per status and one transition per entry of the table; an entry that leads back to its own
 * status is handled and changes nothing.
 * Never: adds, drops or renames a transition. Deadlines of waiting states belong to the executor (account.machine.ts)
 * and to the look-up schedule, which is why every state here rests.
 * States: Intended, Held -> Submitting -> Acked -> PartiallyFilled -> Filled | Cancelled | Expired | Rejected;
 * Submitting, PendingCancel -> Unknown -> Resolving -> any; Denied, Withdrawn and ExpiredUnsent end before the wire.
 */
import { setup } from "xstate"
import {
  ORDER_EVENTS,
  ORDER_STATUSES,
  ORDER_TRANSITIONS,
  type OrderEvent,
  type OrderStatus,
  TERMINAL
} from "../../domain/orders/order.ts"

type Capitalised<S extends string> = S extends `${infer Head}_${infer Rest}`
  ? `${Capitalize<Head>}${Capitalised<Rest>}`
  : Capitalize<S>
export type OrderState = Capitalised<OrderStatus>

const word = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** The state of a status: `partially_filled` is `PartiallyFilled`. */
export const orderStateOf = (status: OrderStatus): OrderState =>
  status.split("_").map(word).join("") as OrderState

const descriptions: Readonly<Record<OrderStatus, string>> = {
  intended: "Committed in full with its decision; no broker has heard of it.",
  held: "Waits until trading is active again or it is too old.",
  submitting: "Committed before the bytes leave; from here on the venue may know it.",
  acked: "The venue has it and it rests there.",
  partially_filled: "Some of it has traded, the rest is at the venue.",
  pending_cancel: "A cancel is in flight and not answered.",
  unknown: "A create or cancel got no usable response; its symbol takes no new exposure.",
  resolving: "The venue is being asked whether it exists.",
  needs_operator: "Look-ups did not settle it; a human decides.",
  denied: "A check refused it before it was sent.",
  withdrawn: "It was withdrawn before it was sent: nothing was left for it to do.",
  expired_unsent: "It was not sent in time and never will be.",
  rejected: "The venue refused it, with a documented, final refusal.",
  filled: "All of it has traded.",
  cancelled: "It was cancelled; what had traded until then stays.",
  expired: "The venue ended it; what had traded until then stays."
}

const transitionsOf = (status: OrderStatus) =>
  Object.fromEntries(
    ORDER_EVENTS.flatMap((event) => {
      const next = ORDER_TRANSITIONS[status][event]
      if (next === undefined) return []
      return [[event, next === status ? {} : { target: orderStateOf(next) }]]
    })
  )

const states = Object.fromEntries(
  ORDER_STATUSES.map((status) => [
    orderStateOf(status),
    {
      description: descriptions[status],
      tags: TERMINAL.has(status) ? (["resting", "stopped"] as const) : (["resting"] as const),
      on: transitionsOf(status)
    }
  ])
)

export const orderMachine = setup({
  types: {
    events: {} as { readonly type: OrderEvent },
    tags: {} as "resting" | "stopped"
  }
}).createMachine({ id: "order", initial: "Intended", states })
