import { secretTexts } from "../../../src/domain/kernel/settings-secrets.ts"
import { describeSettings } from "../../../src/domain/kernel/settings-shown.ts"
import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { describeReading, weakness } from "../../../src/domain/kernel/settings-secrets.ts"
import { plainFeed } from "../../../src/wire/settings.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"

const strong = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"

const resolve = (environment: Record<string, string>, file?: unknown) =>
  resolveSettings({
    environment,
    file,
    cwd: "/srv",
    stdoutIsTerminal: false,
    resolvePath: (from, to) => `${from}/${to}`,
    readSecret: () => Result.fail("there are no files here")
  })

const settingsOf = (environment: Record<string, string>, file?: unknown) => {
  const result = resolve(environment, file)
  if (Result.isFailure(result)) assert.fail(JSON.stringify(result.failure))
  return result.success
}

const problemsOf = (environment: Record<string, string>, file?: unknown) => {
  const result = resolve(environment, file)
  if (Result.isSuccess(result)) assert.fail("the configuration was accepted")
  return result.failure.map((problem) => `${problem.path}: ${problem.message}`)
}

describe("settings with nothing configured", () => {
  it("are the practice mode of the contract", () => {
    const settings = settingsOf({})
    assert.strictEqual(settings.mode, "PRACTICE")
    assert.strictEqual(settings.port, 5003)
    assert.strictEqual(settings.host, "127.0.0.1")
    assert.strictEqual(settings.dataDir, "/srv/data")
    assert.strictEqual(settings.databaseUrl, null)
    assert.deepStrictEqual(Object.keys(settings.accounts), ["paper-1", "paper-2"])
    assert.strictEqual(settings.accounts["paper-2"]?.startingCash, "100000")
    assert.deepStrictEqual(settings.strategies["default"]?.sources, ["default", "wave"])
    assert.deepStrictEqual(settings.strategies["default"]?.accounts, ["paper-1"])
    assert.strictEqual(settings.strategies["default"]?.sidePolicy, "both")
    assert.strictEqual(settings.strategies["default"]?.quantity, "1")
    assert.deepStrictEqual(
      [...settings.roles],
      ["http", "feeds", "waves", "accounts", "telegram", "monitors"]
    )
  })
  it("log json when stdout is no terminal", () => {
    assert.strictEqual(settingsOf({}).log.format, "json")
  })
})

describe("the environment wins over the file", () => {
  it("for the port [file 6000, PORT 7000]", () => {
    assert.strictEqual(settingsOf({ PORT: "7000" }, { port: 6000 }).port, 7000)
    assert.strictEqual(settingsOf({}, { port: 6000 }).port, 6000)
  })
  it("and an empty variable counts as not set", () => {
    assert.strictEqual(settingsOf({ PORT: "", HMAC_SECRET: "" }).port, 5003)
    assert.strictEqual(settingsOf({ HMAC_SECRET: "" }).secrets.hmac, null)
  })
})

