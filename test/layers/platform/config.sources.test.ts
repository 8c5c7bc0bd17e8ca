import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { isSameSetting } from "../../../src/domain/kernel/settings-change.ts"
import { describeReading, secretTexts } from "../../../src/domain/kernel/settings-secrets.ts"
import { describeSettings } from "../../../src/domain/kernel/settings-shown.ts"
import type { SourceSettings } from "../../../src/domain/kernel/settings.ts"
import { authenticationOf, secretsOfSource } from "../../../src/domain/kernel/settings-source.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"
import { settingsReport } from "../../../src/layers/platform/config.load.ts"

const strong = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const other = "pL0wQ8zXn5VtRk2JmB7sYc4HdEfG1uAi"
const files: Readonly<Record<string, string>> = { "/srv/secrets/tv": `${other}\n` }

const resolve = (environment: Record<string, string>, file?: unknown) =>
  resolveSettings({
    environment,
    file,
    cwd: "/srv",
    stdoutIsTerminal: false,
    resolvePath: (from, to) => `${from}/${to}`,
    readSecret: (path) =>
      files[path] === undefined ? Result.fail(`cannot read ${path}: ENOENT`) : Result.succeed(files[path])
  })

const settingsOf = (environment: Record<string, string>, file?: unknown) => {
  const result = resolve(environment, file)
  if (Result.isFailure(result)) assert.fail(JSON.stringify(result.failure))
  return result.success
}

const sourceOf = (environment: Record<string, string>, source: unknown): SourceSettings => {
  const found = settingsOf(environment, { sources: { tv: source } }).sources["tv"]
  assert(found !== undefined)
  return found
}

const problemsOf = (environment: Record<string, string>, source: unknown) => {
  const result = resolve(environment, { sources: { tv: source } })
  if (Result.isSuccess(result)) assert.fail("the configuration was accepted")
  return result.failure.map((problem) => `${problem.path}: ${problem.message}`)
}

const clear = (source: SourceSettings) =>
  secretsOfSource(source.authentication).map(([at, secret]) => [at, Redacted.value(secret)])

/** The secrets of each method that the source requires in the end. */
const required = (environment: Record<string, string>, source: unknown) => {
  const settings = settingsOf(environment, { sources: { tv: source } })
  const { bodySecret, hmac, standardWebhooks } = authenticationOf(
    settings.sources["tv"]?.authentication ?? null,
    settings.secrets
  )
  return Object.entries({ hmac, standardWebhooks, bodySecret }).flatMap(([method, given]) =>
    given === null ? [] : [[method, ...given.secrets.map((secret) => Redacted.value(secret))]]
  )
}

