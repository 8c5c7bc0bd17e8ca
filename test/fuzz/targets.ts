/**
 * What is fuzzed: everything that strangers write and we read, and what must be true of any answer to it.
 *
 * Promises: a judge throws for a violation and for nothing else; each says the same of the same input twice.
 * Never: opens a socket or a file; that side is test/layers/api/http.framing.test.ts.
 */
import assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import * as fc from "fast-check"
import { Redacted, Result } from "effect"
import { waveIdentity } from "../../src/domain/feeds/feed-wire.ts"
import { readJson } from "../../src/domain/kernel/json-reader.ts"
import { intakeLimits } from "../../src/domain/kernel/limits-signals.ts"
import { gateOf, isBodySecret, judgeHeaders } from "../../src/layers/api/http.authentication.ts"
import { resolveSettings } from "../../src/layers/platform/config.resolve.ts"
import { readPost } from "../../src/layers/signals/intake-reading.wire.ts"
import { intakeRow } from "../../src/layers/signals/intake-row.ts"
import { readFeedMessage } from "../../src/wire/feed-frame.ts"
import { settingsFrom } from "../support/practice-settings.ts"
import { changed, disturbed } from "./mutations.ts"

const SECRET = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const NOW_MS = Date.parse("2031-03-04T14:30:00.000Z")

const settings = settingsFrom({
  sources: {
    open: {},
    mapped: {
      fields: {
        symbol: { from: "/ticker" },
        action: { from: "/side" },
        quantity: { from: "/size" },
        timeframe: { constant: "1h" },
        timestamp: { from: "/at" }
      }
    },
    signed: { authentication: { hmac: { secrets: [SECRET] } } },
    standard: { authentication: { standardWebhooks: { secrets: [SECRET] } } },
    inside: { authentication: { bodySecret: { secrets: [SECRET] } } },
    several: {
      authentication: { require: "all", hmac: { secrets: [SECRET] }, bodySecret: { secrets: [SECRET] } }
    }
  }
})
const sourceOf = (name: string) => settings.sources[name] ?? assert.fail(`no source ${name}`)

const FIRED = { timeframe: "5m", timestamp: "2031-03-04T14:29:58Z" }
const BODIES = [
  { symbol: "SPY", action: "BUY", direction: "long", quantity: 2, ...FIRED },
  { id: "event-1", symbol: "NASDAQ:AAPL", action: "SELL", price: "101.25", quantity: "1.5", ...FIRED },
  { symbol: "ESZ1", intent: "target", position_size: -3, ...FIRED },
  { symbol: "SPY", action: "BUY", direction: "CALL", strike: "450", expiration: "2031-12-19", ...FIRED },
  {
    symbol: "BTC-USDT",
    market_position: "flat",
    market_position_size: 0,
    prev_market_position: "long",
    ...FIRED
  },
  { symbol: "SPY", action: "BUY", direction: "long", secret: SECRET, ...FIRED },
  {
    snapshot_id: "7f3b1c52-2f5a-4a53-9c0e-0b1d2e3f4a5b",
    score: { "Buy Score": 2.5, "Sell Score": -1 },
    trigger: "roc_momo",
    pair: "ZRX-USD"
  }
].map((body) => JSON.stringify(body))

const DECIMAL = /^-?\d+(?:\.\d+)?$/

