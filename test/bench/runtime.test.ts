/** The benchmarks of the runtime measure something: every task of every contestant of ours, in small sizes. */
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { promisify } from "node:util"
import { afterAll, describe, expect, test } from "vitest"
import {
  type Name,
  type Outcomes,
  outcomesOf,
  ratioOf,
  type Rounds,
  type Task,
  verdictsOf
} from "../../bench/runtime.ts"
import { type Figures, quantile, quickSizes } from "../../bench/contestant.ts"

const root = path.resolve(import.meta.dirname, "../..")
const directory = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"))
const run = promisify(execFile)
/** Two dozen processes of a second each, more on a machine that is busy. */
const benchMsMax = 240_000

afterAll(() => rmSync(directory, { recursive: true, force: true }))

const bench = (...options: ReadonlyArray<string>) =>
  run(process.execPath, [path.join(root, "bench/runtime.main.ts"), ...options], {
    cwd: root,
    timeout: benchMsMax
  })

/** Two rounds of which the second was on a slower machine. */
const rounds: Rounds = new Map<Task, Map<Name, Array<Figures>>>([
  [
    "crash",
    new Map([
      [
        "holdfast-worker",
        [
          { p50Us: 20, p99Us: 90 },
          { p50Us: 200, p99Us: 900 },
          { p50Us: 30, p99Us: 90 }
        ]
      ],
      [
        "otp",
        [
          { p50Us: 10, p99Us: 10 },
          { p50Us: 100, p99Us: 100 },
          { p50Us: 10, p99Us: 10 }
        ]
      ]
    ])
  ],
  [
    "scale",
    new Map([
      [
        "holdfast-worker",
        [
          {
            startSmallMs: 1,
            startMiddleMs: 5,
            startLargeMs: 40,
            stopSmallMs: 1,
            stopMiddleMs: 2,
            stopLargeMs: 110
          }
        ]
      ]
    ])
  ]
])

describe("npm run bench", () => {
  test("measures every task of our contestants and writes the figures", { timeout: benchMsMax }, async () => {
    const file = path.join(directory, "result.json")
    const only = "holdfast-worker,holdfast-machine,holdfast-bare,xstate,effect-fiber"
    const { stdout } = await bench("--quick", "--offline", "--only", only, "--out", file)
    const result = JSON.parse(readFileSync(file, "utf8")) as { readonly outcomes: Outcomes }
    const measured = Object.entries(result.outcomes).map(([key, found]) => [key, Object.keys(found).length])
    expect(measured).toEqual([
      ["crash.first", 4],
      ["crash.p50", 4],
      ["crash.p99", 4],
      ["mailbox", 4],
      ["idle", 5],
      ["start.small", 5],
      ["start.middle", 5],
      ["start.large", 5],
      ["start.linearity", 5],
      ["stop.small", 5],
      ["stop.middle", 5],
      ["stop.large", 5],
      ["stop.linearity", 5]
    ])
    for (const found of Object.values(result.outcomes))
      for (const { median } of Object.values(found)) expect(median).toBeGreaterThan(0)
    expect(stdout).toContain("crash to running, p50")
    expect(stdout).toContain("targets: not judged at these sizes")
  })

  test("refuses an unknown contestant and says who there is", async () => {
    const refused = await bench("--only", "nobody").catch(
      (error: { readonly code: number; readonly stderr: string }) => error
    )
    expect(refused).toMatchObject({ code: 64, stderr: expect.stringContaining("no such contestant: nobody") })
  })

  test("compares within a round: a slow round slows both and changes no ratio", () => {
    const outcomes = outcomesOf(rounds, { ...quickSizes, scale: [100, 200, 1_000] })
    expect(outcomes["crash.p50"]?.["holdfast-worker"]).toEqual({ median: 30, rounds: [20, 200, 30] })
    expect(ratioOf(outcomes, "crash.p50", "holdfast-worker", "otp")).toBe(2)
    expect(ratioOf(outcomes, "crash.p50", "holdfast-machine", "otp")).toBeUndefined()
  })

  test("judges linearity per child, and the targets by it", () => {
    const outcomes = outcomesOf(rounds, { ...quickSizes, scale: [100, 200, 1_000] })
    const judged = verdictsOf(outcomes)
      .filter(({ value }) => value !== undefined)
      .map(({ max, target, value }) => [target, value, value !== undefined && value <= max])
    expect(judged).toEqual([
      ["holdfast-worker: crash to running, p50 against OTP", 2, true],
      ["holdfast-worker: crash to running, p99 against OTP", 9, false],
      ["holdfast-worker: start of the large run against linear", 4, true],
      ["holdfast-worker: stop of the large run against linear", 11, false]
    ])
  })

  test("takes the value of a quantile from the values, whatever their order", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect([quantile(values, 0.5), quantile(values, 0.99), quantile([7], 0.99)]).toEqual([51, 100, 7])
  })
})
