/**
 * health: what the process reports about itself, derived from facts and nothing else (T2).
 *
 * The systems this one replaces had health that was green while trading was dead, because health was a text that
 * somebody wrote. Here it is a pure function of what is observed: the tree, the database, the trading state, the
 * positions. `ready` is about durably storing what the roles of the process take in (webhooks, for most), `can_trade` about
 * new exposure, `status` about whether an operator should look; they are different questions and are answered separately.
 *
 * Promises: the same facts give the same document; every status but healthy comes with its reasons, and so does every
 * process and every account that does not trade.
 * Promises: `intake` (what a post gets) and `ready` never disagree.
 * Never: reads a clock or a component.
 */
import type { CanaryStage } from "../kernel/canary.ts"
import type { SpoolState } from "../intake/spool.ts"
import { intakeOf, type IntakePosture, refusalReasons, spoolReason } from "./intake-posture.ts"
import { isoOf } from "../kernel/iso-time.ts"
import type { Mode } from "../kernel/settings.ts"
import type { TradingStateName } from "../kernel/trading-state.ts"
import { healthLimits } from "../kernel/limits.ts"
import { claimLimits } from "../kernel/limits-signals.ts"
import { stageWords } from "./canary.ts"

export type HealthStatus = "starting" | "healthy" | "degraded" | "unhealthy" | "stopping"

/** One component of the tree; the runtime's tree nodes have this shape. `since` is epoch milliseconds. */
export interface ComponentRow {
  readonly path: string
  readonly type: "worker" | "supervisor" | "dynamic"
  readonly phase:
    | "waiting"
    | "starting"
    | "running"
    | "stopping"
    | "backingOff"
    | "failed"
    | "stopped"
    | "paused"
  readonly state: string
  readonly ready: boolean
  /** `required`: posts cannot be taken durably without it. */
  readonly readiness: "required" | "optional"
  readonly tags: ReadonlyArray<string>
  readonly since: number
  readonly restarts: number
  readonly lastError?: string
  readonly detail: Readonly<Record<string, unknown>>
}

/** A component and what it supervises. */
export interface ComponentNode extends ComponentRow {
  readonly children: ReadonlyArray<ComponentNode>
}

/** How the latest fills of our own orders are linked (A4). */
export interface RecentLinkage {
  readonly ours: number
  readonly linked: number
  /** linked / ours, null while none is ours. */
  readonly rate: number | null
  /** Fills of signals whose source comes with metadata, those that may still get some left out. */
  readonly metadataExpected: number
  readonly withMetadata: number
  /** withMetadata / metadataExpected, null while none is expected. */
  readonly coverage: number | null
}

/** A circuit breaker that is not closed. */
export interface StoppedBreakerFact {
  readonly id: string
  readonly state: string
  readonly byRule: boolean
  readonly by: string
  readonly reason: string | null
  readonly sinceMs: number
  readonly untilMs: number | null
}

/** What became of the last canary (T9). `state` is null before the first has ended. */
export interface CanaryFacts {
  readonly state: CanaryState | null
  /** The stage it has not reached; null when it came through. */
  readonly stage: CanaryStage | null
  readonly lastOkMs: number | null
  readonly latencyMs: number | null
  readonly periodMs: number
  /** From when a first one, or after a halt the next one, could be expected. */
  readonly watchedSinceMs: number
}

export type CanaryState = "ok" | "late" | "failed" | "halted" | "off"

