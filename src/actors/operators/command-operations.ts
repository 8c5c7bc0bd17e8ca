/**
 * Commands about components, trading states, alerts, locks and dead letters: what each of them does.
 *
 * Promises: whoever keeps a copy of what a command changed is notified after the change is durable.
 * Never: asks who gives the command, or writes the audit (commands.ts does).
 */
import { Effect } from "effect"
import { type CommandCaller, CommandRefused, type CommandRequest } from "../../domain/control/commands.ts"
import { type ControlCommand, type ControlRefused, UNPROTECTED } from "../../domain/control/control.ts"
import { isUuid } from "../../domain/kernel/ids.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { AccountLeases } from "../../layers/accounts/accounts-lease.port.ts"
import { AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { TradingState } from "../../layers/control/trading-state.port.ts"
import { TradingStateStore } from "../../layers/control/trading-state-store.port.ts"
import { HealthSource } from "../../layers/health/health-source.port.ts"
import { ReadStore } from "../../layers/health/read-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { DeadLetters, REPLAYS_MAX, type Replayed } from "../../layers/signals/dead-letters.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** Names of positions in an answer; more than a screen of them is no use to an operator. */
const shownMax = 20
/** Signals named in an answer; the count is of all of them. */
const namedMax = 50

export const notFound = new CommandRefused({ kind: "not_found", reason: "not_found" })

const refusalOf = ({ message, positions, reason }: ControlRefused): CommandRefused =>
  reason === "not_found"
    ? notFound
    : new CommandRefused({
        kind: "conflict",
        reason,
        ...(message === undefined ? {} : { message }),
        ...(reason === UNPROTECTED
          ? { more: { confirm: UNPROTECTED, positions: positions?.slice(0, shownMax) ?? null } }
          : {})
      })

/** A component that was moved: a line, and an alert when positions are left alone by it. */
const reportControl = (
  command: ControlCommand,
  path: string,
  { by }: CommandCaller,
  reason: string | null,
  unprotected: ReadonlyArray<string> | null
) =>
  Effect.gen(function* () {
    const alone = unprotected === null ? ["what is open could not be read"] : unprotected.slice(0, shownMax)
    const fields = { component: path, command, by, reason, unprotected: alone }
    yield* logEvent("info", "control.done", `${command} of ${path} by ${by}`, fields)
    if (alone.length === 0) return
    const alerts = yield* Alerts
    yield* alerts.raise({
      severity: "HIGH",
      kind: "control.unprotected",
      dedupKey: `control.unprotected:${path}`,
      message: `${path} was paused by ${by} while positions are open: ${alone.join(", ")}`,
      component: path,
      detail: { by, reason }
    })
  })

/** `component.restart`, `component.pause`, `component.resume`. */
export const controlComponent =
  (command: ControlCommand) =>
  ({
    arguments: { confirmed },
    caller,
    reason,
    target: path
  }: CommandRequest<"component.restart" | "component.pause" | "component.resume">) =>
    Effect.gen(function* () {
      const source = yield* HealthSource
      const { unprotected } = yield* source
        .control({ command, path, confirmed })
        .pipe(Effect.catchTag("ControlRefused", (refused) => Effect.fail(refusalOf(refused))))
      yield* reportControl(command, path, caller, reason, unprotected)
      return { status: "ACCEPTED", path, command }
    })

/** `component.send`. */
export const sendToComponent = ({
  arguments: { event },
  caller: { by },
  reason,
  target: path
}: CommandRequest<"component.send">) =>
  Effect.gen(function* () {
    const source = yield* HealthSource
    yield* source
      .send(path, event)
      .pipe(Effect.catchTag("ControlRefused", (refused) => Effect.fail(refusalOf(refused))))
    yield* logEvent("info", "control.sent", `${event} sent to ${path} by ${by}`, {
      component: path,
      command: "send",
      event_sent: event,
      by,
      reason
    })
    return { status: "ACCEPTED", path, event }
  })

/** Why a scope is none of these settings; null when it is one. */
const scopeProblem = ({ accounts, strategies }: Settings, scope: string): string | null => {
  const [kind, ...rest] = scope.split(":")
  const name = rest.join(":")
  if (scope === "global") return null
  const known = kind === "account" ? accounts : kind === "strategy" ? strategies : {}
  return Object.hasOwn(known, name)
    ? null
    : `must be global or one of ${Object.keys(known).slice(0, shownMax).join(", ")}, as ${kind ?? ""}:<name>`
}

export const setTradingState = ({
  arguments: { state },
  caller: { by },
  reason: why,
  target: scope
}: CommandRequest<"trading_state.set">) =>
  Effect.gen(function* () {
    const problem = scopeProblem(yield* Config, scope)
    if (problem !== null)
      return yield* new CommandRefused({
        kind: "invalid",
        reason: "scope_unknown",
        errors: [{ path: "scope", message: problem }]
      })
    const states = yield* TradingStateStore
    const view = yield* TradingState
    const wake = yield* Wake
    const alerts = yield* Alerts
    const reason = why ?? ""
    const row = yield* states.set({ scope, state, reason, changedBy: by })
    view.change(scope, state)
    // Orders held by the old state wait for their accounts to be looked through again, signals for the pipeline.
    wake.notify("signals")
    wake.notify("orders")
    wake.notify("trading-state")
    // Each change is a row of its own (T11): the one before ends with it.
    const dedupKey = `trading_state.changed:${scope}`
    const message =
      scope === "global" ? `trading is ${state}: ${reason}` : `trading of ${scope} is ${state}: ${reason}`
    yield* alerts.resolve(dedupKey, message)
    yield* alerts.raise({
      severity: state === "HALTED" ? "HIGH" : "LOW",
      kind: "trading_state.changed",
      dedupKey,
      message,
      component: "root/http",
      detail: { scope, state },
      standing: true,
      byOperator: true
    })
    return { ...row }
  })

export const acknowledgeAlert = ({
  arguments: { note },
  caller: { by },
  target: id
}: CommandRequest<"alert.acknowledge">) =>
  Effect.gen(function* () {
    const reads = yield* ReadStore
    const row = isUuid(id) ? yield* reads.acknowledgeAlert({ id, by, note }) : null
    return row === null ? yield* notFound : row
  })

/**
 * The fence rises in the database before this process lets go, so that nobody is left who may write; its executor then takes
 * the account again. An owner in another process may be frozen on its way to the wire: until its lease is over, nobody takes it.
 */
export const unlockAccount = ({
  caller: { by },
  reason,
  target: account
}: CommandRequest<"account.unlock">) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const leases = yield* AccountLeases
    const guard = leases.current(account)
    const unlocked = yield* accounts.unlock(account, guard?.grant.owner ?? null)
    if (unlocked === null) return yield* notFound
    const now = leases.current(account)
    if (now !== null && now.grant.fence < unlocked.fence) leases.lose(now)
    const fence = String(unlocked.fence)
    const { freeInMs, owner } = unlocked
    yield* logEvent("warn", "account.unlocked", `${account} was taken from its owner by ${by}`, {
      component: `root/trading/accounts/${account}`,
      account,
      owner,
      fence,
      free_in_ms: freeInMs,
      by,
      reason
    })
    return { status: "ACCEPTED", account, fence, owner, free_in_ms: freeInMs }
  })

