/**
 * Refusal: the venue refuses, with a documented code.
 *
 * A refusal is a promise to the client: the request changed nothing and never will. Everything that is not one of these
 * codes (a 5xx, a cut connection) promises nothing.
 *
 * Promises: each code has one HTTP status; the list below is the venue's documentation.
 * Never: used for faults of the venue itself.
 */
import { Data } from "effect"

/** Every refusal the venue documents, with its HTTP status. */
export const refusalStatus = {
  invalid_order: 422,
  duplicate_client_order_id: 422,
  insufficient_funds: 403,
  account_blocked: 403,
  market_closed: 403,
  order_not_found: 404,
  order_not_open: 409,
  no_such_route: 404,
  invalid_request: 400,
  body_too_large: 413
} as const

export type RefusalCode = keyof typeof refusalStatus

export class Refusal extends Data.TaggedError("Refusal")<{
  readonly code: RefusalCode
  readonly message: string
}> {}
