/**
 * An event that somebody sends to a component by hand, as the API takes it.
 *
 * Promises: the event is a name and nothing else; which names a component takes is in its own answer, `hand_events`.
 * Never: knows a machine.
 */
import { z } from "zod"
import { command, endpoint } from "./endpoint.ts"
import { storable } from "./words.ts"

const answer = z
  .object({ status: z.literal("ACCEPTED"), path: z.string(), event: z.string() })
  .meta({ id: "SendEventAnswer" })

/** The command about it; `why` is a reason that may be given. */
export const handEventEndpoints = <Why extends z.ZodType>(why: Why) => ({
  "component.send": endpoint({
    ...command,
    tag: "commands",
    path: "/api/v1/actors/:path/send",
    name: "sendToActor",
    summary: "In practice mode: sends an event without data to a component, as if that had happened.",
    body: z
      .strictObject({
        event: storable(z.string().min(1, "must not be empty").max(100)).meta({
          description: "One of `hand_events` of the component.",
          examples: ["database.unavailable"]
        }),
        reason: why
      })
      .meta({ id: "SendEventBody" }),
    answers: { 202: answer }
  })
})