/** Of an accepted body: what the row promises to the database and to whoever reads it. */
const judgeRow = (source: string, bytes: Buffer): boolean => {
  const json = readJson(bytes)
  if (Result.isFailure(json)) {
    assert.ok(json.failure.message.length > 0)
    assert.ok(!json.failure.message.includes(SECRET), "a message repeats the secret")
    return false
  }
  const post = { source, settings: sourceOf(source), json: json.success, headers: {}, cameAtMs: NOW_MS }
  const read = readPost(post)
  if (Result.isFailure(read)) {
    assert.ok(read.failure.length > 0 && read.failure.length <= 2 * intakeLimits.bodyErrorsMax)
    for (const { message } of read.failure) assert.ok(message.length > 0 && !message.includes(SECRET))
    return false
  }
  const again = readPost(post)
  assert.ok(Result.isSuccess(again))
  assert.equal(again.success.identity.key, read.success.identity.key, "another identity")
  const { identity, parsed } = read.success
  const row = intakeRow(settings, { source, parsed, identity, requestId: "r", nowMs: NOW_MS })
  if (Result.isFailure(row)) return false
  const { body, price, quantity, symbol } = row.success
  JSON.parse(body)
  assert.ok(body.isWellFormed() && !body.includes("\\u0000") && !body.includes("\u0000"), "no jsonb")
  assert.ok(
    !body.includes(SECRET) || source !== "open" || !/"secret":"kV3/.test(body),
    "the secret is stored"
  )
  for (const amount of [price, quantity])
    assert.ok(amount === null || DECIMAL.test(amount), `no decimal: ${amount}`)
  assert.ok(symbol === null || (symbol.length > 0 && symbol.length <= 64))
  const next = intakeRow(settings, { source, parsed, identity, requestId: "r", nowMs: NOW_MS })
  assert.equal(Result.getOrThrow(next).id, row.success.id)
  return true
}

const MAPPED = [
  { ticker: "SPY", side: "BUY", size: "3", at: "2031-03-04T14:29:58Z" },
  { ticker: "ko", side: "SELL", size: 3.5, at: "2031-03-04T14:29:59Z", more: [1, { deep: true }] }
].map((body) => JSON.stringify(body))
const bodies = fc.oneof(
  changed(BODIES).map((bytes) => ({ source: "open", bytes })),
  changed([...MAPPED, ...BODIES]).map((bytes) => ({ source: "mapped", bytes }))
)

const signatureOf = (body: Buffer): string => createHmac("sha256", SECRET).update(body).digest("hex")

/** One of these texts, often as it is: of several headers all must be right before one is believed. */
const texts = (...values: ReadonlyArray<string>) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...values) },
    { weight: 1, arbitrary: changed(values).map((bytes) => bytes.toString("latin1")) }
  )

const BODY = Buffer.from(BODIES[0] ?? "")
const SECONDS = String(Math.floor(NOW_MS / 1_000))
const standardOf = (id: string, timestamp: string): string =>
  `v1,${createHmac("sha256", SECRET).update(`${id}.${timestamp}.${BODY.toString()}`).digest("base64")}`

const headers = fc.record({
  source: fc.constantFrom("open", "signed", "standard", "inside", "several"),
  address: fc.constantFrom("127.0.0.1", "10.1.2.3", "::1", "203.0.113.9"),
  headers: fc.record(
    {
      "x-webhook-signature": texts(signatureOf(BODY), `sha256=${signatureOf(BODY)}`),
      "webhook-id": texts("msg_1"),
      "webhook-timestamp": texts(SECONDS),
      "webhook-signature": texts(standardOf("msg_1", SECONDS), `v1,AAAA ${standardOf("msg_1", SECONDS)}`),
      "x-forwarded-for": texts("203.0.113.9, 10.0.0.1"),
      origin: texts("https://example.org"),
      host: texts("localhost:5003", "example.org")
    },
    { requiredKeys: [] }
  )
})