describe("T1 a bad, unknown or missing setting is refused with its path", () => {
  it.each([
    [{ PORT: "http" }, undefined, "PORT: must be a whole number from 0 to 65535"],
    [{ PORT: "65536" }, undefined, "PORT: must be a whole number from 0 to 65535"],
    [{ PORT: "1e3" }, undefined, "PORT: must be a whole number from 0 to 65535"],
    [{}, { port: "7000" }, "port: must be a whole number from 0 to 65535"],
    [{ APP_MODE: "REAL" }, undefined, "APP_MODE: must be one of PRACTICE, PAPER, LIVE"],
    [{}, { mode: "REAL" }, "mode: must be one of PRACTICE, PAPER, LIVE"],
    [{ ROLES: "http,trader" }, undefined, "ROLES: must be one of http, feeds, waves, accounts"],
    [{ ROLES: " , " }, undefined, "ROLES: must be one of http, feeds, waves, accounts"],
    [{}, { roles: [] }, "roles: names no role; leave it out to run all of them"],
    [{ LOG_FORMAT: "xml" }, undefined, "LOG_FORMAT: must be one of json, pretty"],
    [{ DATABASE_URL: "mysql://x" }, undefined, "DATABASE_URL: must start with postgres://"],
    [{}, { prot: 1 }, "prot: unknown key"],
    [
      {},
      { strategies: { s: { sources: ["default"], accounts: ["paper-1"], stopLosPct: "1" } } },
      "strategies.s.stopLosPct: unknown key"
    ],
    [{}, { risk: { quantityMax: "1e5" } }, "risk.quantityMax: must be a decimal string"],
    [
      {},
      { strategies: { s: { sources: ["default"], accounts: ["nobody"] } } },
      'strategies.s.accounts: there is no account "nobody"'
    ],
    [
      {},
      { strategies: { s: { sources: ["tv"], accounts: ["paper-1"] } } },
      'strategies.s.sources: there is no source "tv"'
    ],
    [
      {},
      { accounts: { a: { broker: "x", startingCash: "1" } }, strategies: {} },
      'accounts.a.broker: there is no broker "x"'
    ],
    [{}, { corsOrigins: ["*"] }, "corsOrigins.0: must be an exact origin"],
    [
      {},
      { sources: { a: { expected: { kind: "bars", every: "100T" } } } },
      "sources.a.expected.every: must be an interval from 10 s to 1 days"
    ],
    [
      {},
      { sources: { a: { expected: { kind: "rate", every: "8D" } } } },
      "sources.a.expected.every: must be an interval from 10 s to 7 days"
    ],
    [
      {},
      { sources: { a: { expected: { kind: "rate", every: "often" } } } },
      "sources.a.expected.every: must be a timeframe"
    ],
    [
      {},
      { sources: { a: { expected: { kind: "bars", every: "1m" } } } },
      "sources.a.expected.graceMs: must be at most half of the interval"
    ],
    [
      {},
      {
        sources: {
          a: {
            expected: { kind: "bars", every: "5m", calendar: "XNYS", hours: { from: "09:30", to: "16:00" } }
          }
        }
      },
      "sources.a.expected.hours: must be left out: the calendar XNYS has hours of its own"
    ],
    [
      {},
      { sources: { a: { expected: { kind: "bars", every: "5m", hours: { from: "9:30", to: "16:00" } } } } },
      "sources.a.expected.hours.from: must be a time of the day such as 09:30"
    ],
    [
      {},
      { sources: { wave: { expected: { kind: "bars", every: "5m" } } } },
      'sources.wave.expected: must be left out: the feed "default" brings this source'
    ],
    [
      { APP_MODE: "PRACTICE" },
      {
        strategies: {
          s: { sources: ["default"], accounts: ["paper-1"], sizing: { by: "riskPct", amount: "1" } }
        }
      },
      "strategies.s.sizing.by: riskPct needs a stop: stopLossPct, exits.trailingPct or exits.trailingAmount"
    ],
    [{}, { linkage: { rateMin: 1.1 } }, "linkage.rateMin: must be a number from 0 to 1"],
    [{}, [], "(the whole file): must be an object"],
    [{ PORT: "7000" }, "text", "(the whole file): must be an object"],
    [
      {},
      { accounts: { "A b": { broker: "practice", startingCash: "1" } } },
      "accounts.A b: must be a name of"
    ],
    [
      {},
      { accounts: { a: { broker: "practice" } } },
      "accounts.a.startingCash: must be a decimal string such as"
    ],
    [
      {},
      { sources: { default: { ageMaxMs: 0 } } },
      "sources.default.ageMaxMs: must be a whole number from 1"
    ],
    // [T13] An identity is kept longer than a post of it could be taken.
    [
      {},
      { sources: { default: { ageMaxMs: 90 * 86_400_000 } } },
      "sources.default.ageMaxMs: must be a whole number from 1 to 7775999999"
    ],
    [{}, { retention: { signalDays: 89 } }, "retention.signalDays: must be a whole number from 90"],
    [{}, { risk: { quantityMax: "0" } }, "risk.quantityMax: must be greater than 0"],
    [{}, { risk: { zone: "New York" } }, "risk.zone: must be a time zone by its IANA name"],
    [
      {},
      { risk: { scopes: { everything: {} } } },
      'risk.scopes.everything: must be "global", "account:NAME"'
    ],
    [{}, { risk: { breakers: { "broker:x": {} } } }, 'risk.breakers.broker:x: there is no broker "x"'],
    [{}, { risk: { breakers: { "strategy:x": {} } } }, 'risk.breakers.strategy:x: there is no strategy "x"'],
    [{}, { risk: { breakers: { account: {} } } }, 'risk.breakers.account: must be "broker", "strategy"'],
    [
      {},
      { risk: { breakers: { broker: { windowMs: 999 } } } },
      "risk.breakers.broker.windowMs: must be a whole"
    ],
    [
      {},
      { risk: { breakers: { broker: { failurePct: 0 } } } },
      "risk.breakers.broker.failurePct: must be a whole"
    ],
    [
      {},
      { risk: { breakers: { strategy: { cooldownMs: 5_000, cooldownMsMax: 4_999 } } } },
      "risk.breakers.strategy.cooldownMsMax: must not be less than cooldownMs, 5000"
    ],
    [{}, { risk: { scopes: { "account:x": {} } } }, 'risk.scopes.account:x: there is no account "x"'],
    [{}, { risk: { scopes: { "strategy:x": {} } } }, 'risk.scopes.strategy:x: there is no strategy "x"'],
    [{}, { risk: { scopes: { global: { dailyLoss: "1" } } } }, "risk.scopes.global.dailyLoss: "],
    [
      {},
      { risk: { scopes: { global: { onBreach: "ACTIVE" } } } },
      "risk.scopes.global.onBreach: must be one of"
    ],
    [
      {},
      { risk: { scopes: { global: { priceCollarPct: "2", priceCollarReducePct: "1.9" } } } },
      "risk.scopes.global.priceCollarReducePct: must not be less than priceCollarPct"
    ],
    [{}, { strategies: { s: {} } }, "strategies.s.sources: "],
    [{}, { market: null }, "market: "]
  ])("%j with file %j", (environment, file, expected) => {
    const problems = problemsOf(environment, file)
    assert.isTrue(
      problems.some((problem) => problem.startsWith(expected)),
      problems.join("\n")
    )
  })
  it("and all problems are told at once", () => {
    assert.lengthOf(problemsOf({ PORT: "x", APP_MODE: "y", LOG_LEVEL: "z" }), 3)
  })
})

