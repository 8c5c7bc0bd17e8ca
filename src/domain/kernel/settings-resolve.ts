/**
 * Settings resolution: configuration file + environment -> `Settings`, or every reason why not.
 *
 * Pure, so that the whole refusal table of T1 is a unit test. The environment wins over the file; defaults
 * come last and depend on the mode, because practice must run with nothing configured while a mode that
 * touches money must be told everything.
 *
 * Promises: all problems at once, each with its path (an environment variable's name, or a path in the file);
 * a secret never appears in a message.
 * Never: reads anything itself; guesses a value that was given but is wrong.
 */
import { Redacted, Result, Schema, SchemaIssue } from "effect"
import { EXTERNAL } from "./settings.ts"
import {
  type AccountSettings,
  type BrokerSettings,
  FeedFile,
  type FeedSettings,
  logLevels,
  type LogFormat,
  type LogLevel,
  type Mode,
  type Role,
  roles,
  type Settings,
  SettingsFile,
  type SettingsProblem,
  type StrategySettings,
  type WaveSettings,
  type WaveSettingsFile
} from "./settings.ts"
import { namesOf } from "./settings-symbols.ts"
import { plainEnvironment, plainSecret } from "./settings-text.ts"
import { scheduleProblem, type WaveSchedule } from "./wave-clock.ts"

export interface SettingsInput {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The parsed configuration file, `undefined` when there is none. */
  readonly file: unknown
  /** The directory relative paths count from. Absolute path. */
  readonly cwd: string
  readonly stdoutIsTerminal: boolean
  readonly resolvePath: (from: string, to: string) => string
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()
const decodeFile = Schema.decodeUnknownResult(SettingsFile, { errors: "all", onExcessProperty: "error" })

const practiceAccounts: Readonly<Record<string, AccountSettings>> = {
  "paper-1": { broker: "practice", startingCash: "100000", calendar: "24x7" },
  "paper-2": { broker: "practice", startingCash: "100000", calendar: "24x7" }
}
const practiceBrokers: Readonly<Record<string, BrokerSettings>> = {
  practice: { kind: "paper", url: null, rule: "U", propagationMs: 2_000 }
}
const practiceStrategies: Readonly<Record<string, StrategySettings>> = {
  default: {
    sources: ["default", "wave"],
    accounts: ["paper-1"],
    engine: "A",
    shadow: null,
    sidePolicy: "both",
    symbols: null,
    quantity: "1",
    stopLossPct: null,
    profitTargetPct: null
  }
}

/** Words of T1 that mark a secret somebody forgot to change. */
const weakWords = ["change", "secret", "default", "example", "password"]

/** Why a secret is weak (T1), or `null`. Never repeats the secret. */
export const weakness = (secret: string): string | null => {
  if (secret.length < 32) return `is ${secret.length} characters long; use at least 32 random ones`
  const lower = secret.toLowerCase()
  const word = weakWords.find((candidate) => lower.includes(candidate))
  if (word !== undefined) return `contains the word "${word}"; use random characters`
  if (new Set(secret).size === 1) return "repeats one character; use random characters"
  return null
}

interface Collected {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly problems: Array<SettingsProblem>
  /** Names of what ended with a line break and was taken without it. */
  readonly trimmed: Array<string>
}

/** An environment variable that is set and not empty; an empty one counts as not set, as shells produce them. */
const variable = (input: Collected, name: string): string | undefined => {
  const value = input.environment[name]
  return value === undefined || value === "" ? undefined : value
}

const oneOf = <A extends string>(
  input: Collected,
  path: string,
  value: string | undefined,
  allowed: ReadonlyArray<A>,
  fallback: A
): A => {
  if (value === undefined) return fallback
  const found = allowed.find((candidate) => candidate === value)
  if (found !== undefined) return found
  input.problems.push({ path, message: `unknown value "${value}"; use one of ${allowed.join(", ")}` })
  return fallback
}

const portOf = (input: Collected, fromFile: number | undefined): number => {
  const text = variable(input, "PORT")
  if (text === undefined) return fromFile ?? 5003
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port >= 0 && port <= 65_535) return port
  input.problems.push({
    path: "PORT",
    message: `"${text}" is not a port; use a whole number from 0 to 65535`
  })
  return 5003
}