/** The facts. Times are epoch milliseconds. */
export interface HealthFacts {
  readonly nowMs: number
  readonly version: string
  readonly commit: string
  readonly mode: Mode
  readonly stopping: boolean
  /** The step start-up is in; `n` of `of`, from 1. `done`: the last one has ended. */
  readonly startup: {
    readonly step: string
    readonly n: number
    readonly of: number
    readonly sinceMs: number
    readonly done: boolean
  }
  /** `away` covers dead, hung and never reached. */
  readonly database: "ready" | "away"
  /** `full` covers a full disk. */
  readonly spool: SpoolState
  /** Posts in the spool behind which new ones line up. */
  readonly spooled: number
  /** Null until it was read from the database once. */
  readonly tradingState: TradingStateName | null
  /** The undecided signals: how many, how long the oldest has waited, how many are too old. Null while unknown. */
  readonly queue: { readonly open: number; readonly oldestMs: number; readonly expired: number } | null
  /** This process has the role that takes webhooks. */
  readonly takesPosts: boolean
  /** This process has the role that trades. */
  readonly trades: boolean
  /** The accounts of this process; `reason` is why one cannot trade. */
  readonly accounts: ReadonlyArray<{
    readonly id: string
    readonly canTrade: boolean
    readonly reason: string | null
  }>
  /** Circuit breakers that are not closed. `byRule`: failures opened it, not an operator. */
  readonly breakers: ReadonlyArray<StoppedBreakerFact>
  /** What there is to say about calendars whose announced days end. */
  readonly calendars: ReadonlyArray<string>
  /** Symbols (or position names) that are open and without a working exit. */
  readonly unprotected: ReadonlyArray<string>
  /** Null when no canary runs; `off` while a flag switches it off. */
  readonly canary: CanaryFacts | null
  /** What there is to say about features that are switched off. */
  readonly switchedOff: ReadonlyArray<string>
  /** Null while unknown. */
  readonly linkage: RecentLinkage | null
  readonly components: ReadonlyArray<ComponentRow>
}

/** What has to be remembered between two derivations: when the status last changed, and whether it ever was ready. */
export interface HealthMemory {
  readonly status: HealthStatus
  readonly sinceMs: number
  readonly started: boolean
}

/** The document of `GET /health`; times are ISO 8601 in UTC. */
export interface HealthDocument {
  readonly status: HealthStatus
  readonly since: string
  readonly version: string
  readonly commit: string
  readonly mode: Mode
  readonly ready: boolean
  readonly can_trade: boolean
  readonly halted: boolean
  readonly trading_state: TradingStateName | null
  readonly reasons: ReadonlyArray<string>
  readonly startup: {
    readonly step: string
    readonly n: number
    readonly of: number
    readonly since: string
    readonly done: boolean
  }
  readonly canary: CanaryDocument | null
  readonly linkage: {
    readonly fills: number
    readonly rate: number | null
    readonly metadata_coverage: number | null
  } | null
  readonly breakers: Readonly<Record<string, BreakerDocument>>
  readonly accounts: Readonly<Record<string, { readonly can_trade: boolean; readonly reason: string | null }>>
  readonly components: Readonly<Record<string, ComponentDocument>>
}

/** What became of the last canary; `halted` while trading is restricted, since none is sent then, `off` by a flag. */
export interface CanaryDocument {
  readonly state: CanaryState
  readonly last_ok: string | null
  readonly latency_ms: number | null
  readonly stage: CanaryStage | null
}

/** A circuit breaker that is not closed. */
export interface BreakerDocument {
  readonly state: string
  readonly by: string
  readonly reason: string | null
  readonly since: string
  readonly until: string | null
}

export interface ComponentDocument {
  readonly state: string
  readonly ready: boolean
  readonly since: string
  readonly restarts: number
  readonly last_error: string | null
  readonly detail: Readonly<Record<string, unknown>>
}

/** What an unauthenticated caller may know: the status and why, without names of accounts or symbols. */
export interface HealthOutline {
  readonly status: HealthStatus
  readonly ready: boolean
  readonly can_trade: boolean
  readonly reasons: ReadonlyArray<string>
}

export interface Health {
  readonly document: HealthDocument
  /** One component of the document, without building all of them. */
  readonly component: (path: string) => ComponentDocument | undefined
  readonly outline: HealthOutline
  readonly intake: IntakePosture
  /** Status code of `GET /health`. */
  readonly httpStatus: 200 | 503
  readonly memory: HealthMemory
}

