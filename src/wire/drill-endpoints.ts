/**
 * The endpoint of the receipts of drills, a part of the table in endpoints.ts (G4). The command that runs one is in commands.ts.
 *
 * Promises: a receipt is as its drill wrote it; a drill that is under way has none.
 * Never: handles anything.
 */
import { z } from "zod"
import { DRILL_FAULT_NAMES, DRILL_STATUSES } from "../domain/control/drill.ts"
import { endpoint, list } from "./endpoint.ts"
import { listQuery, page } from "./page.ts"
import { count, instant, oneOf, uuid } from "./words.ts"

const receipt = z
  .object({
    sent: count.meta({ description: "Signals of the drill." }),
    resent: count.meta({ description: "Posts that were not taken, and sent again." }),
    taken: count,
    decided: count,
    ordered_once: count.meta({ description: "Decided, with exactly one order that filled whole." }),
    denied: count.meta({ description: "Decided, and denied by a check." }),
    lost: count,
    doubled: count,
    seen: count.meta({ description: "What the journal shows of the fault. At 0 it was not there." }),
    recovered_ms: count.nullable().meta({ description: "From the fault until everything was as before." }),
    flat: z.boolean().meta({ description: "Nothing of the drill is held any more." }),
    problems: z.array(z.string()).meta({ description: "Why it failed; none when it passed." })
  })
  .meta({ id: "DrillReceipt" })

const drill = z
  .object({
    id: uuid,
    fault: z.string(),
    status: z.enum(DRILL_STATUSES).meta({
      description: "`interrupted`: its process ended meanwhile. Only `passed` counts as passed."
    }),
    by: z.string(),
    reason: z.string().nullable(),
    receipt: receipt.nullable(),
    node: z.string(),
    begun_at: instant,
    ended_at: instant.nullable()
  })
  .meta({ id: "Drill" })

export const listDrills = endpoint({
  ...list,
  path: "/api/v1/drills",
  tag: "operations",
  name: "listDrills",
  summary: "Drills with their receipts, newest first.",
  query: listQuery({
    fault: oneOf(DRILL_FAULT_NAMES).optional(),
    status: oneOf(DRILL_STATUSES).optional()
  }),
  answers: { 200: page(drill) }
})