describe("a setting that would do nothing is refused, not accepted and ignored", () => {
  const voters = { mine: { url: "http://127.0.0.1:1/", secret: "s" } }
  const engines = (given: object) => ({ s: { sources: ["default"], accounts: ["paper-1"], ...given } })
  it.each([
    [{}, { strategies: engines({ shadow: "A" }) }, 'strategies.s.shadow: must be another engine than "A"'],
    [
      {},
      { strategies: engines({ engine: "split" }) },
      'strategies.s.split: must be given with the engine "split"'
    ],
    [{}, { strategies: engines({ split: { bPct: 50 } }) }, 'strategies.s.split: needs the engine "split"'],
    [
      {},
      { strategies: engines({ engine: "split", split: { bPct: 101 } }) },
      "strategies.s.split.bPct: must be a number from 0 to 100"
    ],
    [{}, { panel: { weights: { luck: 1 } } }, "panel.weights"],
    [{}, { strategies: engines({ engine: "C" }) }, "strategies.s.voter: must name the endpoint"],
    [
      {},
      { strategies: engines({ shadow: "C", voter: "x" }) },
      'strategies.s.voter: there is no endpoint "x"'
    ],
    [{}, { strategies: engines({ voter: "x" }) }, "strategies.s.voter: is asked by no engine"],
    [
      {},
      {
        strategies: engines({ engine: "split", split: { bPct: 60, cPct: 41, pins: {} }, voter: "mine" }),
        voters
      },
      "strategies.s.split: bPct and cPct must not be more than 100 together"
    ],
    [{}, { voters: { mine: { url: "ftp://x/", secret: "s" } } }, "voters.mine.url: must be a URL with http:"],
    [
      {},
      { voters: { mine: { url: "http://u:p@x/", secret: "s" } } },
      "voters.mine.url: must not have a user"
    ],
    [
      {},
      { voters: { mine: { url: "http://x/", secret: { env: "NONE" } } } },
      "voters.mine.secret: the variable NONE is not set"
    ]
  ])("%j with file %j", (environment, file, expected) => {
    const [problem, ...others] = problemsOf(environment, file)
    assert.isTrue(problem?.startsWith(expected), problem)
    assert.deepStrictEqual(others, [])
    assert.notInclude(problem, strong)
  })
  it("and an endpoint of engine C is taken with its secret, which nobody sees", () => {
    const settings = settingsOf(
      { MINE: strong },
      {
        voters: { mine: { url: "http://127.0.0.1:1/?key=hushhush", secret: { env: "MINE" } } },
        strategies: engines({ engine: "split", split: { cPct: 100 }, voter: "mine" })
      }
    )
    assert.deepInclude(settings.voters["mine"], { onSilence: "deny", deadlineMs: 500, confidenceMin: 0.5 })
    assert.includeMembers([...secretTexts(settings)], [strong, "hushhush"])
    const shown = JSON.stringify(describeSettings(settings))
    assert.notInclude(shown, strong)
    assert.notInclude(shown, "hushhush")
  })
  it("but a variable that is set to nothing is no wish", () => {
    const { roles, telegram } = settingsOf({ TELEGRAM_BOT_TOKEN: "", ROLES: "" })
    assert.deepStrictEqual([roles.has("telegram"), telegram.token], [true, null])
  })
})