describe("the secrets of a source", () => {
  it("come from a variable, a file or the settings, each without its line break", () => {
    const source = sourceOf(
      { TV_SECRET: `${strong}\r\n` },
      { authentication: { hmac: { secrets: [{ env: "TV_SECRET" }, { file: "secrets/tv" }, "third"] } } }
    )
    assert.deepStrictEqual(clear(source), [
      ["hmac.secrets.0", strong],
      ["hmac.secrets.1", other],
      ["hmac.secrets.2", "third"]
    ])
  })

  it("are those of the installation where it names none", () => {
    const environment = { HMAC_SECRET: strong, WEBHOOK_SECRET: other }
    const named = required(environment, { authentication: { bodySecret: { field: "/passphrase" } } })
    assert.deepStrictEqual(named, [["bodySecret", other]])
    assert.deepStrictEqual(required(environment, {}), [
      ["hmac", strong],
      ["standardWebhooks", strong],
      ["bodySecret", other]
    ])
  })

  it.each([
    [{ hmac: { secrets: [{ env: "NONE" }] } }, "hmac.secrets.0: the variable NONE is not set"],
    [{ hmac: { secrets: [{ file: "none" }] } }, "hmac.secrets.0: cannot read /srv/none: ENOENT"],
    [{ hmac: { secrets: [{ env: "BLANK" }] } }, "hmac.secrets.0: is empty"],
    [
      { hmac: { secrets: [{ url: "x" }] } },
      'hmac.secrets.0: must be a text, {"env": "VARIABLE"} or {"file": "path"}'
    ],
    [{ hmac: { secrets: [] } }, "hmac.secrets: names no secret; leave it out for that of the installation"],
    [{ hmac: {} }, "hmac: needs secrets, or HMAC_SECRET"],
    [{ bodySecret: {} }, "bodySecret: needs secrets, or WEBHOOK_SECRET"],
    [{ bodySecret: { field: "secret" } }, "bodySecret.field: must be a JSON pointer such as /order/amount"],
    [{ addresses: ["example.com"] }, "addresses.0: must be an address such as 203.0.113.7, or a network"]
  ])("that are wrong are refused with their path [%j]", (authentication, problem) => {
    const [first = ""] = problemsOf({ BLANK: "\n" }, { authentication })
    assert.include(first, `sources.tv.authentication.${problem}`)
  })

  it("are in no text that is shown, and hidden in whatever is logged", () => {
    const settings = settingsOf(
      { TV_SECRET: strong },
      { sources: { tv: { authentication: { bodySecret: { secrets: [{ env: "TV_SECRET" }, other] } } } } }
    )
    const report = settingsReport(Result.succeed(settings), []).join("\n")
    for (const shown of [JSON.stringify(describeSettings(settings)), JSON.stringify(settings), report]) {
      assert.notInclude(shown, strong)
      assert.notInclude(shown, other)
    }
    assert.match(
      report,
      /sources\.tv\.authentication\.bodySecret\.secrets +\["\[redacted\]","\[redacted\]"\]/
    )
    assert.includeMembers([...secretTexts(settings)], [strong, other])
    const reading = describeReading(settings) ?? ""
    assert.include(reading, "sources.tv.authentication.bodySecret.secrets.0 is plain text, 32 bytes")
    assert.notInclude(reading, strong)
  })

  it("that are replaced are another setting, although both are shown alike", () => {
    const of = (secret: string) =>
      sourceOf({ S: secret }, { authentication: { hmac: { secrets: [{ env: "S" }] } } })
    assert.isTrue(isSameSetting(of(strong), of(strong)))
    assert.isFalse(isSameSetting(of(strong), of(other)))
  })
})

describe("T1 a source outside of practice mode", () => {
  const paper = { APP_MODE: "PAPER", ADMIN_TOKEN: strong, SIGNAL_WS_URL: "ws://127.0.0.1:1/" }
  it.each([
    [
      { S: "short" },
      { hmac: { secrets: [{ env: "S" }] } },
      "hmac.secrets.0: the secret is 5 characters long"
    ],
    [
      { S: `${strong}default` },
      { bodySecret: { secrets: [{ env: "S" }] } },
      'bodySecret.secrets.0: the secret contains the word "default"'
    ],
    [{}, { addresses: ["203.0.113.7"] }, "addresses: an address proves too little in PAPER"],
    [
      { S: strong },
      { hmac: { secrets: [{ env: "S" }] }, addresses: ["203.0.113.7"] },
      "addresses: an address proves too little in PAPER"
    ]
  ])("is refused without a strong secret [%j %j]", (environment, authentication, problem) => {
    const problems = problemsOf({ ...paper, ...environment }, { authentication })
    assert.include(problems.join("\n"), `sources.tv.authentication.${problem}`)
  })

  it("needs no secret of the installation beside its own", () => {
    const found = resolve(
      { ...paper, S: strong },
      {
        sources: {
          tv: { preset: "tradingview", authentication: { bodySecret: { secrets: [{ env: "S" }] } } }
        }
      }
    )
    const problems = Result.isFailure(found) ? found.failure.map(({ path }) => path) : []
    assert.notInclude(problems, "HMAC_SECRET")
    assert.notInclude(problems.join(), "sources")
  })

  it("that has none and inherits none is refused, and so is a preset that needs one", () => {
    const own = { authentication: { hmac: { secrets: [{ env: "S" }] } } }
    const found = resolve(
      { ...paper, S: strong },
      { sources: { own, bare: {}, tv: { preset: "tradingview" } } }
    )
    assert(Result.isFailure(found))
    const problems = found.failure.map(({ path, message }) => `${path}: ${message}`)
    assert.include(
      problems,
      "sources.bare.authentication: PAPER needs a secret: set HMAC_SECRET or WEBHOOK_SECRET, or name its own"
    )
    assert.include(problems, "sources.tv.authentication.bodySecret: needs secrets, or WEBHOOK_SECRET")
  })
})

