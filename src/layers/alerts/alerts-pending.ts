/**
 * Alerts pending: what waits to be stored, kept so that one outbreak is one entry however often it is raised.
 *
 * Why separate from the queue: order matters here (raised, resolved, raised again are two outbreaks), even when a batch comes
 * back because the database went away midway, and that is easier to see without Effects around it.
 *
 * Promises: at most one open outbreak per key; entries leave in the order in which they came; a closing is dropped
 * before an outbreak is, and of outbreaks the least grave, the oldest of these first.
 * Never: reads a clock, logs, or keeps more than `alertLimits.pendingMax` entries.
 */
import { alertLimits } from "../../domain/kernel/limits.ts"
import type { Ended, PendingAlert, PendingClosing, PendingEntry, Severity } from "./alerts.port.ts"

const severities: ReadonlyArray<Severity> = ["LOW", "MEDIUM", "HIGH", "CRITICAL"]
const worse = (one: Severity, other: Severity): Severity =>
  severities.indexOf(one) < severities.indexOf(other) ? other : one

/** What is dropped first when there is no room: a closing, then what is least grave. */
const rankOf = (entry: PendingEntry): number =>
  entry._tag === "Closing" ? -1 : severities.indexOf(entry.severity)

/** The keys among `open` that are resolved. */
export const endedOf = (ended: Ended, open: ReadonlyMap<string, unknown>): ReadonlyArray<string> =>
  ended._tag === "Keys"
    ? ended.keys.filter((key) => open.has(key))
    : [...open.keys()].filter((key) => key.startsWith(ended.prefix) && !ended.keys.includes(key))

const merged = (open: PendingAlert, next: PendingAlert): PendingAlert => ({
  ...open,
  severity: worse(open.severity, next.severity),
  occurrences: open.occurrences + next.occurrences,
  lastAtMs: next.lastAtMs,
  last: next.last,
  resolved: next.resolved
})

export interface PendingAlerts {
  readonly add: (entry: PendingEntry) => void
  /** Keys of the open outbreaks that this resolves. */
  readonly open: (ended: Ended) => ReadonlyArray<string>
  readonly take: () => ReadonlyArray<PendingEntry>
  /** Entries of an earlier `take`: they were raised before whatever waits now. */
  readonly putBack: (entries: ReadonlyArray<PendingEntry>) => void
  readonly size: () => number
  readonly dropped: () => number
}

export const makePendingAlerts = (): PendingAlerts => {
  // By a running number, so that an entry is replaced and dropped in place.
  let entries = new Map<number, PendingEntry>()
  let openByKey = new Map<string, number>()
  let next = 0
  let dropped = 0

  const openAt = (key: string): { readonly at: number; readonly entry: PendingAlert } | undefined => {
    const at = openByKey.get(key)
    const entry = at === undefined ? undefined : entries.get(at)
    return at === undefined || entry?._tag !== "Outbreak" ? undefined : { at, entry }
  }
  /** Whether there is room for it: what is less grave than everything that waits makes none. */
  const makeRoom = (entry: PendingEntry): boolean => {
    if (entries.size < alertLimits.pendingMax) return true
    let victim: readonly [at: number, entry: PendingEntry] | undefined
    for (const one of entries) if (victim === undefined || rankOf(one[1]) < rankOf(victim[1])) victim = one
    if (victim === undefined) return true
    const [at, leaves] = victim
    const isRoom = rankOf(leaves) <= rankOf(entry)
    const lost = isRoom ? leaves : entry
    if (lost._tag === "Outbreak") dropped += 1
    if (!isRoom) return false
    entries.delete(at)
    if (leaves._tag === "Outbreak" && openByKey.get(leaves.dedupKey) === at) openByKey.delete(leaves.dedupKey)
    return true
  }
  const push = (entry: PendingEntry): void => {
    if (!makeRoom(entry)) return
    entries.set(next, entry)
    if (entry._tag === "Outbreak" && entry.resolved === null) openByKey.set(entry.dedupKey, next)
    next += 1
  }
  const addOutbreak = (entry: PendingAlert): void => {
    const open = openAt(entry.dedupKey)
    if (open === undefined) return push(entry)
    entries.set(open.at, merged(open.entry, entry))
    if (entry.resolved !== null) openByKey.delete(entry.dedupKey)
  }
  const openKeys = (ended: Ended): ReadonlyArray<string> => endedOf(ended, openByKey)
  const addClosing = (closing: PendingClosing): void => {
    const { ended } = closing
    const known = new Set(openKeys(ended))
    for (const key of known) {
      const open = openAt(key)
      if (open === undefined) continue
      entries.set(open.at, { ...open.entry, resolved: closing.resolution })
      openByKey.delete(key)
    }
    // A prefix may concern rows this process does not know.
    if (ended._tag === "AllBut") return push(closing)
    // The open entry merges with its row when it is stored, and closes both.
    const keys = known.size === 0 ? ended.keys : ended.keys.filter((key) => !known.has(key))
    if (keys.length > 0) push({ ...closing, ended: { _tag: "Keys", keys } })
  }
  const add = (entry: PendingEntry): void =>
    entry._tag === "Outbreak" ? addOutbreak(entry) : addClosing(entry)
  const take = (): ReadonlyArray<PendingEntry> => {
    const taken = [...entries.values()]
    entries = new Map()
    openByKey = new Map()
    return taken
  }
  return {
    add,
    open: openKeys,
    take,
    putBack: (earlier) => {
      const later = take()
      for (const entry of [...earlier, ...later]) add(entry)
    },
    size: () => entries.size,
    dropped: () => dropped
  }
}
