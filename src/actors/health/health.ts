/**
 * Health wiring: what is observed of the running process, as the facts health is derived from.
 *
 * The rules are in domain/health/health.ts and the endpoints in layers; this only observes the tree, the start-up, the
 * database, the trading state, the open positions.
 *
 * Promises: answers from the first moment of the process, before there is a tree; costs one walk over the tree.
 * Never: caches a fact or waits for a component.
 */
import { Clock, Effect, Layer } from "effect"
import { allClosedReason } from "../../domain/kernel/calendar.ts"
import { endingCalendars } from "../../domain/kernel/settings-calendars.ts"
import { machineOf } from "../../domain/health/past.ts"
import {
  type CanaryFacts,
  componentRows,
  type HealthDocument,
  type HealthFacts
} from "../../domain/health/health.ts"
import { switchedOff } from "../../domain/health/switched-off.ts"
import { isOn } from "../../domain/kernel/flags.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { settingsMask } from "../../layers/platform/config-mask.ts"
import { journalFact, journalText, journalValue } from "../../domain/platform/journal.ts"
import type { TradingStateName } from "../../domain/kernel/trading-state.ts"
import { Build } from "../../layers/platform/build.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { ControlToken } from "../../layers/platform/control-token.port.ts"
import { Journal } from "../../layers/platform/journal.port.ts"
import { Instance, type Standing } from "../../layers/platform/instance.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import {
  type ActorRow,
  HealthSource,
  makeHealthSource,
  TreeDeaf
} from "../../layers/health/health-source.port.ts"
import { CanaryFigures } from "../../layers/health/canary.port.ts"
import { IntakeQueue } from "../../layers/intake/intake-queue.port.ts"
import { Spool, type SpoolService } from "../../layers/intake/spool.port.ts"
import { LinkageFigures } from "../../layers/health/linkage.port.ts"
import { Breakers, type BreakersService } from "../../layers/orders/breakers.port.ts"
import { Lifecycle } from "../../layers/platform/lifecycle.port.ts"
import { PositionsStore } from "../../layers/orders/positions-store.port.ts"
import { Protection, type ProtectionService } from "../../layers/orders/protection.port.ts"
import { SignalQueue } from "../../layers/decision/signal-queue.port.ts"
import { TradingState } from "../../layers/control/trading-state.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import type { TreeNode } from "../../runtime/tree.ts"
import { byHand } from "./by-hand.ts"
import { controlOf } from "./control.ts"
import { RunningTree } from "../platform/running-tree.ts"
import { Startup, type StartupService } from "../platform/startup.ts"

/** The components below `path`, by their ids: thousands looked up by paths made for it would be most of a look. */
const childrenOf = (root: TreeNode | null, path: string): ReadonlyMap<string, TreeNode> => {
  let node: TreeNode | undefined = root ?? undefined
  for (const id of path.split("/").slice(1)) node = node?.children.find((child) => child.id === id)
  return new Map(node?.children.map((child) => [child.id, child]))
}