/** What is remembered before the first derivation. */
export const healthMemoryAt = (nowMs: number): HealthMemory => ({
  status: "starting",
  sinceMs: nowMs,
  started: false
})

/** Every component of a tree, parents before their children. */
export const componentRows = (root: ComponentNode): ReadonlyArray<ComponentRow> => [
  root,
  ...root.children.flatMap(componentRows)
]

/**
 * Why a component counts against the status; null when it does not. One that ended by design or is switched off
 * (`stopped`) does not. A supervisor counts itself only while it is not running: its children are rows too.
 */
const troubleOf = (row: ComponentRow): string | null => {
  if (row.phase === "stopped" || row.phase === "stopping") return null
  if (row.phase !== "running") return `${row.path} is ${row.phase}`
  if (row.type !== "worker") return null
  if (row.ready && !row.tags.includes("degraded")) return null
  return `${row.path} is ${row.state}`
}

/** While trading is restricted no canary is sent, and none is missing. */
const isCanaryHalted = ({ tradingState }: HealthFacts): boolean =>
  tradingState !== null && tradingState !== "ACTIVE"

const canaryTrouble = (facts: HealthFacts): string | null => {
  const { canary, nowMs } = facts
  if (canary === null || canary.state === "off" || isCanaryHalted(facts)) return null
  const { lastOkMs, periodMs, stage, watchedSinceMs } = canary
  const ageMs = nowMs - Math.max(lastOkMs ?? watchedSinceMs, watchedSinceMs)
  if (ageMs <= healthLimits.canaryPeriodsMax * periodMs) return null
  const seconds = Math.round(ageMs / 1_000)
  const seen =
    lastOkMs === null ? `no canary came through in ${seconds} s` : `the canary was last seen ${seconds} s ago`
  return stage === null ? seen : `${seen}: ${stageWords(stage)}`
}

const canaryDocument = (facts: HealthFacts): CanaryDocument | null => {
  const { canary } = facts
  if (canary === null) return null
  const { lastOkMs, latencyMs, stage } = canary
  const isOff = canary.state === "off"
  const halted = isOff || isCanaryHalted(facts)
  const state = isOff ? "off" : halted ? "halted" : canary.state
  if (state === null) return null
  return {
    state,
    last_ok: lastOkMs === null ? null : isoOf(lastOkMs),
    latency_ms: latencyMs,
    stage: halted ? null : stage
  }
}

/** A backlog (T2): the oldest has waited too long, or more signals are too old than one pass of the pipeline ends. */
const queueTrouble = ({ queue }: HealthFacts): string | null => {
  if (queue === null) return null
  const expired = queue.expired >= claimLimits.expireMax
  if (!expired && queue.oldestMs <= claimLimits.queueAgeMsMax) return null
  const count = queue.open >= claimLimits.backlogCountMax ? `${queue.open} or more` : String(queue.open)
  const signals = `${count} signals are undecided, the oldest for ${Math.round(queue.oldestMs / 1_000)} s`
  return expired ? `${signals}; ${queue.expired} or more are too old to trade` : signals
}

/** What needs attention first: nothing can be taken in, or a position is open and unprotected. */
const severeReasons = (facts: HealthFacts, intake: IntakePosture): ReadonlyArray<string> => {
  if (facts.stopping) return ["the process is stopping"]
  const reasons: Array<string> = []
  if (intake === "refuse") reasons.push(...refusalReasons(facts))
  for (const name of facts.unprotected) reasons.push(`the open position ${name} is not protected`)
  return reasons
}

