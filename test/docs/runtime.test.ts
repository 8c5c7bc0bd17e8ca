/** The guide of the runtime is true: its programs compile and run, its defaults and names are those of the code. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { exampleMsMax, runExample } from "../support/example-run.ts"

const root = path.resolve(import.meta.dirname, "../..")
const guide = fs.readFileSync(path.join(root, "docs/runtime.md"), "utf8")
const entry = path.join(root, "src/runtime/entry.ts")
const directory = fs.mkdtempSync(path.join(tmpdir(), "holdfast-guide-"))
/** The compiler needs seconds, more on a machine that is busy. */
const compileMsMax = 120_000

/** The programs of the guide, by the heading above them. */
const programs = [...guide.matchAll(/^## ([^\n]+)\n(?:(?!^## )[\s\S])*?^```ts\n([\s\S]*?)^```$/gm)].map(
  ([, heading = "", code = ""]) => ({
    heading,
    code,
    file: `${heading.toLowerCase().replaceAll(/[^a-z]+/g, "-")}.ts`,
    // A comment behind a console.log is what the program must print there.
    says: [...code.matchAll(/console\.log\(.*\) \/\/ ([^(\n]+)/g)].map(([, said = ""]) => said.trim())
  })
)

beforeAll(() => {
  fs.symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"))
  fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify({ type: "module" }))
  for (const { code, file } of programs)
    fs.writeFileSync(path.join(directory, file), code.replaceAll('"holdfast/runtime"', JSON.stringify(entry)))
  fs.writeFileSync(
    path.join(directory, "tsconfig.json"),
    JSON.stringify({
      extends: path.join(root, "tsconfig.json"),
      compilerOptions: { typeRoots: [path.join(root, "node_modules/@types")], plugins: [] },
      include: ["*.ts"],
      exclude: []
    })
  )
})
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

describe("docs/runtime.md", () => {
  test("every ts block of it is a program that is run here", () => {
    expect(programs).toHaveLength(guide.split("```ts\n").length - 1)
    expect(programs.length).toBeGreaterThanOrEqual(6)
  })

  test("its programs compile under the project's own strict rules", { timeout: compileMsMax }, async () => {
    const compiler = path.join(root, "node_modules/typescript/bin/tsc")
    const compiled = await promisify(execFile)(process.execPath, [compiler, "--pretty", "false"], {
      cwd: directory,
      timeout: compileMsMax
    }).catch((error: { readonly stdout: string }) => error)
    expect(compiled.stdout).toBe("")
  })

  test.for(programs)(
    "the program of '$heading' runs to its end and prints what its comments say",
    { timeout: exampleMsMax + 5_000 },
    async ({ file, says }) => {
      const run = await runExample(directory, file)
      expect(run.stderr).toBe("")
      expect(run.status).toBe(0)
      const printed = run.lines.join("\n")
      for (const said of says) expect(printed).toContain(said)
    }
  )

  test("its table of defaults is that of the constructors", () => {
    const start = () => {
      throw new Error("never started")
    }
    const ofWorker = worker({ id: "child", start })
    const ofSupervisor = supervisor({ id: "group", children: [] })
    const shown = (value: unknown) =>
      typeof value === "string"
        ? `\`${value}\``
        : typeof value === "number"
          ? value.toLocaleString("en-US")
          : String(value)
    const pick = (spec: object, key: string): unknown =>
      key.split(".").reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], spec)
    const rows = [...guide.matchAll(/^\| `([\w.]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$/gm)]
    const plain = rows.filter(([, key]) => !["budget", "whenExhausted"].includes(key ?? ""))
    expect(plain.map(([, key, ours, theirs]) => [key, ours, theirs])).toEqual(
      plain.map(([, key = ""]) => {
        const other = pick(ofSupervisor, key)
        return [
          key,
          shown(pick(ofWorker, key)),
          other === Number.POSITIVE_INFINITY ? "none; each child has its own" : shown(other)
        ]
      })
    )
    const leaves = Object.entries(ofWorker).flatMap(([key, value]: [string, unknown]) =>
      key === "backoff" ? Object.keys(value as object).map((inner) => `backoff.${inner}`) : [key]
    )
    expect(rows.map(([, key = ""]) => key).toSorted()).toEqual(
      leaves.filter((key) => !["type", "id", "start"].includes(key)).toSorted()
    )
    expect([ofWorker.budget.max, ofWorker.whenExhausted.action]).toEqual([
      Number.POSITIVE_INFINITY,
      "escalate"
    ])
    const parking = worker({ id: "child", start, whenExhausted: { action: "park", retryEveryMs: 1 } })
    expect(parking.budget).toEqual({ max: 5, withinMs: 60_000 })
    expect(ofSupervisor.intensity).toEqual({ max: 5, withinMs: 60_000 })
  })

  test("it names every name of the entry, and no other as exported", () => {
    const code = fs.readFileSync(entry, "utf8")
    const exported = [...code.matchAll(/^export (?:type )?\{([^}]+)\}/gm)].flatMap(([, names = ""]) =>
      names.split(",").flatMap((name) => name.trim().replace(/^type /, "") || [])
    )
    const section = guide.slice(guide.indexOf("## Every exported name"))
    const named = [...section.matchAll(/`(\w+)`/g)]
      .map(([, name = ""]) => name)
      .filter((name) => name !== "run")
    expect(named.toSorted()).toEqual(exported.toSorted())
  })
})
