/**
 * Settings resolution: configuration file + environment -> `Settings`, or every reason why not.
 *
 * Pure, so that the whole refusal table of T1 is a unit test. The environment is laid over the file and the whole is decoded
 * once, so that a value is judged by one rule wherever it came from. Defaults that depend on the mode come last, because
 * practice must run with nothing configured while a mode that touches money needs everything set explicitly.
 *
 * Promises: all problems at once, each with its path (an environment variable's name, or a path in the file);
 * a secret never appears in a message.
 * Never: reads anything itself; guesses a value that was given but is wrong.
 * Failure: the list of problems.
 */
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import { expectedProblems } from "../../domain/kernel/settings-expected.ts"
import { nameProblems } from "../../domain/kernel/settings-names.ts"
import { BigDecimal, Redacted, Result } from "effect"
import { decimal } from "../../domain/kernel/decimal.ts"
import {
  PRACTICE_SOURCE,
  practiceAccounts,
  practiceBrokers,
  practiceStrategies
} from "../../domain/kernel/practice-defaults.ts"
import {
  type FeedSettings,
  type Mode,
  type Settings,
  type SettingsProblem,
  type TelegramSettings,
  type WaveSettings
} from "../../domain/kernel/settings.ts"
import { weakness } from "../../domain/kernel/settings-secrets.ts"
import { namesOf } from "../../domain/kernel/settings-symbols.ts"
import { type Environment, plainEnvironment, plainSecret } from "../../domain/kernel/settings-text.ts"
import { scheduleProblem, type WaveSchedule } from "../../domain/kernel/wave-clock.ts"
import { decode } from "../../wire/problems.ts"
import { plainFeed, settingsFile, type SettingsFile, variables } from "../../wire/settings.ts"
import { plainBreaker } from "../../wire/settings-risk.ts"
import { sourceFile, withPreset } from "../../wire/settings-source.ts"
import { alertsOf } from "./config.alerts.ts"
import { engineProblems, votersOf } from "./config.engines.ts"
import { type SecretsInput, sourcesOf, unauthenticated } from "./config.sources.ts"
import { networkProblem } from "./networks.node.ts"

export interface SettingsInput {
  readonly environment: Environment
  /** The parsed configuration file, `undefined` when there is none. */
  readonly file: unknown
  /** The directory relative paths count from. Absolute path. */
  readonly cwd: string
  readonly stdoutIsTerminal: boolean
  readonly resolvePath: (from: string, to: string) => string
  /** The text of the file of a secret, by its absolute path; or why it cannot be read. */
  readonly readSecret: (path: string) => Result.Result<string, string>
}

/** Enough to watch; more is a load, which `npm run chaos` and the benchmarks make. */
const PRACTICE_SIGNAL_MS_MIN = 1_000

interface Collected {
  readonly environment: Environment
  readonly problems: Array<SettingsProblem>
  /** Names of what ended with a line break and was read without it. */
  readonly trimmed: Array<string>
  /** What a person wrote: the variable that a setting came from, else its path in the file. */
  readonly nameOf: (path: string) => string
}