/** Which accounts of this process may take on exposure: their executor, their broker, the market, the pipeline and the hour. */
const accountsOf = (
  settings: Settings,
  root: TreeNode | null,
  protection: ProtectionService,
  nowMs: number,
  standing: Standing,
  stateOf: (scope: string) => TradingStateName | null,
  stopped: HealthFacts["breakers"]
): HealthFacts["accounts"] => {
  if (!settings.roles.has("accounts")) return []
  const trading = childrenOf(root, "root/trading")
  const brokers = childrenOf(root, "root/trading/brokers")
  const executors = childrenOf(root, "root/trading/accounts")
  /** The reason for a component that is not ready; null for one that is. */
  const missing = (node: TreeNode | undefined, below: string, id: string): string | null =>
    node?.ready === true ? null : `root/trading/${below}${id} is ${node?.state ?? "not there"}`
  // A symbol may trade by a calendar of its own, whatever the account's says (T2: closed is an account all of whose calendars are).
  const instrumentCalendars = Object.values(settings.instruments).flatMap(({ calendar }) => calendar ?? [])
  const shared =
    missing(trading.get("market"), "", "market") ?? missing(trading.get("pipeline"), "", "pipeline")
  return Object.entries(settings.accounts).map(([id, account]) => {
    const executor = executors.get(id)
    // Its executor is as ready as it can be; whether the account trades is for the other process to report.
    if (executor?.tags.includes("standby") === true) {
      const cloned = standing._tag === "Cloned"
      const reason = cloned
        ? "another process runs as this node: DATA_DIR was copied"
        : "held by another process"
      return { id, canTrade: false, reason }
    }
    if (!protection.brokerAnswers(id)) return { id, canTrade: false, reason: "the broker does not answer" }
    const because =
      missing(executor, "accounts/", id) ??
      missing(brokers.get(account.broker), "brokers/", account.broker) ??
      shared
    if (because !== null) return { id, canTrade: false, reason: because }
    if (!account.enabled) return { id, canTrade: false, reason: `accounts.${id}.enabled is false` }
    const state = stateOf(`account:${id}`)
    if (state !== null && state !== "ACTIVE")
      return { id, canTrade: false, reason: `the trading state of account:${id} is ${state}` }
    const open = stopped.find((breaker) => breaker.id === `broker:${account.broker}`)
    if (open !== undefined)
      return { id, canTrade: false, reason: `the circuit breaker ${open.id} is ${open.state}` }
    const reason = allClosedReason([account.calendar, ...instrumentCalendars], nowMs)
    return { id, canTrade: reason === null, reason }
  })
}

const startupOf = ({ progress }: StartupService): HealthFacts["startup"] => {
  const steps = progress.steps()
  const last = steps.at(-1)
  const current = progress.current() ?? steps.find(({ state }) => state === "waiting") ?? last
  return {
    step: current?.step ?? "none",
    n: current?.n ?? 0,
    of: steps.length,
    sinceMs: current?.since ?? 0,
    done: progress.complete()
  }
}

const stoppedBreakers = (seen: ReturnType<BreakersService["current"]>): HealthFacts["breakers"] =>
  [...(seen?.values() ?? [])].flatMap(({ breaker }) =>
    breaker.state === "CLOSED"
      ? []
      : [
          {
            id: breaker.id,
            state: breaker.state,
            byRule: !breaker.manual,
            by: breaker.changedBy,
            reason: breaker.reason,
            sinceMs: breaker.openedAtMs ?? breaker.changedAtMs,
            untilMs: breaker.cooldownUntilMs
          }
        ]
  )

/** Before it is known whether the database is there nothing is spooled, and nothing is known of what is. */
const spoolState = (spool: SpoolService): HealthFacts["spool"] =>
  spool.look().fault?.kind ?? (spool.takes() ? "usable" : "none")

const actorRows = (node: TreeNode): ReadonlyArray<ActorRow> => [
  {
    ...node,
    machine: machineOf(node.path, node.type),
    budget: node.group ?? node.budget,
    mailbox: node.mailbox ?? null,
    nextAt: node.nextAt ?? null
  },
  ...node.children.flatMap(actorRows)
]

const levels = {
  starting: "info",
  healthy: "info",
  degraded: "warn",
  unhealthy: "error",
  stopping: "info"
} as const

/** One line per change of the status, with its reasons and those that ended. */
const logChange = (now: HealthDocument, before: HealthDocument | null) => {
  const { reasons, status } = now
  const was = before?.status ?? "starting"
  return logEvent(
    levels[status],
    "health.changed",
    `health is ${status}${reasons.length === 0 ? "" : `: ${reasons.join("; ")}`}`,
    {
      component: "root",
      status,
      was,
      reasons,
      reasons_before: before?.reasons ?? [],
      ready: now.ready,
      can_trade: now.can_trade,
      ...(before === null ? {} : { lasted_ms: Date.parse(now.since) - Date.parse(before.since) })
    }
  )
}