const mildReasons = (facts: HealthFacts, intake: IntakePosture): ReadonlyArray<string> => {
  const reasons: Array<string> = [...facts.calendars]
  if (intake === "spool") reasons.push(spoolReason(facts))
  if (!facts.startup.done) reasons.push(`start-up is in step ${facts.startup.step}`)
  const canary = canaryTrouble(facts)
  if (canary !== null) reasons.push(canary)
  const queue = queueTrouble(facts)
  if (queue !== null) reasons.push(queue)
  for (const { byRule, id, state } of facts.breakers) {
    if (reasons.length >= healthLimits.reasonsMax) break
    // One that an operator opened is shown, and no trouble, as a trading state is none. Why is in `breakers`: the words of a
    // venue are not for everybody.
    if (byRule) reasons.push(`the circuit breaker ${id} is ${state}`)
  }
  for (const row of facts.components) {
    // What exceeds the bound is shown nowhere, and ten thousand components may all be starting.
    if (reasons.length >= healthLimits.reasonsMax) break
    const trouble = troubleOf(row)
    if (trouble !== null) reasons.push(trouble)
  }
  return reasons
}

const tradingStateReason = ({ tradingState }: HealthFacts): string =>
  `the trading state is ${tradingState ?? "not known yet"}`

/**
 * Why a process in which nothing is wrong does not trade: an operator restricted it, or it has no account to trade. This
 * is no trouble, so it does not affect the status; left out it would be a riddle.
 */
const tradelessReasons = (facts: HealthFacts): ReadonlyArray<string> => {
  if (!facts.trades) return ["this process does not have the role accounts"]
  if (facts.tradingState !== "ACTIVE") return [tradingStateReason(facts)]
  if (facts.accounts.length === 0) return ["no account is configured"]
  return facts.accounts
    .slice(0, healthLimits.reasonsMax)
    .map(({ id, reason }) => `${id}: ${reason ?? "cannot trade"}`)
}

/** Why no account may take on exposure, whatever its own state; null when nothing blocks all of them. */
const blockOf = (facts: HealthFacts, intake: IntakePosture): string | null => {
  if (facts.stopping) return "the process is stopping"
  if (facts.database === "away") return "the database is away"
  if (intake === "refuse")
    return facts.spooled === 0
      ? "a component that intake needs is not ready"
      : "spooled posts have to be stored first"
  if (facts.tradingState !== "ACTIVE") return tradingStateReason(facts)
  const [name] = facts.unprotected
  return name === undefined ? null : `the open position ${name} is not protected`
}

/** Those of these reasons that the troubles do not already contain, verbatim or as part of a longer one. */
const notYetNamed = (
  troubles: ReadonlyArray<string>,
  reasons: ReadonlyArray<string>
): ReadonlyArray<string> =>
  reasons.filter((reason) => !troubles.some((trouble) => trouble.startsWith(reason)))

/** Each account's own answer, with the reason for every no. */
const accountsOf = (facts: HealthFacts, block: string | null): HealthDocument["accounts"] =>
  Object.fromEntries(
    facts.accounts.map(({ canTrade, id, reason }) => {
      const may = block === null && canTrade
      return [id, { can_trade: may, reason: may ? null : (reason ?? block ?? "cannot trade") }]
    })
  )

const breakersOf = ({ breakers }: HealthFacts): HealthDocument["breakers"] =>
  Object.fromEntries(
    breakers.map(({ by, id, reason, sinceMs, state, untilMs }) => [
      id,
      { state, by, reason, since: isoOf(sinceMs), until: untilMs === null ? null : isoOf(untilMs) }
    ])
  )

const idleReasons = (facts: HealthFacts, canTrade: boolean): ReadonlyArray<string> => [
  ...(facts.takesPosts ? [] : ["this process does not have the role http: it takes no webhooks"]),
  ...(canTrade ? [] : tradelessReasons(facts)),
  // Somebody wanted it so: it is shown, and no trouble.
  ...facts.switchedOff
]

const statusOf = (
  facts: HealthFacts,
  started: boolean,
  severe: ReadonlyArray<string>,
  mild: ReadonlyArray<string>
): HealthStatus => {
  if (facts.stopping) return "stopping"
  if (!started) return "starting"
  if (severe.length > 0) return "unhealthy"
  return mild.length > 0 ? "degraded" : "healthy"
}

const componentDocument = (row: ComponentRow): ComponentDocument => ({
  state: row.state,
  ready: row.ready,
  since: isoOf(row.since),
  restarts: row.restarts,
  last_error: row.lastError ?? null,
  detail: row.detail
})