/** An environment variable that is set and not empty; an empty one counts as not set, as shells produce them. */
const variable = (environment: Environment, name: string): string | undefined => {
  const value = environment[name]
  return value === undefined || value === "" ? undefined : value
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** `id`, `id:viewer` and `id:operator`, separated by commas, as the setting `telegram.chats`. */
const chatsOf = (text: string): unknown =>
  Object.fromEntries(
    text.split(",").map((one) => {
      const [id = "", ...role] = one.trim().split(":")
      return [id, role.length === 0 ? {} : { role: role.join(":") }]
    })
  )

/** The text of a variable as the value of its setting; what is not a number stays text, which the schema refuses. */
const valueOf = (name: string, text: string): unknown => {
  if (name === "ROLES") return text.split(",").map((role) => role.trim())
  if (name === "TELEGRAM_CHAT_IDS") return chatsOf(text)
  const isNumber = name === "PORT" || name === "PRACTICE_SIGNAL_MS" || name.startsWith("WAVE_")
  return isNumber && /^\d{1,12}$/.test(text) ? Number(text) : text
}

/** `value` put at `path` of an object, whose other fields stay; what is not an object in between is replaced. */
const laidOver = (given: unknown, [key = "", ...rest]: ReadonlyArray<string>, value: unknown): unknown => {
  const around = isObject(given) ? given : {}
  const inner = Object.hasOwn(around, key) ? around[key] : undefined
  return { ...around, [key]: rest.length === 0 ? value : laidOver(inner, rest, value) }
}

/** The sources of a file with the keys of their presets, and what each names itself. */
const presetsUnder = (given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { sources } = given
  if (!isObject(sources)) return given
  const laid = Object.entries(sources).map(([name, source]) => [name, withPreset(source)] as const)
  return { ...given, sources: Object.fromEntries(laid) }
}

const keysOfSource = (file: unknown, name: string): ReadonlySet<string> => {
  const sources = isObject(file) ? file["sources"] : undefined
  const source = isObject(sources) && Object.hasOwn(sources, name) ? sources[name] : undefined
  return new Set(isObject(source) ? Object.keys(source) : [])
}

/** The file with the environment over it, and which variables were set. */
const overlay = (file: unknown, environment: Environment) => {
  const set = Object.entries(variables).filter(([name]) => variable(environment, name) !== undefined)
  const given = file ?? {}
  if (!isObject(given)) return { given, set }
  return {
    given: set.reduce<unknown>(
      (whole, [name, path]) =>
        laidOver(whole, path.split("."), valueOf(name, variable(environment, name) ?? "")),
      presetsUnder(given)
    ),
    set
  }
}

const hostOf = (input: Collected, host: string): string => {
  // As written in a URL; a socket wants it without the brackets.
  const address = /^\[([\dA-Fa-f:.]+(?:%[\w.-]+)?)\]$/.exec(host)?.[1] ?? host
  if (/[[\]/\s]|^[^:]*:\d+$/.test(address)) {
    input.problems.push({
      path: input.nameOf("host"),
      message: `"${host}" is not a host name or address; the port is set by PORT`
    })
  }
  return address
}

const dataDirOf = (input: Collected, name: string): string => {
  // Files of PostgreSQL hold the name as a line of text.
  if (/\p{Cc}/u.test(name.replaceAll("\t", ""))) {
    input.problems.push({
      path: input.nameOf("dataDir"),
      message: "contains a line break or another control character"
    })
  }
  return name
}

/** A secret, without the trailing line break left by a secret store. */
const secretAt = (
  input: Collected,
  path: string,
  text: string | undefined
): Redacted.Redacted<string> | null => {
  if (text === undefined) return null
  const plain = plainSecret(text)
  if (plain !== text) input.trimmed.push(path)
  if (plain === "") input.problems.push({ path: input.nameOf(path), message: "is empty" })
  return Redacted.make(plain, { label: path })
}

/** What finding secrets that are given by reference needs. */
const secretsIn = ({ environment, problems, trimmed }: Collected, input: SettingsInput): SecretsInput => ({
  environment,
  readSecret: (path) => input.readSecret(input.resolvePath(input.cwd, path)),
  problems,
  trimmed
})

/** Whether practice mode sends signals of its own. */
const sendsItself = ({ mode, practice }: SettingsFile): boolean =>
  mode === "PRACTICE" && practice.signalEveryMs > 0

/**
 * The sources: those of the file, the two that every installation has, the plain webhook and the wave feed, and that of practice
 * signals where there are any.
 */
const sourcesIn = (
  references: SecretsInput,
  { file: given }: SettingsInput,
  file: SettingsFile,
  secrets: Settings["secrets"]
) => {
  const plain = sourceFile.parse({})
  const own: SettingsFile["sources"] = sendsItself(file)
    ? { [PRACTICE_SOURCE]: plain, ...file.sources }
    : file.sources
  return sourcesOf(
    { ...references, mode: file.mode, hmac: secrets.hmac, webhook: secrets.webhook },
    { default: plain, wave: plain, ...own },
    (name) => keysOfSource(given, name)
  )
}

const proxiesOf = ({ problems }: Collected, entries: ReadonlyArray<string>): ReadonlyArray<string> => {
  for (const [at, entry] of entries.entries()) {
    const message = networkProblem(entry)
    if (message !== null) problems.push({ path: `trustedProxies.${at}`, message })
  }
  return entries
}

const secretsOf = (input: Collected, file: SettingsFile): Settings["secrets"] => {
  const strong = (path: "hmacSecret" | "webhookSecret" | "adminToken") => {
    const secret = secretAt(input, path, file[path])
    const weak = secret === null || file.mode === "PRACTICE" ? null : weakness(Redacted.value(secret))
    if (weak !== null) input.problems.push({ path: input.nameOf(path), message: `the secret ${weak}` })
    return secret
  }
  return { hmac: strong("hmacSecret"), webhook: strong("webhookSecret"), admin: strong("adminToken") }
}

/** Feeds of the file and the environment; practice mode has a built-in one. */
const feedsOf = (input: Collected, { feeds, mode }: SettingsFile): Readonly<Record<string, FeedSettings>> => {
  const own = feeds ?? (mode === "PRACTICE" ? { default: plainFeed } : {})
  return Object.fromEntries(
    Object.entries(own).map(([name, given]) => {
      const { token, ...feed } = { token: undefined, ...given }
      if (feed.url === null && mode !== "PRACTICE") {
        const how = name === "default" ? ": set SIGNAL_WS_URL" : ""
        input.problems.push({
          path: `feeds.${name}.url`,
          message: `${mode} needs the address of the feed${how}`
        })
      }
      return [name, { ...feed, token: secretAt(input, `feeds.${name}.token`, token) }]
    })
  )
}

/** The bot. A token that Telegram could not have made would be refused by it forever. */
const telegramOf = (input: Collected, { telegram }: SettingsFile): TelegramSettings => {
  const { token, ...rest } = { token: undefined, ...telegram }
  const secret = secretAt(input, "telegram.token", token)
  if (secret !== null && !/^\d{1,16}:[\w-]{20,}$/.test(Redacted.value(secret)))
    input.problems.push({
      path: input.nameOf("telegram.token"),
      message: "must be a number, a colon and at least 20 letters, as BotFather writes it"
    })
  return { ...rest, token: secret }
}

/** Practice must show a wave within a minute; elsewhere the schedule of the producers we know. */
const practiceSchedule: WaveSchedule = { periodMs: 60_000, offsetMs: 0, lagMs: 0 }
const defaultSchedule: WaveSchedule = { periodMs: 900_000, offsetMs: 300_000, lagMs: 1_200_000 }

const wavesOf = (input: Collected, { mode, waves }: SettingsFile, signalAgeMsMax: number): WaveSettings => {
  const fallback = mode === "PRACTICE" ? practiceSchedule : defaultSchedule
  const schedule = {
    periodMs: waves.periodMs ?? fallback.periodMs,
    offsetMs: waves.offsetMs ?? fallback.offsetMs,
    lagMs: waves.lagMs ?? fallback.lagMs
  }
  const problem = scheduleProblem(schedule)
  if (problem !== null) input.problems.push({ path: "waves", message: problem })
  return { schedule, freshMs: waves.freshMs ?? signalAgeMsMax }
}

/** The collar of an exit must not be tighter than that of an entry (T6). */
const checkScopes = ({ risk }: Settings, problems: Array<SettingsProblem>): void => {
  for (const [scope, { priceCollarPct, priceCollarReducePct }] of Object.entries(risk.scopes)) {
    if (
      priceCollarPct !== null &&
      priceCollarReducePct !== null &&
      BigDecimal.isLessThan(decimal(priceCollarReducePct), decimal(priceCollarPct))
    )
      problems.push({
        path: `risk.scopes.${scope}.priceCollarReducePct`,
        message: "must not be less than priceCollarPct: orders that close must pass before orders that open"
      })
  }
}

/** A cooldown that doubles must not begin above its own bound. */
const checkBreakers = ({ risk }: Settings, problems: Array<SettingsProblem>): void => {
  for (const [id, { cooldownMs, cooldownMsMax }] of Object.entries(risk.breakers))
    if (cooldownMs > cooldownMsMax)
      problems.push({
        path: `risk.breakers.${id}.cooldownMsMax`,
        message: `must not be less than cooldownMs, ${cooldownMs}`
      })
}

/** A size by risk needs a stop whose distance is known before the entry. */
const checkSizing = ({ strategies }: Settings, problems: Array<SettingsProblem>): void => {
  for (const [name, { exits, sizing, stopLossPct }] of Object.entries(strategies))
    if (
      sizing?.by === "riskPct" &&
      (stopLossPct ?? exits?.trailingPct ?? exits?.trailingAmount ?? null) === null
    )
      problems.push({
        path: `strategies.${name}.sizing.by`,
        message: "riskPct needs a stop: stopLossPct, exits.trailingPct or exits.trailingAmount"
      })
}

/** An entry that is sent when nobody answers has to be young enough for it then. */
const checkApproval = ({ sources, strategies }: Settings, problems: Array<SettingsProblem>): void => {
  for (const [name, { approval, sources: taken }] of Object.entries(strategies)) {
    const ages = taken.map((source) => sources[source]?.ageMaxMs ?? ageLimits.signalAgeMsDefault)
    if (approval?.otherwise === "allow" && approval.deadlineMs >= Math.min(...ages))
      problems.push({
        path: `strategies.${name}.approval.deadlineMs`,
        message: `must be less than ageMaxMs of its sources, ${Math.min(...ages)}: at the deadline the signal would be too old`
      })
  }
}

/** What is wrong with signals of our own: they are for practice, and somebody must take them. */
const practiceProblem = ({ mode, practice, strategies }: Settings): string | null => {
  const { signalEveryMs } = practice
  if (signalEveryMs === 0) return null
  if (mode !== "PRACTICE") return `${mode} has no signals of its own: leave it out`
  if (signalEveryMs < PRACTICE_SIGNAL_MS_MIN) return `must be 0 or at least ${PRACTICE_SIGNAL_MS_MIN}`
  const takes = Object.values(strategies).some(({ sources }) => sources.includes(PRACTICE_SOURCE))
  return takes ? null : `no strategy takes the source "${PRACTICE_SOURCE}"`
}

const checkPractice = (settings: Settings, input: Collected): void => {
  const message = practiceProblem(settings)
  if (message !== null) input.problems.push({ path: input.nameOf("practice.signalEveryMs"), message })
}

/** Checks between fields: what each strategy and account names must exist, and money needs real guards. */
const crossCheck = (settings: Settings, problems: Array<SettingsProblem>): void => {
  problems.push(...nameProblems(settings), ...expectedProblems(settings))
  checkScopes(settings, problems)
  checkBreakers(settings, problems)
  checkSizing(settings, problems)
  checkApproval(settings, problems)
  if (settings.mode === "PRACTICE") return
  problems.push(...unauthenticated(settings))
  if (settings.secrets.admin === null) {
    problems.push({ path: "ADMIN_TOKEN", message: `${settings.mode} does not start with an open admin API` })
  }
  const named = Object.values(settings.accounts).map((account) => settings.brokers[account.broker])
  if (settings.mode === "LIVE" && named.every((broker) => broker === undefined || broker.kind === "paper")) {
    problems.push({ path: "brokers", message: "LIVE needs at least one venue that is not the paper broker" })
  }
}

/** The settings that are what the file says, or their default. */
const asWritten = (file: SettingsFile) => {
  const { canary, databasePool, flags, linkage, market, panel, port, practice, resources, retention, spool } =
    file
  return { canary, databasePool, flags, linkage, market, panel, port, practice, resources, retention, spool }
}

/** Builds the settings, or names every problem. */
export const resolveSettings = (
  input: SettingsInput
): Result.Result<Settings, ReadonlyArray<SettingsProblem>> => {
  const { environment, trimmed } = plainEnvironment(input.environment)
  const { given, set } = overlay(input.file, environment)
  const nameOf = (path: string): string =>
    set.find(([, setting]) => path === setting || path.startsWith(`${setting}.`))?.[0] ?? path
  const read = decode(settingsFile, given, { what: "key" })
  if (!read.ok) {
    const problems = read.errors.map(({ message, path }) => ({
      path: nameOf(path) || "(the whole file)",
      message
    }))
    return Result.fail([...new Map(problems.map((problem) => [problem.path, problem])).values()])
  }
  const file = read.value
  const collected: Collected = { environment, problems: [], trimmed: [...trimmed], nameOf }
  const mode: Mode = file.mode
  const practice = mode === "PRACTICE"
  const secrets = secretsOf(collected, file)
  const references = secretsIn(collected, input)
  const sources = sourcesIn(references, input, file, secrets)
  const dataDir = input.resolvePath(input.cwd, dataDirOf(collected, file.dataDir))
  const settings: Settings = {
    ...asWritten(file),
    mode,
    host: hostOf(collected, file.host),
    dataDir,
    databaseUrl:
      file.databaseUrl === undefined ? null : Redacted.make(file.databaseUrl, { label: "DATABASE_URL" }),
    roles: new Set(file.roles),
    secrets,
    log: { level: file.logLevel, format: file.logFormat ?? (input.stdoutIsTerminal ? "pretty" : "json") },
    corsOrigins: file.corsOrigins,
    trustedProxies: proxiesOf(collected, file.trustedProxies),
    sources,
    ...namesOf(
      {
        symbols: file.symbols,
        instruments: file.instruments,
        strategies: file.strategies ?? (practice ? practiceStrategies(sendsItself(file)) : {})
      },
      mode,
      collected.problems
    ),
    accounts: file.accounts ?? (practice ? practiceAccounts : {}),
    brokers: file.brokers ?? (practice ? practiceBrokers : {}),
    feeds: feedsOf(collected, file),
    risk: {
      ...file.risk,
      breakers: { broker: plainBreaker, strategy: plainBreaker, ...file.risk.breakers }
    },
    waves: wavesOf(collected, file, sources.wave.ageMaxMs),
    telegram: telegramOf(collected, file),
    alerts: alertsOf({ ...references, mode, dataDir }, file.alerts),
    voters: votersOf({ ...references, mode }, file.voters),
    trimmed: collected.trimmed
  }
  crossCheck(settings, collected.problems)
  collected.problems.push(...engineProblems(settings))
  checkPractice(settings, collected)
  return collected.problems.length === 0 ? Result.succeed(settings) : Result.fail(collected.problems)
}