describe("the Telegram bot", () => {
  const token = `42:${"x".repeat(35)}`
  it("is who TELEGRAM_CHAT_IDS names, viewers unless it says operator, and nobody when it is empty", () => {
    const { telegram } = settingsOf({
      TELEGRAM_BOT_TOKEN: token,
      TELEGRAM_API_ROOT: "http://127.0.0.1:8081",
      TELEGRAM_CHAT_IDS: "1, -2:viewer,3:operator"
    })
    assert.deepStrictEqual(
      Object.entries(telegram.chats).map(([id, { role }]) => [id, role]),
      [
        ["1", "viewer"],
        ["3", "operator"],
        ["-2", "viewer"]
      ]
    )
    assert.strictEqual(telegram.apiRoot, "http://127.0.0.1:8081")
    assert.deepStrictEqual(
      settingsOf({ TELEGRAM_BOT_TOKEN: token, TELEGRAM_CHAT_IDS: "" }).telegram.chats,
      {}
    )
  })
  it.each([
    [{ TELEGRAM_BOT_TOKEN: "nonsense" }, "TELEGRAM_BOT_TOKEN: must be a number, a colon"],
    [{ TELEGRAM_CHAT_IDS: "me" }, "TELEGRAM_CHAT_IDS: must be the number of a chat"],
    [{ TELEGRAM_CHAT_IDS: "1:admin" }, "TELEGRAM_CHAT_IDS: "],
    [{ TELEGRAM_API_ROOT: "telegram" }, "TELEGRAM_API_ROOT: must be an http or https URL"]
  ])("%j is refused", (environment, expected) => {
    const [problem] = problemsOf(environment)
    assert.isTrue(problem?.startsWith(expected), problem)
  })
})

