/**
 * The answers of the Bot API that are not `ok`.
 *
 * Promises: code and description are those of the real API, so that a client that reads them works with both.
 * Never: carries anything of the token.
 */
import { Data } from "effect"

export class ApiRefusal extends Data.TaggedError("ApiRefusal")<{
  readonly code: number
  readonly description: string
  readonly parameters?: { readonly retry_after?: number }
}> {}

export const badRequest = (what: string): ApiRefusal =>
  new ApiRefusal({ code: 400, description: `Bad Request: ${what}` })

/** Text whose marks cannot be read. */
export const unparsable = (what: string): ApiRefusal => badRequest(`can't parse entities: ${what}`)

export const conflict = (what: string): ApiRefusal =>
  new ApiRefusal({ code: 409, description: `Conflict: ${what}` })

export const tooMany = (retryAfter: number): ApiRefusal =>
  new ApiRefusal({
    code: 429,
    description: `Too Many Requests: retry after ${retryAfter}`,
    parameters: { retry_after: retryAfter }
  })

export const unauthorized = new ApiRefusal({ code: 401, description: "Unauthorized" })
export const notFound = new ApiRefusal({ code: 404, description: "Not Found" })