/** Nobody is believed who does not hold the secret: an accepted post shows a signature that is ours. */
const judgeCredential = (given: {
  readonly source: string
  readonly address: string
  readonly headers: Readonly<Record<string, string>>
}): boolean => {
  const caller = {
    headers: given.headers,
    httpVersion: "1.1",
    rawHeaders: Object.entries(given.headers).flat(),
    remoteAddress: given.address,
    address: given.address,
    body: BODY,
    nowMs: NOW_MS
  }
  const gate = gateOf(sourceOf(given.source), settings.secrets)
  const verdict = judgeHeaders(gate, settings, caller)
  assert.equal(judgeHeaders(gate, settings, caller), verdict)
  assert.equal(isBodySecret(gate, JSON.parse(BODY.toString())), false, "a body without a secret shows it")
  if (verdict !== "accepted") return false
  if (given.source === "open") {
    assert.ok(given.address === "127.0.0.1" || given.address === "::1", "an open source is for this machine")
    return true
  }
  const hmac = (given.headers["x-webhook-signature"] ?? "").toLowerCase().endsWith(signatureOf(BODY))
  const {
    "webhook-id": id = "",
    "webhook-signature": signatures = "",
    "webhook-timestamp": at = ""
  } = given.headers
  const isOurs = signatures.split(" ").some((one) => {
    const wanted = Buffer.from(standardOf(id, at).slice(3), "base64")
    return Buffer.from(one.slice(3), "base64").equals(wanted)
  })
  assert.ok(given.source === "signed" ? hmac : given.source === "standard" && isOurs, "nobody signed this")
  return true
}

const SIGNAL = {
  id: "w-1",
  symbol: "BTC-USDT",
  action: "BUY",
  wave: "2031-03-04T14:15:00Z",
  price: "100.5",
  score: 0.5
}
const FRAMES = [
  { type: "auth_success" },
  { type: "auth_failed", reason: "no" },
  { type: "signals", signals: [SIGNAL, { ...SIGNAL, id: 7, price: 100.25 }] },
  { type: "signal", signal: SIGNAL },
  { type: "stats", connected: 3 },
  { type: "pong" }
].map((frame) => JSON.stringify(frame))

const judgeFrame = (bytes: Buffer): boolean => {
  const text = bytes.toString("utf8")
  const message = readFeedMessage(text)
  if (message.type === "auth_failed") assert.ok(message.reason.length > 0)
  if (message.type !== "signals") return message.type !== "ignored"
  for (const signal of message.signals) {
    assert.ok(/^[\u0021-\u007e]+$/.test(signal.id))
    assert.ok(signal.symbol.length > 0 && signal.symbol.isWellFormed())
    assert.ok(signal.action === "BUY" || signal.action === "SELL")
    assert.ok(Number.isInteger(signal.waveMs))
    assert.ok(signal.price === null || DECIMAL.test(signal.price), String(signal.price))
    assert.ok(signal.score === null || Number.isFinite(signal.score))
    assert.equal(waveIdentity("f", signal), waveIdentity("f", { ...signal }))
  }
  for (const { errors, shown } of message.unusable) {
    assert.ok(errors.length > 0)
    assert.ok(JSON.stringify(shown).isWellFormed())
  }
  return message.signals.length > 0
}

const FILES: ReadonlyArray<unknown> = [
  {},
  {
    port: 5003,
    mode: "PRACTICE",
    sources: {
      default: {},
      tv: { preset: "tradingview" },
      own: { authentication: { hmac: { secrets: [SECRET] } } }
    },
    accounts: { main: { broker: "practice", startingCash: "100000", calendar: "24x7" } },
    brokers: { practice: { kind: "paper" } },
    strategies: {
      default: {
        sources: ["default"],
        accounts: ["main"],
        sidePolicy: "long_only",
        stopLossPct: "2",
        profitTargetPct: "3"
      }
    },
    risk: { quantityMax: "10", openPositionsMax: 5 },
    symbols: { "NASDAQ:AAPL": "AAPL" },
    retention: { signalDays: 400 }
  },
  {
    mode: "PAPER",
    databaseUrl: "postgresql://u:p@localhost/db",
    adminToken: SECRET,
    hmacSecret: SECRET,
    feeds: { main: { url: "wss://example.org/signals", token: SECRET } },
    waves: { periodMs: 900_000, offsetMs: 300_000, lagMs: 1_200_000 },
    telegram: { token: "123456:abcdefghijklmnopqrstuvwxyz", chats: { "42": { role: "operator" } } },
    alerts: { sinks: { hook: { kind: "webhook", url: "https://example.org/hook", secret: SECRET } } },
    canary: { everyMs: 60_000 },
    resources: {},
    spool: { bytesMax: 2_000_000 }
  }
]

