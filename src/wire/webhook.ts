/**
 * webhook: the responses to a post to the intake.
 *
 * Promises: the stored response and its repetition have one shape; `status` distinguishes them.
 * Never: reads a body (intake-body.ts does).
 */
import { z } from "zod"
import { instant, uuid } from "./words.ts"

export const intakeAnswer = z
  .object({
    status: z.enum(["ACCEPTED", "DUPLICATE"]),
    signal_id: uuid,
    experiment_id: z.string().nullable(),
    variant: z.string().nullable(),
    request_id: z.string().meta({ description: "That of the request with which it was stored." }),
    processing_time_ms: z.number()
  })
  .meta({ id: "IntakeAnswer" })

/** The answer to a post that the database could not take in time: it is durable, and stored when the database is back. */
export const spooledAnswer = z
  .object({ status: z.literal("SPOOLED"), signal_id: uuid, request_id: z.string() })
  .meta({ id: "SpooledAnswer" })

export const intakeTest = z
  .object({ status: z.literal("ok"), message: z.string(), timestamp: instant, request_id: z.string() })
  .meta({ id: "IntakeTest" })
