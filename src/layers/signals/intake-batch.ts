/**
 * How the rows of one batch relate to each other, and to the rows that are stored already.
 *
 * Two hundred equal posts arrive in one batch more often than in two. Deciding about equals here, once and without a
 * database, lets every adapter of the store insert distinct identities only and answer alike.
 *
 * Promises: of rows with one identity the first leads and the others get its answer; payloads without an identity and a time are
 * one when they came less than a bucket apart, in whichever buckets; the order of rows is kept.
 * Never: does I/O.
 */
import { isOneBucketApart } from "../../domain/signals/identity.ts"
import type { IntakeAnswer, IntakeOutcome, IntakeRow } from "./intake-store.port.ts"

/** What is known of a stored row: enough to answer its duplicate. */
export interface StoredIdentity {
  readonly signalId: string
  readonly bodyHash: string
  readonly answer: IntakeAnswer
  /** It was rejected because it was too old, on arrival or when its turn came. */
  readonly tooOld: boolean
  /** As that of a row. */
  readonly bucketAtMs?: number | undefined
}

/** One identity of one source. The separator cannot occur in a source, which is a configured name. */
export const identityKey = (source: string, identity: string): string => `${source}\n${identity}`

/** What the row repeats: what is known under its own key, or for a bucket under an adjacent one, if that is near enough. */
export const knownOf = <Known extends Pick<StoredIdentity, "bucketAtMs">>(
  row: IntakeRow,
  get: (key: string) => Known | undefined
): Known | undefined => {
  const own = get(identityKey(row.source, row.identity))
  if (own !== undefined) return own
  for (const identity of row.neighbourIdentities) {
    const beside = get(identityKey(row.source, identity))
    if (beside !== undefined && isOneBucketApart(row.bucketAtMs, beside.bucketAtMs)) return beside
  }
  return undefined
}

/** The rows that must be written: the first of each identity, in order. */
export const leadersOf = (rows: ReadonlyArray<IntakeRow>): ReadonlyArray<IntakeRow> => {
  const led = new Map<string, IntakeRow>()
  const get = (key: string): IntakeRow | undefined => led.get(key)
  return rows.filter((row) => {
    const isLed = knownOf(row, get) !== undefined
    if (!isLed) led.set(identityKey(row.source, row.identity), row)
    return !isLed
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
  const get = (key: string): StoredIdentity | undefined => existing.get(key) ?? led.get(key)
  return rows.map((row) => {
    const before = knownOf(row, get)
    if (before !== undefined) return outcomeAgainst(row, before)
    const own = identityKey(row.source, row.identity)
    if (!inserted.has(own)) return undefined
    // The batch raises the alert for the leader; its equals are the same post.
    const { answer, bodyHash, bucketAtMs, id } = row
    led.set(own, { signalId: id, bodyHash, answer, tooOld: false, bucketAtMs })
    return { _tag: "Stored" }
  })
}
