/**
 * What messages of the bot tell of alerts, read as a person reads them.
 *
 * Promises: an alert that is counted ("12 more like this", "3 x HIGH ...") counts as told; of CRITICAL ones only what is named does.
 * Never: knows which alerts there were.
 */

export interface ToldAlerts {
  /** How many, those of a list included that it has no line for. */
  readonly total: number
  /** By kind, of those that have a line. */
  readonly counts: ReadonlyMap<string, number>
  /** The words of each that is CRITICAL, in the order in which they were told. */
  readonly critical: ReadonlyArray<string>
}

const ONE = /^(?<severity>LOW|MEDIUM|HIGH|CRITICAL) (?<kind>[a-z_0-9]+\.[a-z_0-9]+)$/
const LIST = /^(?<count>\d+) alerts(?: of the quiet hours)?$/
const LISTED = /^(?<count>\d+) x (?:LOW|MEDIUM|HIGH|CRITICAL) (?<kind>[a-z_0-9]+\.[a-z_0-9]+): /
const MORE = /^(?<count>\d+) more like this$/

/** Texts in the order in which they came, with their tags or without. */
export const alertsIn = (texts: ReadonlyArray<string>): ToldAlerts => {
  const counts = new Map<string, number>()
  const critical: Array<string> = []
  let total = 0
  const count = (kind: string, more: number): void => void counts.set(kind, (counts.get(kind) ?? 0) + more)
  for (const text of texts) {
    const [head = "", ...lines] = text.replaceAll(/<[^>]*>/g, "").split("\n")
    const { kind = null, severity = "" } = ONE.exec(head)?.groups ?? {}
    total += Number(LIST.exec(head)?.groups?.["count"] ?? 0)
    if (kind !== null) {
      const named = lines.filter((line) => line.startsWith("- ")).map((line) => line.slice(2))
      const words = named.length === 0 ? lines.slice(0, 1) : named
      const more = lines.map((line) => Number(MORE.exec(line)?.groups?.["count"] ?? 0))
      const all = words.length + more.reduce((sum, one) => sum + one, 0)
      if (severity === "CRITICAL") critical.push(...words)
      total += all
      count(kind, all)
    }
    for (const line of lines) {
      const listed = LISTED.exec(line)?.groups
      if (listed !== undefined) count(listed["kind"] ?? "", Number(listed["count"]))
    }
  }
  return { total, counts, critical }
}
