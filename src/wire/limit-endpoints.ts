/**
 * The endpoint of what is used of the limits on losses, a part of the table in endpoints.ts.
 *
 * Promises: a limit that is not configured is not listed; a figure that is not known is null.
 * Never: handles anything.
 */
import { z } from "zod"
import { endpoint, list } from "./endpoint.ts"
import { page } from "./page.ts"
import { instant } from "./words.ts"

const limit = z
  .object({
    scope: z.string().meta({ description: "`global`, `account:<id>` or `strategy:<name>`." }),
    limit: z.string().meta({ description: "Its name in the settings." }),
    max: z.string(),
    used: z
      .string()
      .nullable()
      .meta({ description: "As this process measured it last; null while unknown." }),
    measured_at: instant.nullable(),
    on_breach: z.string(),
    tripped: z
      .string()
      .nullable()
      .meta({ description: "The rule that stopped the scope; null while none did." })
  })
  .meta({ id: "LossLimit" })

export const listLimits = endpoint({
  ...list,
  path: "/api/v1/limits",
  tag: "trading",
  name: "listLimits",
  summary: "The limits on losses of each scope, and what is used of them.",
  answers: { 200: page(limit) }
})
