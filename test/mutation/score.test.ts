import { describe, expect, test } from "vitest"
import { percentOf, type Report, scoresOf, survivorsOf, tableOf } from "../../mutation/score.ts"

const mutants = (counts: Readonly<Record<string, number>>) => ({
  mutants: Object.entries(counts).flatMap(([status, count]) =>
    Array.from({ length: count }, () => ({
      status,
      mutatorName: "EqualityOperator",
      replacement: "a >=\n  b",
      location: { start: { line: 3, column: 7 } }
    }))
  )
})

const reportOf = (files: Readonly<Record<string, Readonly<Record<string, number>>>>): Report => ({
  files: Object.fromEntries(Object.entries(files).map(([file, counts]) => [file, mutants(counts)]))
})

const failuresOf = (files: Readonly<Record<string, Readonly<Record<string, number>>>>) =>
  scoresOf(reportOf(files)).failures

describe("the mutation score", () => {
  test("counts what was noticed, by a failure or by time, of all that loaded; what no test runs survived", () => {
    const counts = { Killed: 5, Timeout: 1, Survived: 2, NoCoverage: 2, RuntimeError: 3, Ignored: 4 }
    const { files, total } = scoresOf(reportOf({ "src/a.ts": counts }))
    expect(percentOf(total)).toBe(60)
    expect(files).toEqual([{ file: "src/a.ts", killed: 5, timeout: 1, survived: 2, uncovered: 2, errors: 3 }])
  })

  test("passes at its limits and fails below them, in total and for each file", () => {
    expect(
      failuresOf({ "src/a.ts": { Killed: 70, Survived: 30 }, "src/b.ts": { Killed: 90, Survived: 10 } })
    ).toEqual([])
    expect(failuresOf({ "src/a.ts": { Killed: 699, Survived: 301 }, "src/b.ts": { Killed: 1_000 } })).toEqual(
      ["src/a.ts: 69.9 % is below 70 %"]
    )
    // 79.98: shown rounded down, never as the limit it misses.
    expect(failuresOf({ "src/a.ts": { Killed: 3_999, Survived: 1_001 } })).toEqual([
      "total: 79.9 % is below 80 %"
    ])
  })

  test("is a failure where nothing was judged", () => {
    expect(failuresOf({})).toEqual(["total: no mutant was judged"])
    expect(failuresOf({ "src/a.ts": { RuntimeError: 2 }, "src/b.ts": { Killed: 9 } })).toEqual([
      "src/a.ts: no mutant was judged"
    ])
  })

  test("is shown per file, with the survivors by place and change", () => {
    const report = reportOf({ "src/b.ts": { Killed: 9, Survived: 1 }, "src/a.ts": { NoCoverage: 1 } })
    expect(
      tableOf(scoresOf(report))
        .split("\n")
        .map((line) => line.split(/ {2,}/))
    ).toEqual([
      ["file", "score %", "killed", "timeout", "survived", "no test", "errors"],
      ["src/a.ts", "0.0", "0", "0", "0", "1", "0"],
      ["src/b.ts", "90.0", "9", "0", "1", "0", "0"],
      ["total", "81.8", "9", "0", "1", "1", "0"]
    ])
    expect(survivorsOf(report)).toEqual([
      "src/b.ts:3:7 EqualityOperator -> a >= b",
      "src/a.ts:3:7 EqualityOperator -> a >= b (no test runs it)"
    ])
  })
})
