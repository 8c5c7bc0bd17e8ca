/**
 * spool-record: what one record of the spool's files says.
 *
 * The files outlive the process and may be read by another version of it. So a record is checked like anything that comes from
 * outside, for what no row can be without; a field that a later version adds is taken as it stands, and one that an earlier
 * version did not write is missing, which the store takes for null.
 *
 * Promises: a record that is read has an identity, an answer and a body; everything else is as it was written.
 * Never: judges a body again.
 */
import { z } from "zod"

const row = z.looseObject({
  id: z.string(),
  kind: z.enum(["signal", "metadata"]),
  source: z.string(),
  identity: z.string(),
  identityKind: z.enum(["explicit", "hash", "bucket"]),
  neighbourIdentities: z.array(z.string()),
  bodyHash: z.string(),
  body: z.string(),
  requestId: z.string(),
  answer: z.looseObject({ status: z.literal("ACCEPTED"), signal_id: z.string(), request_id: z.string() }),
  status: z.enum(["received", "rejected"])
})

/** `at`: when the post was received, epoch milliseconds. */
const record = z.object({ at: z.number(), row })

/** The record, or null when it is none. */
export const decodeSpoolRecord = (text: string): z.infer<typeof record> | null => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return null
  }
  const read = record.safeParse(json)
  return read.success ? read.data : null
}
