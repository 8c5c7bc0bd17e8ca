/**
 * Signals by what their bodies hold, in any field.
 *
 * Without an index: one over whole bodies would cost every post that is stored, for a question that a person asks now and then. So
 * the work is bounded by the rows that are read.
 *
 * Promises: the bodies of the newest `readLimits.searchRowsMax` rows are read and no others; a JSON object finds the bodies that
 * contain it, anything else those whose text has it, in whatever case.
 * Never: takes a pattern: a wildcard is a character like any other.
 * Failure: that of the statement this is a part of.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { readLimits } from "../platform/http-limits.ts"

/** JSON that PostgreSQL may refuse, an escape or a number beyond its types, is searched for as text. */
const DOUBTFUL = /\\u|e[+-]?\d{4}/i

const isObject = (searched: string): boolean => {
  if (!searched.trimStart().startsWith("{") || DOUBTFUL.test(searched)) return false
  try {
    JSON.parse(searched)
    return true
  } catch {
    // A text that begins like an object: it is looked for as it stands.
    return false
  }
}

/** A condition on rows of `signals`. */
export const payloadHolds = (sql: SqlClient, searched: string): Fragment => {
  const newest = sql.literal(
    `seq > (SELECT coalesce(max(n.seq), 0) - ${readLimits.searchRowsMax} FROM signals n)`
  )
  return isObject(searched)
    ? sql`${newest} AND body @> ${searched}::text::jsonb`
    : sql`${newest} AND strpos(lower(body::text), lower(${searched}::text)) > 0`
}