describe("T1 outside practice", () => {
  const configured = { APP_MODE: "PAPER", HMAC_SECRET: strong, ADMIN_TOKEN: strong }
  it("strong secrets start", () => {
    const settings = settingsOf(configured)
    assert.strictEqual(settings.secrets.hmac === null ? "" : Redacted.value(settings.secrets.hmac), strong)
  })
  it("a missing webhook secret refuses", () => {
    assert.deepStrictEqual(
      problemsOf({ APP_MODE: "PAPER", ADMIN_TOKEN: strong }).map((problem) => problem.split(":")[0]),
      ["HMAC_SECRET"]
    )
  })
  it("an open admin API refuses", () => {
    assert.deepStrictEqual(
      problemsOf({ APP_MODE: "PAPER", HMAC_SECRET: strong }).map((problem) => problem.split(":")[0]),
      ["ADMIN_TOKEN"]
    )
  })
  it("LIVE with only the paper venue refuses", () => {
    assert.isTrue(
      problemsOf({ ...configured, APP_MODE: "LIVE" }).some((problem) => problem.startsWith("brokers: LIVE"))
    )
  })
  it.each([
    ["short", "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uE"],
    ["the word change", "changekV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"],
    ["the word Secret in capitals", "kV3x9QmT7rZp2LwYb8SECRETNcHf4JdSgA6uEo"],
    ["one character repeated", "a".repeat(40)]
  ])("a weak secret refuses without repeating it [%s]", (_name, secret) => {
    assert.isNotNull(weakness(secret))
    const problems = problemsOf({ ...configured, HMAC_SECRET: secret })
    assert.lengthOf(problems, 1)
    assert.notInclude(problems.join(), secret)
    assert.isNull(Result.isSuccess(resolve({ HMAC_SECRET: secret })) ? null : "practice must accept it")
  })
})

describe("symbols and instruments", () => {
  const strategies = (symbols: ReadonlyArray<string>) => ({
    strategies: { s: { sources: ["default"], accounts: ["paper-1"], symbols } }
  })

  it("are read as those of an alert: in any case, blanks around (T3b)", () => {
    const settings = settingsOf(
      {},
      {
        ...strategies(["spy", " Btc-usdt ", "nasdaq:aapl", "es1!"]),
        symbols: { " es1! ": "esz26" },
        instruments: { "fdax*": { multiplier: "25", currency: "EUR" } }
      }
    )
    assert.deepStrictEqual(settings.strategies["s"]?.symbols, ["SPY", "BTC-USDT", "AAPL", "ESZ26"])
    assert.deepStrictEqual(settings.symbols, { "ES1!": "ESZ26" })
    assert.deepStrictEqual(settings.instruments, { "FDAX*": { multiplier: "25", currency: "EUR" } })
  })

  it("name no list, no map and no instrument by default", () => {
    const { instruments, strategies: plain, symbols } = settingsOf({})
    assert.deepStrictEqual([plain["default"]?.symbols, symbols, instruments], [null, {}, {}])
  })

  it("that can never match or contradict each other are refused with their path", () => {
    const paths = (file: object, mode = "PRACTICE") =>
      problemsOf({ APP_MODE: mode }, file).map((problem) => problem.split(": ")[0])
    assert.deepStrictEqual(paths(strategies(["SPY", "日経225"])), ["strategies.s.symbols.1"])
    assert.include(paths(strategies(["ES1!"]), "PAPER"), "strategies.s.symbols.0")
    assert.deepStrictEqual(paths({ symbols: { spy: "A", SPY: "B" } }), ["symbols.SPY"])
    assert.deepStrictEqual(paths({ symbols: { "ES1!": "/ES" } }), ["symbols.ES1!"])
    assert.deepStrictEqual(paths({ symbols: { "": "A", B: " " } }), ["symbols.", "symbols.B"])
    assert.deepStrictEqual(paths({ instruments: { "a*": {}, "A*": {} } }), ["instruments.A*"])
    assert.deepStrictEqual(paths({ instruments: { A: { multiplier: "0" } } }), ["instruments.A.multiplier"])
    assert.deepStrictEqual(paths({ instruments: { A: { multiplyer: "1" } } }), ["instruments.A.multiplyer"])
    assert.deepStrictEqual(paths({ instruments: { A: { calendar: "XLON" } } }), ["instruments.A.calendar"])
  })
})

