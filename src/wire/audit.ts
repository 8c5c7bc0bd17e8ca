/**
 * audit: a row of the audit, as the API shows it.
 *
 * Promises: every command, result and means that the service knows, and no other.
 * Never: decides what is audited.
 */
import { z } from "zod"
import { COMMAND_NAMES, COMMAND_RESULTS, MEANS } from "../domain/control/commands.ts"
import { anyObject, instant, uuid } from "./words.ts"

export const auditRow = z
  .object({
    id: uuid,
    command: z.enum(COMMAND_NAMES),
    scope: z.string().meta({ description: "What it is about: `order:<id>`, `account:<id>`, `global`." }),
    arguments: anyObject,
    reason: z.string().nullable(),
    by: z.string(),
    means: z.enum(MEANS),
    address: z.string().nullable(),
    request_id: z.string(),
    idempotency_key: z.string().nullable(),
    result: z.enum(COMMAND_RESULTS).meta({
      description:
        "`begun`: it is being carried out. `interrupted`: its process ended meanwhile, so nobody knows how far it came."
    }),
    result_reason: z.string().nullable(),
    answer: anyObject.nullable(),
    command_id: uuid.meta({ description: "The `command_id` of the orders that it made." }),
    begun_at: instant,
    completed_at: instant.nullable()
  })
  .meta({ id: "AuditRow" })
