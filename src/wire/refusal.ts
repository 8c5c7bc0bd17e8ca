/**
 * refusal: the shape of every response that refuses the request.
 *
 * Promises: one shape for all of them, with the id under which the log knows the exchange.
 * Never: gives an unauthenticated caller anything more than that.
 */
import { z } from "zod"
import { count } from "./words.ts"

export const fieldProblem = z
  .object({
    path: z
      .string()
      .meta({ description: 'Where: a field, `query.limit`, `headers.…`; "" is the body itself.' }),
    message: z.string().meta({ description: "What would be right." })
  })
  .meta({ id: "FieldProblem" })

export const refusal = z
  .object({
    status: z.string().meta({ description: "The name of the status code.", examples: ["NOT_FOUND"] }),
    request_id: z.string(),
    errors: z.array(fieldProblem).optional(),
    signal_id: z.string().optional().meta({ description: "409: the signal that was stored first." }),
    refused_id: z
      .string()
      .optional()
      .meta({ description: "400 and 409 of a webhook: the post as it was kept, in GET /api/v1/refused." }),
    reason: z.string().optional().meta({ description: "409 of a command: why it was not carried out." }),
    message: z.string().optional(),
    count: z.int().optional().meta({ description: "How many there are, where another number was expected." }),
    expected: count.optional().meta({ description: "409 of a replay: how many were expected." }),
    confirm: z.string().optional().meta({ description: "The word that a repeated command must carry." }),
    positions: z
      .array(z.string())
      .nullable()
      .optional()
      .meta({ description: "Open positions that a command would leave unprotected; null when unknown." })
  })
  .meta({ id: "Refusal" })
