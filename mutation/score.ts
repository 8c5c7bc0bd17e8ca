/**
 * The mutation score of a run: how many changes to the rules a test noticed, per file and in total.
 *
 * Promises: a mutant that no test runs counts as one that survived; one that does not load counts as neither. Nothing measured
 * is a failure, not a score.
 * Never: rounds a score up to its limit: it is judged exactly and shown rounded down.
 */

/** The parts of Stryker's report (mutation-testing-report-schema) that are read here. */
export interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: ReadonlyArray<Mutant> }>>
}

export interface Mutant {
  readonly status: string
  readonly mutatorName: string
  readonly replacement?: string
  readonly location: { readonly start: { readonly line: number; readonly column: number } }
}

/** Percent, at least. A file may stay below the total: small ones have few mutants, and some change nothing. */
export const scoreMin = { total: 80, file: 70 } as const

export interface Score {
  readonly file: string
  readonly killed: number
  /** The change made a test run on: noticed. */
  readonly timeout: number
  readonly survived: number
  readonly uncovered: number
  /** The changed file does not load, or the run of the tests broke. */
  readonly errors: number
}

const scoreOf = (file: string, mutants: ReadonlyArray<Mutant>): Score => {
  const count = (...statuses: ReadonlyArray<string>): number =>
    mutants.filter(({ status }) => statuses.includes(status)).length
  return {
    file,
    killed: count("Killed"),
    timeout: count("Timeout"),
    survived: count("Survived"),
    uncovered: count("NoCoverage"),
    errors: count("CompileError", "RuntimeError")
  }
}

const judged = ({ killed, survived, timeout, uncovered }: Score): number =>
  killed + timeout + survived + uncovered

/** Percent of the mutants that were noticed; null when none was judged. */
export const percentOf = (score: Score): number | null =>
  judged(score) === 0 ? null : (100 * (score.killed + score.timeout)) / judged(score)

export interface Scores {
  readonly files: ReadonlyArray<Score>
  readonly total: Score
  /** What is too low, each as a line; empty when the run passed. */
  readonly failures: ReadonlyArray<string>
}

const shown = (percent: number | null): string =>
  percent === null ? "-" : (Math.floor(percent * 10) / 10).toFixed(1)

export const scoresOf = ({ files }: Report): Scores => {
  const scores = Object.entries(files)
    .map(([file, { mutants }]) => scoreOf(file, mutants))
    .filter((score) => judged(score) + score.errors > 0)
    .toSorted((a, b) => (a.file < b.file ? -1 : 1))
  const total = scoreOf(
    "total",
    Object.values(files).flatMap(({ mutants }) => mutants)
  )
  const low = (score: Score, min: number): ReadonlyArray<string> => {
    const percent = percentOf(score)
    return percent === null
      ? [`${score.file}: no mutant was judged`]
      : percent < min
        ? [`${score.file}: ${shown(percent)} % is below ${min} %`]
        : []
  }
  return {
    files: scores,
    total,
    failures: [...scores.flatMap((score) => low(score, scoreMin.file)), ...low(total, scoreMin.total)]
  }
}

const line = (name: string, cells: ReadonlyArray<string | number>): string =>
  `${name.padEnd(46)}${cells.map((cell) => String(cell).padStart(10)).join("")}`

/** One line per file, and the total. */
export const tableOf = ({ files, total }: Scores): string =>
  [
    line("file", ["score %", "killed", "timeout", "survived", "no test", "errors"]),
    ...[...files, total].map((score) =>
      line(score.file, [
        shown(percentOf(score)),
        score.killed,
        score.timeout,
        score.survived,
        score.uncovered,
        score.errors
      ])
    )
  ].join("\n")

/** The changes that no test noticed, as `file:line:column mutator -> replacement`. */
export const survivorsOf = ({ files }: Report): ReadonlyArray<string> =>
  Object.entries(files).flatMap(([file, { mutants }]) =>
    mutants
      .filter(({ status }) => status === "Survived" || status === "NoCoverage")
      .map(({ location: { start }, mutatorName, replacement = "", status }) => {
        const change = replacement.replaceAll(/\s+/g, " ").slice(0, 100)
        const why = status === "NoCoverage" ? " (no test runs it)" : ""
        return `${file}:${start.line}:${start.column} ${mutatorName} -> ${change}${why}`
      })
  )