describe("signal feeds", () => {
  it("practice has one of its own, with the numbers of the best clients", () => {
    const { default: feed } = settingsOf({}).feeds
    assert.deepStrictEqual(
      [feed?.url, feed?.token, feed?.source, feed?.practiceSignals],
      [null, null, "wave", 0]
    )
    assert.deepStrictEqual(
      [feed?.retryFirstMs, feed?.retryMsMax, feed?.goodAfterMs, feed?.pingEveryMs, feed?.pongMsMax],
      [1_000, 30_000, 30_000, 20_000, 10_000]
    )
    assert.deepStrictEqual(
      [feed?.statsEveryMs, feed?.answerMsMax, feed?.credentialRetryMs],
      [60_000, 10_000, 60_000]
    )
  })
  it("SIGNAL_WS_URL and SIGNAL_WS_TOKEN are the default feed, and win over the file", () => {
    const file = { feeds: { default: { url: "ws://file:1", goodAfterMs: 5 }, other: { url: "wss://b:2" } } }
    const { feeds } = settingsOf({ SIGNAL_WS_URL: "ws://env:3", SIGNAL_WS_TOKEN: "tok" }, file)
    assert.deepStrictEqual(Object.keys(feeds), ["default", "other"])
    assert.deepStrictEqual([feeds["default"]?.url, feeds["default"]?.goodAfterMs], ["ws://env:3", 5])
    const token = feeds["default"]?.token
    assert.strictEqual(token === null || token === undefined ? null : Redacted.value(token), "tok")
    assert.notInclude(JSON.stringify(feeds), 'tok"')
  })
  it("are refused with their path when they cannot work", () => {
    assert.deepStrictEqual(problemsOf({ SIGNAL_WS_URL: "http://x" }), [
      "SIGNAL_WS_URL: must be a ws or wss URL"
    ])
    assert.deepStrictEqual(problemsOf({}, { feeds: { a: { url: "ws://x", source: "nowhere" } } }), [
      'feeds.a.source: there is no source "nowhere"'
    ])
    assert.include(
      problemsOf({ APP_MODE: "PAPER" }, { feeds: { a: {} } }),
      "feeds.a.url: PAPER needs the address of the feed"
    )
    assert.include(
      problemsOf({ APP_MODE: "PAPER", SIGNAL_WS_TOKEN: "tok" }),
      "feeds.default.url: PAPER needs the address of the feed: set SIGNAL_WS_URL"
    )
    assert.deepStrictEqual(problemsOf({}, { feeds: { a: { retryMs: 1 } } }), [
      `feeds.a.retryMs: unknown key; use ${Object.keys(plainFeed).toSpliced(1, 0, "token").join(", ")}`
    ])
  })
})