const replayed = (outcome: Replayed) =>
  Effect.gen(function* () {
    switch (outcome._tag) {
      case "Missing":
        return yield* notFound
      case "NotDead":
        return yield* new CommandRefused({
          kind: "conflict",
          reason: "not_dead",
          message:
            outcome.status === null
              ? "it is no letter of a signal, so there is nothing to try again"
              : `its signal is ${outcome.status}`
        })
      case "OtherCount":
        return yield* new CommandRefused({
          kind: "conflict",
          reason: "other_count",
          message: `there are ${outcome.count > REPLAYS_MAX ? `more than ${REPLAYS_MAX}` : outcome.count}`,
          more: { count: outcome.count }
        })
      case "Replayed": {
        const wake = yield* Wake
        wake.notify("signals")
        const { signals } = outcome
        return { status: "ACCEPTED", count: signals.length, signals: signals.slice(0, namedMax) }
      }
    }
  })

export const replayDeadLetter = ({ target: id }: CommandRequest<"dead_letter.replay">) =>
  Effect.gen(function* () {
    const letters = yield* DeadLetters
    return isUuid(id) ? yield* replayed(yield* letters.replay(id)) : yield* notFound
  })

export const replayDeadLetters = ({
  arguments: { expect_count: expected, origin, reason }
}: CommandRequest<"dead_letters.replay">) =>
  Effect.gen(function* () {
    const letters = yield* DeadLetters
    if (expected > REPLAYS_MAX)
      return yield* new CommandRefused({
        kind: "invalid",
        reason: "too_many",
        errors: [{ path: "expect_count", message: `must be at most ${REPLAYS_MAX}; narrow the filter` }]
      })
    return yield* replayed(yield* letters.replayAll({ origin, reason }, expected))
  })