/** Roles that have no component: part of the default, which means whatever there is, and refused as a wish. */
const plannedRoles: ReadonlySet<Role> = new Set(["telegram", "monitors"])
const existing = roles.filter((role) => !plannedRoles.has(role))
const plannedVariables = ["TELEGRAM_BOT_TOKEN", "TELEGRAM_API_ROOT", "TELEGRAM_CHAT_IDS"]

/** A setting that would be accepted and do nothing is worse than none: somebody relies on it. */
const notYet = (what: string): string => `${what} does not exist yet: leave it out`

const refusePlanned = (settings: Settings, input: Collected): void => {
  for (const name of plannedVariables) {
    if (variable(input, name) !== undefined)
      input.problems.push({ path: name, message: notYet("what this variable configures") })
  }
  for (const [name, { shadow }] of Object.entries(settings.strategies)) {
    if (shadow !== null)
      input.problems.push({
        path: `strategies.${name}.shadow`,
        message: notYet(`the shadow engine "${shadow}"`)
      })
  }
}

const rolesOf = (input: Collected, fromFile: ReadonlyArray<string> | undefined): ReadonlySet<Role> => {
  const text = variable(input, "ROLES")
  const path = text === undefined ? "roles" : "ROLES"
  const names = text?.split(",").map((name) => name.trim()) ?? fromFile
  if (names === undefined) return new Set(roles)
  const known = new Set<Role>()
  for (const name of names) {
    const role = roles.find((candidate) => candidate === name)
    if (role === undefined) {
      input.problems.push({
        path,
        message: `unknown role "${name}"; use a comma list of ${existing.join(", ")}`
      })
    } else {
      known.add(role)
      if (plannedRoles.has(role)) input.problems.push({ path, message: notYet(`the role "${role}"`) })
    }
  }
  if (known.size === 0 && input.problems.length === 0) {
    input.problems.push({ path, message: "names no role; leave it out to run all of them" })
  }
  return known
}

/** A secret of the file, without the line break a secret store left at its end. */
const secretOfFile = (input: Collected, path: string, text: string | undefined): string | undefined => {
  if (text === undefined) return undefined
  const plain = plainSecret(text)
  if (plain !== text) input.trimmed.push(path)
  if (plain !== "") return plain
  input.problems.push({ path, message: "is empty" })
  return undefined
}

const hostOf = (input: Collected, fromFile: string | undefined): string => {
  const text = variable(input, "HOST")
  const host = text ?? fromFile ?? "127.0.0.1"
  // As it stands in a URL; a socket wants it without the brackets.
  const address = /^\[([\dA-Fa-f:.]+(?:%[\w.-]+)?)\]$/.exec(host)?.[1] ?? host
  if (/[[\]/\s]|^[^:]*:\d+$/.test(address)) {
    input.problems.push({
      path: text === undefined ? "host" : "HOST",
      message: `"${host}" is no host name or address; the port is set by PORT`
    })
  }
  return address
}

const dataDirOf = (input: Collected, fromFile: string | undefined): string => {
  const text = variable(input, "DATA_DIR")
  const name = text ?? fromFile ?? "data"
  // Files of PostgreSQL hold the name as a line of text.
  if (/\p{Cc}/u.test(name.replaceAll("\t", ""))) {
    input.problems.push({
      path: text === undefined ? "dataDir" : "DATA_DIR",
      message: "holds a line break or another control character"
    })
  }
  return name
}

const secretOf = (
  input: Collected,
  name: string,
  key: string,
  fromFile: string | undefined,
  mode: Mode
): Redacted.Redacted<string> | null => {
  const given = variable(input, name)
  const path = given === undefined && fromFile !== undefined ? key : name
  const value = given ?? secretOfFile(input, key, fromFile)
  if (value === undefined) return null
  const weak = mode === "PRACTICE" ? null : weakness(value)
  if (weak !== null) input.problems.push({ path, message: `the secret ${weak}` })
  return Redacted.make(value, { label: name })
}

const secretsOf = (input: Collected, file: SettingsFile, mode: Mode): Settings["secrets"] => ({
  hmac: secretOf(input, "HMAC_SECRET", "hmacSecret", file.hmacSecret, mode),
  webhook: secretOf(input, "WEBHOOK_SECRET", "webhookSecret", file.webhookSecret, mode),
  admin: secretOf(input, "ADMIN_TOKEN", "adminToken", file.adminToken, mode)
})