/** The same for the journal; reasons may repeat what peers wrote. */
const changeFact = (mask: Mask, now: HealthDocument, before: HealthDocument | null, at: number) =>
  journalFact({
    type: "health",
    at,
    path: "root",
    event: "health.changed",
    from: before?.status ?? "starting",
    to: now.status,
    since: before === null ? null : Date.parse(before.since),
    cause: now.reasons.length === 0 ? null : journalText(mask(now.reasons.join("; "))),
    detail: {
      ready: now.ready,
      can_trade: now.can_trade,
      trading_state: now.trading_state,
      reasons: journalValue(mask, now.reasons)
    }
  })

/** As it was last seen, but for one that a flag switches off: that is known before its component has noticed. */
const canaryOf = (seen: CanaryFacts | null, { flags }: Settings): CanaryFacts | null =>
  seen === null || isOn(flags, "canary") ? seen : { ...seen, state: "off" }

/** Implements the `HealthSource` port from the running tree. */
export const healthSourceLayer = Layer.effect(
  HealthSource,
  Effect.gen(function* () {
    const settings = yield* Config
    const build = yield* Build
    const running = yield* RunningTree
    const startup = yield* Startup
    const lifecycle = yield* Lifecycle
    const database = yield* Database
    const queue = yield* IntakeQueue
    const spool = yield* Spool
    const trading = yield* TradingState
    const protection = yield* Protection
    const breakers = yield* Breakers
    const signals = yield* SignalQueue
    const positions = yield* PositionsStore
    const instance = yield* Instance
    const linkage = yield* LinkageFigures
    const canary = yield* CanaryFigures
    const clock = yield* Clock.Clock
    const journal = yield* Journal
    const token = yield* ControlToken
    const configured = settingsMask(settings)
    const mask: Mask = (text) => configured(token.mask(text))
    const root = running.snapshot
    const run = Effect.runSyncWith(yield* Effect.context<never>())
    return makeHealthSource({
      changed: (now, before) => run(logChange(now, before)),
      turned: (now, before) => journal.record(changeFact(mask, now, before, clock.currentTimeMillisUnsafe())),
      facts: () => {
        const node = root()
        const nowMs = clock.currentTimeMillisUnsafe()
        const stopped = stoppedBreakers(breakers.current())
        return {
          nowMs,
          ...build,
          mode: settings.mode,
          stopping: lifecycle.stopping(),
          startup: startupOf(startup),
          // A frozen server refuses nothing: the intake's overdue commit reveals it first.
          database: database.availability.current() === "available" && !queue.stalled() ? "ready" : "away",
          spool: spoolState(spool),
          spooled: spool.takesAll() ? spool.look().posts : 0,
          tradingState: trading.current(),
          queue: signals.current(),
          takesPosts: settings.roles.has("http"),
          trades: settings.roles.has("accounts"),
          breakers: stopped,
          calendars: settings.roles.has("accounts")
            ? endingCalendars(settings, nowMs).map(({ message }) => message)
            : [],
          accounts: accountsOf(settings, node, protection, nowMs, instance.standing(), trading.of, stopped),
          unprotected: protection.unprotected(nowMs).map(({ account, symbol }) => `${account}/${symbol}`),
          canary: canaryOf(canary.current(), settings),
          switchedOff: switchedOff(settings),
          linkage: linkage.current(),
          components: node === null ? [] : componentRows(node)
        }
      },
      ping: (deadlineMs) =>
        Effect.suspend(() => running.tree()?.ping(deadlineMs) ?? Effect.void).pipe(
          Effect.mapError(({ path }) => new TreeDeaf({ path, deadlineMs }))
        ),
      actors: () => {
        const node = root()
        return node === null ? [] : actorRows(node)
      },
      timers: (path) => running.tree()?.timers(path) ?? [],
      control: controlOf({ settings, positions, tree: running.tree }),
      ...byHand({ settings, tree: running.tree })
    })
  })
)