const settingsCases = fc.record({
  file: disturbed(FILES),
  environment: fc.record(
    {
      PORT: texts("5003", "0"),
      HOST: texts("127.0.0.1", "::1"),
      APP_MODE: texts("PRACTICE", "PAPER"),
      ROLES: texts("http,feeds", "accounts"),
      HMAC_SECRET: fc.constant(SECRET),
      WAVE_PERIOD_MS: texts("900000"),
      LOG_LEVEL: texts("info", "debug"),
      TELEGRAM_CHAT_IDS: texts("42:viewer,43"),
      DATABASE_URL: texts("postgresql://u@localhost/db")
    },
    { requiredKeys: [] }
  )
})

const resolved = ({
  environment,
  file
}: {
  readonly environment: Readonly<Record<string, string>>
  readonly file: unknown
}) =>
  resolveSettings({
    environment,
    file,
    cwd: "/srv",
    stdoutIsTerminal: false,
    resolvePath: (from, to) => `${from}/${to}`,
    readSecret: () => Result.fail("there are no files here")
  })

const judgeSettings = (given: {
  readonly environment: Readonly<Record<string, string>>
  readonly file: unknown
}): boolean => {
  const answer = resolved(given)
  if (Result.isFailure(answer)) {
    assert.ok(answer.failure.length > 0)
    for (const { message, path } of answer.failure) {
      assert.ok(path.length > 0 && message.length > 0, "a problem names its place and its reason")
      assert.ok(!message.includes(SECRET), `a problem repeats the secret: ${path}`)
    }
    return false
  }
  const { success } = answer
  assert.ok(Number.isInteger(success.port) && success.port >= 0 && success.port <= 65_535)
  assert.ok(!JSON.stringify(success).includes(SECRET), "a secret is not redacted")
  const { admin } = success.secrets
  assert.ok(admin === null || Redacted.isRedacted(admin))
  return true
}

/** `judge` says whether the input was taken. */
const target = <Input>(arbitrary: fc.Arbitrary<Input>, judge: (input: Input) => boolean) => ({
  run: (cases: number, seed: number) => {
    let taken = 0
    const property = fc.property(arbitrary, (input) => {
      if (judge(input)) taken += 1
    })
    return { details: fc.check(property, { numRuns: cases, seed }), taken }
  }
})

/** What the cases are made from; all of it is taken as it is. */
export const unchanged = {
  bodies: [
    ...BODIES.map((body) => judgeRow("open", Buffer.from(body))),
    ...MAPPED.map((body) => judgeRow("mapped", Buffer.from(body)))
  ],
  frames: FRAMES.map((frame) => judgeFrame(Buffer.from(frame))),
  settings: FILES.map((file) => judgeSettings({ environment: {}, file }))
} as const

export const TARGETS = {
  bodies: target(bodies, ({ bytes, source }) => judgeRow(source, bytes)),
  headers: target(headers, judgeCredential),
  frames: target(changed(FRAMES), judgeFrame),
  settings: target(settingsCases, judgeSettings)
} as const
export type TargetName = keyof typeof TARGETS

export interface Fuzzed {
  /** What is wrong, with how to see it again; null: nothing. */
  readonly finding: string | null
  /** How many cases were taken, and not refused: none would mean that nothing behind the first check was reached. */
  readonly taken: number
}

const shownOf = (input: unknown): string =>
  JSON.stringify(input, (_key, value: unknown) =>
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    value.type === "Buffer" &&
    "data" in value
      ? Buffer.from(value.data as ReadonlyArray<number>).toString("latin1")
      : value
  )

export const fuzz = (name: TargetName, cases: number, seed: number): Fuzzed => {
  const { details, taken } = TARGETS[name].run(cases, seed)
  if (!details.failed) return { finding: null, taken }
  const { counterexample, errorInstance } = details
  const why =
    errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance)
  const again = `npm run fuzz -- --target ${name} --seed ${seed} --cases ${cases}`
  return { finding: `${name}: ${shownOf(counterexample?.[0])}\n${why}\nagain: ${again}`, taken }
}