describe("the schedule of waves", () => {
  it("is a wave a minute in practice, and the producers' quarter of an hour elsewhere", () => {
    assert.deepStrictEqual(settingsOf({}).waves, {
      schedule: { periodMs: 60_000, offsetMs: 0, lagMs: 0 },
      freshMs: 300_000
    })
    const paper = settingsOf({ APP_MODE: "PAPER", HMAC_SECRET: strong, ADMIN_TOKEN: strong })
    assert.deepStrictEqual(paper.waves, {
      schedule: { periodMs: 900_000, offsetMs: 300_000, lagMs: 1_200_000 },
      freshMs: 300_000
    })
  })
  it("comes from the environment before the file, each value by itself", () => {
    const { waves } = settingsOf(
      { WAVE_PERIOD_MS: "120000", WAVE_LAG_MS: "0" },
      { waves: { periodMs: 5_000, offsetMs: 7_000, lagMs: 9_000, freshMs: 10_000 } }
    )
    assert.deepStrictEqual(waves, {
      schedule: { periodMs: 120_000, offsetMs: 7_000, lagMs: 0 },
      freshMs: 10_000
    })
  })
  it("is refused when it cannot be kept", () => {
    assert.deepStrictEqual(problemsOf({ WAVE_PERIOD_MS: "15m" }), [
      "WAVE_PERIOD_MS: must be a whole number from 1"
    ])
    assert.lengthOf(problemsOf({ WAVE_PERIOD_MS: "10" }), 1)
    assert.lengthOf(problemsOf({}, { waves: { period: 60_000 } }), 1)
  })
})

describe("T3b values as shells, editors and secret stores write them", () => {
  it.each(["\n", "\r\n", "\r", "\n\n"])(
    "a line break at the end of any variable is not meant [%j]",
    (end) => {
      const settings = settingsOf({
        APP_MODE: `PAPER${end}`,
        PORT: `7000${end}`,
        HOST: `127.0.0.2${end}`,
        ROLES: `http,accounts${end}`,
        DATA_DIR: `/var/lib/x ${end}`,
        HMAC_SECRET: `${strong}${end}`,
        ADMIN_TOKEN: `${strong}${end}`,
        LOG_LEVEL: `debug${end}`,
        WAVE_PERIOD_MS: `60000${end}`,
        WAVE_OFFSET_MS: `0${end}`,
        WAVE_LAG_MS: `0${end}`
      })
      assert.strictEqual(settings.port, 7000)
      assert.strictEqual(settings.host, "127.0.0.2")
      assert.strictEqual(settings.dataDir, "/srv//var/lib/x ")
      assert.strictEqual(Redacted.value(settings.secrets.hmac!), strong)
      assert.includeMembers([...settings.trimmed], ["APP_MODE", "PORT", "HOST", "HMAC_SECRET", "ADMIN_TOKEN"])
      const said = describeReading(settings) ?? ""
      assert.include(said, "read without the line break at the end: ADMIN_TOKEN, APP_MODE")
      assert.notInclude(said, strong)
    }
  )
  it("a variable that is only a line break counts as not set", () => {
    assert.strictEqual(settingsOf({ PORT: "\n" }).port, 5003)
  })
  it("and so does the one of a secret in the file", () => {
    const settings = settingsOf({}, { hmacSecret: `${strong}\n` })
    assert.strictEqual(Redacted.value(settings.secrets.hmac!), strong)
    assert.deepStrictEqual(settings.trimmed, ["hmacSecret"])
  })
  it("nothing is reported when there is nothing to report", () => {
    assert.isNull(describeReading(settingsOf({})))
  })
  it.each([
    ["[::1]", "::1"],
    ["::1", "::1"],
    ["[fe80::1%eth0]", "fe80::1%eth0"],
    ["0.0.0.0", "0.0.0.0"],
    ["localhost", "localhost"]
  ])("HOST %s is the address %s", (given, host) => {
    assert.strictEqual(settingsOf({ HOST: given }).host, host)
    assert.strictEqual(settingsOf({}, { host: given }).host, host)
  })
  it.each(["[::1]:5003", "localhost:5003", "http://localhost", "a b", "[::1"])(
    "HOST %s is refused",
    (HOST) => {
      assert.match(problemsOf({ HOST }).join(), /^HOST: .*not a host name or address/)
    }
  )
  it.each(["a\nb", "a\u0000b", "a\u007fb"])(
    "DATA_DIR with a control character is refused [%j]",
    (dataDir) => {
      assert.match(problemsOf({}, { dataDir }).join(), /^dataDir: contains a line break/)
    }
  )
})