/** The feed that SIGNAL_WS_URL, and practice mode without it, is. */
const DEFAULT_FEED = "default"
const plainFeed = Schema.decodeSync(FeedFile)({})

/** Feeds of the file; the environment sets address and token of the default one; practice has one of its own. */
const feedsOf = (
  input: Collected,
  fromFile: Readonly<Record<string, FeedFile>> | undefined,
  mode: Mode
): Readonly<Record<string, FeedSettings>> => {
  const url = variable(input, "SIGNAL_WS_URL")
  const token = variable(input, "SIGNAL_WS_TOKEN")
  if (url !== undefined && !(/^wss?:\/\//.test(url) && URL.canParse(url))) {
    input.problems.push({ path: "SIGNAL_WS_URL", message: "must be a URL that starts with ws:// or wss://" })
  }
  const feeds: Record<string, FeedFile> = { ...fromFile }
  const named = feeds[DEFAULT_FEED]
  if (url !== undefined) feeds[DEFAULT_FEED] = { ...(named ?? plainFeed), url }
  else if (fromFile === undefined && mode === "PRACTICE") feeds[DEFAULT_FEED] = plainFeed
  for (const [name, feed] of Object.entries(feeds)) {
    if (feed.url === null && mode !== "PRACTICE") {
      input.problems.push({ path: `feeds.${name}.url`, message: `${mode} needs the address of the feed` })
    }
    if (feed.url !== null && !URL.canParse(feed.url)) {
      input.problems.push({ path: `feeds.${name}.url`, message: "is not a URL" })
    }
  }
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { token: own, ...feed }]) => {
      const text =
        (name === DEFAULT_FEED ? token : undefined) ?? secretOfFile(input, `feeds.${name}.token`, own)
      return [
        name,
        { ...feed, token: text === undefined ? null : Redacted.make(text, { label: "feed token" }) }
      ]
    })
  )
}

/** Practice must show a wave within a minute; elsewhere the schedule of the producers we know. */
const practiceSchedule: WaveSchedule = { periodMs: 60_000, offsetMs: 0, lagMs: 0 }
const defaultSchedule: WaveSchedule = { periodMs: 900_000, offsetMs: 300_000, lagMs: 1_200_000 }

const waveMs = (
  input: Collected,
  variableName: string,
  fromFile: number | undefined,
  fallback: number
): number => {
  const text = variable(input, variableName)
  if (text === undefined) return fromFile ?? fallback
  if (/^\d{1,12}$/.test(text)) return Number(text)
  input.problems.push({ path: variableName, message: `"${text}" is not a whole number of milliseconds` })
  return fallback
}

const wavesOf = (
  input: Collected,
  file: WaveSettingsFile,
  mode: Mode,
  signalAgeMsMax: number
): WaveSettings => {
  const fallback = mode === "PRACTICE" ? practiceSchedule : defaultSchedule
  const schedule = {
    periodMs: waveMs(input, "WAVE_PERIOD_MS", file.periodMs, fallback.periodMs),
    offsetMs: waveMs(input, "WAVE_OFFSET_MS", file.offsetMs, fallback.offsetMs),
    lagMs: waveMs(input, "WAVE_LAG_MS", file.lagMs, fallback.lagMs)
  }
  const problem = scheduleProblem(schedule)
  if (problem !== null) input.problems.push({ path: "waves", message: problem })
  return { schedule, freshMs: file.freshMs ?? signalAgeMsMax }
}

