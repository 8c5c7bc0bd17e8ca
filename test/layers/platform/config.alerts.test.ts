import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { secretTexts } from "../../../src/domain/kernel/settings-secrets.ts"
import { describeSettings } from "../../../src/domain/kernel/settings-shown.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"

const strong = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const chat = "https://hooks.slack.example/services/T0/B0/abcdefghijklmnop12"

const resolve = (sinks: object, over: object = {}, environment: Record<string, string> = {}) =>
  resolveSettings({
    environment,
    file: { dataDir: "/srv/data", alerts: { sinks, ...over } },
    cwd: "/srv",
    stdoutIsTerminal: false,
    resolvePath: (from, to) => (to.startsWith("/") ? to : `${from}/${to}`),
    readSecret: (path) => (path === "/srv/chat" ? Result.succeed(`${chat}\n`) : Result.fail("no such file"))
  })
const settingsOf = (...given: Parameters<typeof resolve>) => {
  const result = resolve(...given)
  if (Result.isFailure(result)) assert.fail(JSON.stringify(result.failure))
  return result.success
}
const problemsOf = (...given: Parameters<typeof resolve>) => {
  const result = resolve(...given)
  if (Result.isSuccess(result)) assert.fail("the configuration was accepted")
  return result.failure.map(({ message, path }) => `${path}: ${message}`)
}

describe("the sinks of the settings", () => {
  const sinks = {
    desk: { kind: "webhook", url: "https://desk.example/alerts", secret: { env: "DESK" } },
    chat: { kind: "slack", url: { file: "chat" }, severityMin: "HIGH" },
    mail: { kind: "email", url: "smtp://u:hunter2hunter2@mail.example:25", from: "a@b.c", to: ["d@e.f"] },
    lines: { kind: "file", path: "alerts.jsonl" }
  }
  const over = { escalation: { to: ["chat"] }, heartbeat: { url: "https://dead.example/uuid" } }

  it("have their secrets found, and their files below the directory of data", () => {
    const { alerts } = settingsOf(sinks, over, { DESK: strong })
    const { chat: slack, desk, lines } = alerts.sinks
    assert.strictEqual(desk?.secret === null || desk === undefined ? "" : Redacted.value(desk.secret), strong)
    assert.strictEqual(slack?.url === null || slack === undefined ? "" : Redacted.value(slack.url), chat)
    assert.strictEqual(lines?.path, "/srv/data/alerts.jsonl")
    assert.deepInclude(lines, { severityMin: "MEDIUM", kinds: null, accounts: null, perMinuteMax: 20 })
    assert.deepStrictEqual(alerts.escalation, { afterMs: 600_000, to: ["chat"] })
    assert.strictEqual(alerts.heartbeat?.everyMs, 60_000)
  })

  it("show no address and no secret, and hide them in whatever is logged", () => {
    const settings = settingsOf(sinks, over, { DESK: strong })
    const shown = JSON.stringify([describeSettings(settings), settings])
    for (const secret of [strong, "abcdefghijklmnop12", "hunter2", "dead.example", "desk.example"])
      assert.notInclude(shown, secret)
    assert.includeMembers(
      [...secretTexts(settings)],
      [strong, chat, "hunter2hunter2", "https://dead.example/uuid"]
    )
  })

  it.each([
    [
      "a webhook without a signature",
      { kind: "webhook", url: "https://a.b/" },
      "alerts.sinks.x.secret: is needed by"
    ],
    ["a chat without an address", { kind: "slack" }, "alerts.sinks.x.url: is needed by"],
    [
      "a mail to nobody",
      { kind: "email", url: "smtp://a.b", from: "a@b.c" },
      "alerts.sinks.x.to: is needed by"
    ],
    [
      "a mail with a line break in it",
      { kind: "email", url: "smtp://a.b", from: "a@b.c", to: ["a\nb@c.d"] },
      "alerts.sinks.x.to.0: must be a mail address"
    ],
    [
      "a file at an address",
      { kind: "file", path: "x", url: "https://a.b/" },
      "alerts.sinks.x.url: has no use in"
    ],
    [
      "a chat on a mail server",
      { kind: "slack", url: "smtp://a.b" },
      "alerts.sinks.x.url: must be a URL with http: or https:"
    ],
    [
      "a mail to a web server",
      { kind: "email", url: "https://a.b", from: "a@b.c", to: ["a@b.c"] },
      "alerts.sinks.x.url: must be a URL with smtp: or smtps:"
    ],
    [
      "a secret that is not there",
      { kind: "webhook", url: "https://a.b/", secret: { env: "NONE" } },
      "alerts.sinks.x.secret: the variable NONE is not set"
    ],
    [
      "a kind that is none",
      { kind: "file", path: "x", kinds: ["Order.*"] },
      "alerts.sinks.x.kinds.0: must be a kind"
    ],
    [
      "an account that is not there",
      { kind: "file", path: "x", accounts: ["z"] },
      'alerts.sinks.x.accounts: there is no account "z"'
    ]
  ])("are refused with %s", (_words, sink, problem) => {
    assert.include(problemsOf({ x: sink }).join("\n"), problem)
  })

  it("are refused with an escalation to nobody, and outside of practice with a weak secret", () => {
    assert.include(
      problemsOf({}, { escalation: { to: ["nobody"] } }).join("\n"),
      'alerts.escalation.to: there is no sink "nobody"'
    )
    const weak = { kind: "webhook", url: "https://a.b/", secret: "short" }
    assert.include(
      problemsOf({ x: weak }, {}, { APP_MODE: "PAPER" }).join("\n"),
      "alerts.sinks.x.secret: the secret is 5 characters long"
    )
  })
})