const linkageDocument = (linkage: RecentLinkage | null): HealthDocument["linkage"] =>
  linkage === null ? null : { fills: linkage.ours, rate: linkage.rate, metadata_coverage: linkage.coverage }

/**
 * The document without names. They are removed from the finished reasons and not omitted where each is made, so a reason that
 * is written tomorrow cannot forget it.
 */
const outlineOf = (
  { accounts, can_trade, ready, reasons, status }: HealthDocument,
  unprotected: ReadonlyArray<string>
): HealthOutline => {
  // A name inside another word is that word. Accounts are words and looked up: there may be ten thousand of them.
  const known = new Set(unprotected.flatMap((name) => name.split(/[/ ]/)))
  const names = [...known]
    .filter((name) => !/^[\w-]*$/.test(name))
    .toSorted((a, b) => b.length - a.length)
    .map((name) => name.replaceAll(/[^\w]/g, "\\$&"))
  const other = names.length === 0 ? null : new RegExp(`(?<![\\w-])(?:${names.join("|")})(?![\\w-])`, "g")
  const masked = reasons.map((reason) =>
    (other === null ? reason : reason.replaceAll(other, "*")).replaceAll(/[\w-]+/g, (word) =>
      known.has(word) || Object.hasOwn(accounts, word) ? "*" : word
    )
  )
  return { status, ready, can_trade, reasons: [...new Set(masked)] }
}

/** Built on demand, once: most callers want only the status, and there may be ten thousand components. */
const lazily = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

/**
 * Derives health. `memory` is the one of the derivation before (`healthMemoryAt` at first). `can_trade` is true while
 * at least one account may take on new exposure; each account's own answer stands under `accounts`.
 */
export const deriveHealth = (facts: HealthFacts, memory: HealthMemory): Health => {
  const intake = intakeOf(facts)
  const ready = intake !== "refuse"
  const started = memory.started || ready
  const severe = severeReasons(facts, intake)
  const mild = mildReasons(facts, intake)
  const status = statusOf(facts, started, severe, mild)
  const sinceMs = status === memory.status ? memory.sinceMs : facts.nowMs
  const block = blockOf(facts, intake)
  const canTrade = block === null && facts.accounts.some((account) => account.canTrade)
  const troubles = [...severe, ...mild]
  const reasons =
    troubles.length === 0
      ? idleReasons(facts, canTrade)
      : [
          ...troubles,
          ...(canTrade ? [] : notYetNamed(troubles, block === null ? tradelessReasons(facts) : [block]))
        ]
  const { startup } = facts
  const accounts = lazily(() => accountsOf(facts, block))
  const components = lazily(() =>
    Object.fromEntries(facts.components.map((row) => [row.path, componentDocument(row)]))
  )
  const document: HealthDocument = {
    status,
    since: isoOf(sinceMs),
    version: facts.version,
    commit: facts.commit,
    mode: facts.mode,
    ready,
    can_trade: canTrade,
    halted: facts.tradingState === "HALTED",
    trading_state: facts.tradingState,
    reasons: reasons.slice(0, healthLimits.reasonsMax),
    startup: {
      step: startup.step,
      n: startup.n,
      of: startup.of,
      since: isoOf(startup.sinceMs),
      done: startup.done
    },
    canary: canaryDocument(facts),
    linkage: linkageDocument(facts.linkage),
    breakers: breakersOf(facts),
    get accounts() {
      return accounts()
    },
    get components() {
      return components()
    }
  }
  const outline = lazily(() => outlineOf(document, facts.unprotected))
  const httpStatus = status === "healthy" || status === "degraded" ? 200 : 503
  return {
    document,
    component: (path) => {
      const row = facts.components.find((one) => one.path === path)
      return row === undefined ? undefined : componentDocument(row)
    },
    get outline() {
      return outline()
    },
    intake,
    httpStatus,
    memory: { status, sinceMs, started }
  }
}
