/**
 * Figures of the benchmarks as a table and as JSON: medians of rounds, the range, and ours as a multiple of each.
 *
 * Promises: a ratio is the median of the ratios of the rounds, so that a slow minute hits both sides; what was not measured is a gap.
 */
import { median } from "./contestant.ts"

export interface Measured {
  readonly suite: string
  readonly title: string
  readonly key: string
  readonly unit: string
  /** Whether more is better. */
  readonly more: boolean
  readonly ours: string
  /** One figure for each round, by contestant. */
  readonly rounds: Readonly<Record<string, ReadonlyArray<number>>>
}

/** Ours as a multiple of theirs, round by round. */
export const ratioOf = ({ ours, rounds }: Measured, theirs: string): number | undefined => {
  const [mine, other] = [rounds[ours], rounds[theirs]]
  if (mine === undefined || other === undefined) return undefined
  const ratios = mine.flatMap((value, round) => {
    const against = other[round]
    return against === undefined || against === 0 ? [] : [value / against]
  })
  return ratios.length === 0 ? undefined : median(ratios)
}

const digits = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value)
    ? "-"
    : value >= 1_000
      ? Math.round(value).toLocaleString("en-US")
      : value.toPrecision(3)

const line = (cells: ReadonlyArray<string>): string =>
  cells
    .map((cell, column) => (column === 0 ? cell.padEnd(22) : cell.padStart(column === 2 ? 22 : 12)))
    .join("")
    .trimEnd()

const blockOf = (measured: Measured): string => {
  const { more, rounds, title, unit } = measured
  const rows = Object.entries(rounds).map(([name, values]) => {
    const range = `${digits(Math.min(...values))}..${digits(Math.max(...values))}`
    const ratio = name === measured.ours ? "1" : digits(ratioOf(measured, name))
    return line([`  ${name}`, digits(median(values)), range, ratio])
  })
  const head = line([`  ${unit}, ${more ? "more" : "less"} is better`, "median", "rounds", "ours is x"])
  return [title, head, ...rows].join("\n")
}

export const tableOf = (all: ReadonlyArray<Measured>): string =>
  all
    .filter(({ rounds }) => Object.keys(rounds).length > 0)
    .map(blockOf)
    .join("\n\n")

export const jsonOf = (all: ReadonlyArray<Measured>) =>
  all.map((measured) => ({
    ...measured,
    medians: Object.fromEntries(
      Object.entries(measured.rounds).map(([name, values]) => [name, median(values)])
    ),
    ratios: Object.fromEntries(
      Object.keys(measured.rounds).map((name) => [name, ratioOf(measured, name) ?? null])
    )
  }))