/** Checks between fields: what each strategy and account names must exist, and money needs real guards. */
const crossCheck = (settings: Settings, problems: Array<SettingsProblem>): void => {
  for (const [name, strategy] of Object.entries(settings.strategies)) {
    if (name === EXTERNAL)
      problems.push({
        path: `strategies.${name}`,
        message: "is the name of what no strategy ordered; choose another"
      })
    for (const account of strategy.accounts) {
      if (!Object.hasOwn(settings.accounts, account)) {
        problems.push({ path: `strategies.${name}.accounts`, message: `there is no account "${account}"` })
      }
    }
    for (const source of strategy.sources) {
      if (!Object.hasOwn(settings.sources, source)) {
        problems.push({ path: `strategies.${name}.sources`, message: `there is no source "${source}"` })
      }
    }
  }
  for (const [name, feed] of Object.entries(settings.feeds)) {
    if (!Object.hasOwn(settings.sources, feed.source)) {
      problems.push({ path: `feeds.${name}.source`, message: `there is no source "${feed.source}"` })
    }
  }
  for (const [name, account] of Object.entries(settings.accounts)) {
    if (!Object.hasOwn(settings.brokers, account.broker)) {
      problems.push({ path: `accounts.${name}.broker`, message: `there is no broker "${account.broker}"` })
    }
  }
  if (settings.mode === "PRACTICE") return
  if (settings.secrets.hmac === null && settings.secrets.webhook === null) {
    problems.push({
      path: "HMAC_SECRET",
      message: `${settings.mode} needs HMAC_SECRET or WEBHOOK_SECRET: webhooks must be authenticated`
    })
  }
  if (settings.secrets.admin === null) {
    problems.push({ path: "ADMIN_TOKEN", message: `${settings.mode} does not start with an open admin API` })
  }
  const named = Object.values(settings.accounts).map((account) => settings.brokers[account.broker])
  if (settings.mode === "LIVE" && named.every((broker) => broker === undefined || broker.kind === "paper")) {
    problems.push({ path: "brokers", message: "LIVE needs at least one venue that is not the paper broker" })
  }
}

/** Builds the settings, or names every problem. */
export const resolveSettings = (
  input: SettingsInput
): Result.Result<Settings, ReadonlyArray<SettingsProblem>> => {
  const decoded = decodeFile(input.file ?? {})
  if (Result.isFailure(decoded)) {
    return Result.fail(
      formatIssues(decoded.failure.issue).issues.map((issue) => ({
        path: (issue.path ?? []).map(String).join(".") || "(the whole file)",
        message: issue.message === "Expected no excess property" ? "unknown key" : issue.message
      }))
    )
  }
  const file = decoded.success
  const { environment, trimmed } = plainEnvironment(input.environment)
  const collected: Collected = { environment, problems: [], trimmed: [...trimmed] }
  const mode = oneOf<Mode>(
    collected,
    "APP_MODE",
    variable(collected, "APP_MODE") ?? file.mode,
    ["PRACTICE", "PAPER", "LIVE"],
    "PRACTICE"
  )
  const practice = mode === "PRACTICE"
  const url = variable(collected, "DATABASE_URL") ?? file.databaseUrl
  if (url !== undefined && !/^postgres(ql)?:\/\//.test(url)) {
    collected.problems.push({ path: "DATABASE_URL", message: "must start with postgres:// or postgresql://" })
  }
  // The two sources every installation has: the plain webhook and the wave feed.
  const sources = { default: defaultSource, wave: defaultSource, ...file.sources }
  const settings: Settings = {
    mode,
    host: hostOf(collected, file.host),
    port: portOf(collected, file.port),
    dataDir: input.resolvePath(input.cwd, dataDirOf(collected, file.dataDir)),
    databaseUrl: url === undefined ? null : Redacted.make(url, { label: "DATABASE_URL" }),
    databasePool: file.databasePool ?? 10,
    roles: rolesOf(collected, file.roles),
    secrets: secretsOf(collected, file, mode),
    log: {
      level: oneOf<LogLevel>(
        collected,
        "LOG_LEVEL",
        variable(collected, "LOG_LEVEL") ?? file.logLevel,
        logLevels,
        "info"
      ),
      format: oneOf<LogFormat>(
        collected,
        "LOG_FORMAT",
        variable(collected, "LOG_FORMAT") ?? file.logFormat,
        ["json", "pretty"],
        input.stdoutIsTerminal ? "pretty" : "json"
      )
    },
    corsOrigins: file.corsOrigins,
    sources,
    ...namesOf({ strategies: practice ? practiceStrategies : {}, ...file }, mode, collected.problems),
    accounts: file.accounts ?? (practice ? practiceAccounts : {}),
    brokers: file.brokers ?? (practice ? practiceBrokers : {}),
    feeds: feedsOf(collected, file.feeds, mode),
    risk: file.risk,
    market: file.market,
    waves: wavesOf(collected, file.waves, mode, sources.wave.ageMaxMs),
    trimmed: collected.trimmed
  }
  crossCheck(settings, collected.problems)
  refusePlanned(settings, collected)
  return collected.problems.length === 0 ? Result.succeed(settings) : Result.fail(collected.problems)
}

const defaultSource = {
  timestampIs: "fired",
  metadata: false,
  ageMaxMs: 300_000,
  rateLimit: null,
  ips: null
} as const
