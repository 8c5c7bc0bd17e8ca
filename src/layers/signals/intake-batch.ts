/**
 * How the rows of one batch relate to each other, and to the rows that are stored already.
 *
 * Two hundred equal posts arrive in one batch more often than in two. Deciding about equals here, once and without a
 * database, lets every adapter of the store insert distinct identities only and answer alike.
 *
 * Promises: of rows with one identity the first leads and the others get its answer; the order of rows is kept.
 * Never: does I/O.
 */
import type { IntakeAnswer, IntakeOutcome, IntakeRow } from "./intake-store.port.ts"

/** What is known of a stored row: enough to answer its duplicate. */
export interface StoredIdentity {
  readonly signalId: string
  readonly bodyHash: string
  readonly answer: IntakeAnswer
  /** It was rejected because it was too old, on arrival or when its turn came. */
  readonly tooOld: boolean
}

/** One identity of one source. The separator cannot occur in a source, which is a configured name. */
export const identityKey = (source: string, identity: string): string => `${source}\n${identity}`

/** All keys under which a row may be known already: its own, and for a bucket the adjacent ones. */
export const keysOf = (row: IntakeRow): ReadonlyArray<string> =>
  [row.identity, ...row.neighbourIdentities].map((identity) => identityKey(row.source, identity))

/** The rows that must be written: the first of each identity, in order. */
export const leadersOf = (rows: ReadonlyArray<IntakeRow>): ReadonlyArray<IntakeRow> => {
  const led = new Set<string>()
  return rows.filter((row) => {
    const known = keysOf(row).some((key) => led.has(key))
    if (!known) led.add(identityKey(row.source, row.identity))
    return !known
  })
}

/** The answer to `row` when `stored` has its identity. Only an explicit identity can conflict: the others are the body. */
export const outcomeAgainst = (row: IntakeRow, stored: StoredIdentity): IntakeOutcome =>
  stored.bodyHash === row.bodyHash
    ? { _tag: "Duplicate", answer: stored.answer, tooOld: stored.tooOld }
    : { _tag: "Conflict", signalId: stored.signalId }

/**
 * The outcomes of all rows. `inserted` holds the keys that were written by this batch, `existing` what was stored
 * before under any key of the batch. Undefined for a row that is neither: the store did not look for it.
 */
export const outcomesOf = (
  rows: ReadonlyArray<IntakeRow>,
  inserted: ReadonlySet<string>,
  existing: ReadonlyMap<string, StoredIdentity>
): ReadonlyArray<IntakeOutcome | undefined> => {
  const led = new Map<string, StoredIdentity>()
  return rows.map((row) => {
    const keys = keysOf(row)
    const before = keys.map((key) => existing.get(key) ?? led.get(key)).find((stored) => stored !== undefined)
    if (before !== undefined) return outcomeAgainst(row, before)
    const own = identityKey(row.source, row.identity)
    if (!inserted.has(own)) return undefined
    // The batch raises the alert for the leader; its equals are the same post.
    led.set(own, { signalId: row.id, bodyHash: row.bodyHash, answer: row.answer, tooOld: false })
    return { _tag: "Stored" }
  })
}
