/** What `check-config` prints: everything but the secrets; and a file that cannot be read unambiguously. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { settingsFile } from "../../../src/wire/settings.ts"
import { secretTexts } from "../../../src/domain/kernel/settings-secrets.ts"
import { describeSettings } from "../../../src/domain/kernel/settings-shown.ts"
import { loadSettings, settingsReport } from "../../../src/layers/platform/config.load.ts"

const load = (environment: Record<string, string>, file?: string | Buffer) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast config "))
  try {
    if (file !== undefined) writeFileSync(join(folder, "holdfast.json"), file)
    return loadSettings(environment, folder, false)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const settingsOf = (environment: Record<string, string>, file?: string | Buffer) => {
  const loaded = load(environment, file)
  if (Result.isFailure(loaded)) assert.fail(JSON.stringify(loaded.failure))
  return loaded.success
}

const problemsOf = (file: string | Buffer) => {
  const loaded = load({}, file)
  if (Result.isSuccess(loaded)) assert.fail("the file was accepted")
  return loaded.failure
}

describe("the configuration as it is printed", () => {
  for (const [name, environment, file] of [
    ["password in DATABASE_URL", { DATABASE_URL: "postgres://u:hunter2@h:1/x" }, undefined],
    ["password in its query", { DATABASE_URL: "postgres://h:1/x?user=u&password=hunter2" }, undefined],
    ["sslpassword in its query", { DATABASE_URL: "postgres://u@h:1/x?sslpassword=hunter2" }, undefined],
    ["databaseUrl of the file", {}, { databaseUrl: "postgres://h/x?PASSWORD=hunter2" }],
    ["SIGNAL_WS_URL", { SIGNAL_WS_URL: "ws://u:hunter2@h:1/x?token=hunter2" }, undefined],
    ["SIGNAL_WS_TOKEN", { SIGNAL_WS_TOKEN: "hunter2" }, undefined],
    ["a feed of the file", {}, { feeds: { f: { url: "wss://h/x?key=hunter2", token: "hunter2" } } }],
    ["a broker of the file", {}, { brokers: { practice: { kind: "paper", url: "http://u:hunter2@h/" } } }],
    ["an origin", {}, { corsOrigins: ["https://u:hunter2@h"] }],
    [
      "the three secrets",
      { HMAC_SECRET: "hunter2h", WEBHOOK_SECRET: "hunter2w", ADMIN_TOKEN: "hunter2a" },
      undefined
    ]
  ] as const) {
    it(`does not show [${name}]`, () => {
      const text = JSON.stringify(
        describeSettings(
          settingsOf({ ...environment }, file === undefined ? undefined : JSON.stringify(file))
        )
      )
      assert.notInclude(text, "hunter2")
      assert.include(text, "[redacted]")
    })
  }
  it("shows where the database and the feeds are", () => {
    const shown = describeSettings(
      settingsOf({ DATABASE_URL: "postgres://u:p@h:1/x?sslmode=require", SIGNAL_WS_URL: "ws://f:2/y" })
    )
    assert.strictEqual(shown["databaseUrl"], "postgres://[redacted]@h:1/x?sslmode=require")
    assert.include(JSON.stringify(shown["feeds"]), "ws://f:2/y")
  })
})

describe("the secrets of the configuration", () => {
  it("are those of its URLs too, so that the log can hide them", () => {
    const texts = secretTexts(
      settingsOf(
        {
          DATABASE_URL: "postgres://u:one%2F1@h/x?sslpassword=two",
          SIGNAL_WS_URL: "ws://three@h/?token=four"
        },
        JSON.stringify({ brokers: { practice: { kind: "paper", url: "http://u:five@h/" } } })
      )
    )
    assert.includeMembers([...texts], ["one%2F1", "one/1", "two", "three", "four", "five"])
  })
})

describe("a configuration file is refused with its path", () => {
  it("when it is not JSON, without repeating what stands in it", () => {
    const [problem] = problemsOf('{"hmacSecret":"hunter2" "port":1}')
    assert.match(problem?.path ?? "", /holdfast\.json$/)
    assert.match(problem?.message ?? "", /^is not JSON: /)
    assert.notInclude(JSON.stringify(problemsOf('{"hmacSecret": hunter2hunter2}')), "hunter")
  })
  it("when a key is given twice, whatever the second one says", () => {
    for (const [file, path] of [
      ['{"risk":{},"risk":{"quantityMax":"1"}}', "risk"],
      ['{"accounts":{"a":{"broker":"practice","broker":"practice"}}}', "accounts.a.broker"],
      ['{"port":1,"\\u0070ort":2}', "port"]
    ] as const) {
      assert.deepStrictEqual(problemsOf(file), [{ path, message: "must not be given twice" }])
    }
  })
  it("when a secret has the wrong type, without repeating it", () => {
    assert.notInclude(JSON.stringify(problemsOf('{"adminToken":77312345}')), "77312345")
    assert.notInclude(JSON.stringify(problemsOf('{"feeds":{"f":{"token":["hunter2"]}}}')), "hunter2")
    assert.notInclude(JSON.stringify(problemsOf('{"feeds":{"f":{"url":"u:hunter2@h"}}}')), "hunter2")
  })
})

describe("T3b the configuration as editors save it", () => {
  const text = JSON.stringify({ port: 6123 })
  const swapped = (buffer: Buffer): Buffer => Buffer.from(buffer).swap16()
  it.each([
    ["UTF-8 with a byte order mark", Buffer.from(`\uFEFF${text}`)],
    ["UTF-16, low byte first", Buffer.from(`\uFEFF${text}`, "utf16le")],
    ["UTF-16, high byte first", swapped(Buffer.from(`\uFEFF${text}`, "utf16le"))],
    ["lines that end with CR LF", Buffer.from(`{\r\n"port": 6123\r\n}\r\n`)]
  ])("%s", (_name, content) => {
    assert.strictEqual(settingsOf({}, content).port, 6123)
  })
  it("is refused when it is no text, with the path of the file", () => {
    const [problem] = problemsOf(Buffer.from([0x7b, 0xc3, 0x28, 0x7d]))
    assert.match(problem?.path ?? "", /holdfast\.json$/)
    assert.match(problem?.message ?? "", /not UTF-8/)
  })
})

describe("what check-config says to a person", () => {
  it("is a line for each problem, with what would be right", () => {
    assert.deepStrictEqual(settingsReport(load({ PORT: "x" }, '{"logLevel":"loud","sorces":{}}'), []), [
      "PORT: must be a whole number from 0 to 65535",
      "logLevel: must be one of debug, info, warn, error",
      `sorces: unknown key; use ${Object.keys(settingsFile.shape).join(", ")}`,
      "",
      "3 problems: the service would not start (exit status 78)"
    ])
  })

  it("or the warnings, and then every setting that is in effect, without secrets", () => {
    const outcome = load({ PORT: "7000", HMAC_SECRET: "hunter2" })
    const lines = settingsReport(outcome, [{ path: "sources.x", message: "no strategy takes it" }])
    assert.strictEqual(lines[0], "warning: sources.x: no strategy takes it")
    const shown = Object.fromEntries(lines.slice(1).map((line) => line.split(/ {2,}/)))
    assert.deepInclude(shown, {
      port: "7000",
      "secrets.hmac": "[redacted]",
      "strategies.default.accounts": '["paper-1"]',
      "accounts.paper-2.startingCash": "100000",
      "risk.notionalMax": "null"
    })
    assert.notInclude(lines.join(), "hunter2")
  })
})