describe("a preset", () => {
  it("is defaults, which keys of the source replace", () => {
    const plain = sourceOf({ WEBHOOK_SECRET: strong }, { preset: "tradingview" })
    assert.deepInclude(plain, { timestampIs: "bar", identity: "body", ageMaxMs: 300_000 })
    assert.deepStrictEqual(plain.ips, ["52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7"])
    assert.deepStrictEqual(required({ WEBHOOK_SECRET: strong }, { preset: "tradingview" }), [
      ["bodySecret", strong]
    ])
    const own = sourceOf(
      { WEBHOOK_SECRET: strong },
      {
        preset: "tradingview",
        timestampIs: "fired",
        ips: null,
        authentication: { hmac: { secrets: [other] } }
      }
    )
    assert.deepInclude(own, { timestampIs: "fired", identity: "body", ips: null })
    assert.deepStrictEqual(clear(own), [["hmac.secrets.0", other]])
  })

  it("is usable in practice mode without a secret, where it takes posts of this machine", () => {
    assert.deepStrictEqual(required({}, { preset: "standard-webhooks" }), [])
    assert.deepStrictEqual(required({ HMAC_SECRET: strong }, { preset: "standard-webhooks" }), [
      ["standardWebhooks", strong]
    ])
  })

  it("that does not exist is refused with the list", () => {
    assert.deepStrictEqual(problemsOf({}, { preset: "tradingveiw" }), [
      "sources.tv.preset: must be one of generic, tradingview, standard-webhooks"
    ])
  })
})

describe("lists of addresses", () => {
  it.each(["10.0.0.0/33", "10.0.0", "::1/129", "fe80::1%eth0", "", "10.0.0.0/"])(
    "with an entry that is none are refused [%s]",
    (entry) => {
      const words = "must be an address such as 203.0.113.7, or a network such as 10.0.0.0/8"
      assert.deepStrictEqual(problemsOf({}, { ips: [entry] }), [`sources.tv.ips.0: ${words}`])
      const found = resolve({}, { trustedProxies: [entry] })
      assert(Result.isFailure(found))
      assert.deepStrictEqual(found.failure, [{ path: "trustedProxies.0", message: words }])
    }
  )
})

describe("the fields of a source", () => {
  it.each([
    [{ actoin: { from: "/a" } }, "fields.actoin: unknown key; use symbol, ticker, action"],
    [{ action: {} }, "fields.action: must have exactly one of from, constant, join and received"],
    [{ action: { from: "/a", constant: "BUY" } }, "fields.action: must have exactly one of"],
    [{ action: { from: "a" } }, "fields.action.from: must be a JSON pointer such as /order/amount"],
    [{ action: { constant: "BYU" } }, "fields.action.constant: must be one of BUY, SELL"],
    [{ action: { from: "/a", table: { long: "BYU" } } }, "fields.action.table.long: must be one of"],
    [{ quantity: { from: "/a", default: "many" } }, "fields.quantity.default: must be a decimal"],
    [{ ticker: { constant: " " } }, "fields.ticker.constant: "],
    [{ timeframe: { constant: "5 minutes" } }, "fields.timeframe.constant: must"],
    [{ timestamp: { constant: 1_700_000_000 } }, "fields.timestamp.constant: is no time of a signal"],
    [{ order_type: { constant: "fok" } }, "fields.order_type.constant: must be one of market, limit"],
    [{ symbol: { join: [] } }, "fields.symbol.join: joins nothing"],
    [{ symbol: { join: [{ after: "x" }] } }, "fields.symbol.join.0: must be a text, or"]
  ])("are refused with the path of what is wrong [%j]", (fields, problem) => {
    assert.include(problemsOf({}, { fields })[0] ?? "", `sources.tv.${problem}`)
  })

  it("must not take the time of receipt for that of a bar, or for an identity", () => {
    const fields = { timestamp: { received: true } }
    assert.deepStrictEqual(problemsOf({}, { fields, timestampIs: "bar" }), [
      'sources.tv.fields.timestamp.received: is the time of no bar: set "timestampIs" to "fired"'
    ])
    assert.include(
      problemsOf({}, { fields, identity: "id+timestamp" })[0] ?? "",
      "differs in every repetition"
    )
  })
})
