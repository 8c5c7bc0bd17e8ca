/**
 * The benchmarks as text: one block per figure, one line per contestant, ours as multiples of theirs.
 *
 * Promises: three significant digits, because more would be false precision; what is missing has its reason.
 */
import type { Absences } from "./peers.ts"
import { measures, type Name, names, type Outcomes, ratioOf, type Verdict } from "./runtime.ts"

const digits = (value: number | undefined): string => {
  if (value === undefined || Number.isNaN(value)) return "-"
  return value >= 1_000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3)
}
const line = (cells: ReadonlyArray<string>): string =>
  cells
    .map((cell, column) => (column === 0 ? cell.padEnd(20) : cell.padStart(column === 2 ? 24 : 16)))
    .join("")

const blockOf = (outcomes: Outcomes, key: string): string => {
  const measure = measures[key]
  const found = outcomes[key] ?? {}
  if (measure === undefined || Object.keys(found).length === 0) return ""
  const better = measure.more === true ? "more is better" : "less is better"
  const ratio = (ours: Name, theirs: Name) =>
    ours === theirs ? "1" : digits(ratioOf(outcomes, key, ours, theirs))
  const rows = names.flatMap((name) => {
    const outcome = found[name]
    if (outcome === undefined) return []
    const spread = `${digits(Math.min(...outcome.rounds))}..${digits(Math.max(...outcome.rounds))}`
    return [
      line([
        `  ${name}`,
        digits(outcome.median),
        spread,
        ratio("holdfast-worker", name),
        ratio("holdfast-machine", name)
      ])
    ]
  })
  const head = line([`  ${measure.unit}, ${better}`, "median", "rounds", "worker is x", "machine is x"])
  return [measure.title, head, ...rows].join("\n")
}

export const tableOf = (outcomes: Outcomes, verdicts: ReadonlyArray<Verdict>, absent: Absences): string =>
  [
    ...Object.keys(measures)
      .map((key) => blockOf(outcomes, key))
      .filter((block) => block !== ""),
    [
      verdicts.length === 0 ? "targets: not judged at these sizes" : "targets",
      ...verdicts.map(({ max, target, value }) => {
        const verdict = value === undefined ? "not measured" : value <= max ? "met" : "MISSED"
        return `  ${verdict.padEnd(13)}${target}: ${digits(value)}, at most ${digits(max)}`
      })
    ].join("\n"),
    ...[...absent].map(([name, why]) => `without ${name}: ${why}`)
  ].join("\n\n")
