/**
 * Commands: carries out what an operator may do, and leaves nothing of it unsaid (T14).
 *
 * Every attempt goes the same way: is it permitted, is it audited, was it given before under its key, what does it do, what
 * came of it. What a command does is in command-operations.ts and command-orders.ts; here is only the way.
 *
 * Promises: nothing takes effect before its audit row is durable, except a restart of the database component, which must
 * be possible when nothing is durable and is audited afterwards; however an attempt ends, interruption included, its row
 * records it; what is stored of its words holds no secret.
 * Never: knows HTTP; carries a command out twice for one key.
 */
import { Cause, Effect, Exit, Layer, Option } from "effect"
import {
  type CommandArguments,
  type CommandBody,
  type CommandName,
  CommandRefused,
  type CommandRequest,
  mayGive,
  OUTCOME_UNKNOWN,
  scopeOf
} from "../../domain/control/commands.ts"
import type { AccountLeases } from "../../layers/accounts/accounts-lease.port.ts"
import type { AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import type { Alerts } from "../../layers/alerts/alerts.port.ts"
import type { Outbox } from "../../layers/alerts/outbox.port.ts"
import type { TradingState } from "../../layers/control/trading-state.port.ts"
import type { TradingStateStore } from "../../layers/control/trading-state-store.port.ts"
import type { HealthSource } from "../../layers/health/health-source.port.ts"
import type { ReadStore } from "../../layers/health/read-store.port.ts"
import type { BreakerStore } from "../../layers/orders/breaker-store.port.ts"
import type { Breakers } from "../../layers/orders/breakers.port.ts"
import type { FillsStore } from "../../layers/orders/fills-store.port.ts"
import type { Market } from "../../layers/market/market.port.ts"
import type { OrdersStore } from "../../layers/orders/orders-store.port.ts"
import type { RiskFigures } from "../../layers/orders/risk-figures.port.ts"
import type { StageStore } from "../../layers/orders/stage-store.port.ts"
import type { OrderCommands } from "../../layers/orders/order-commands.port.ts"
import type { Wake } from "../../layers/platform/wake.port.ts"
import type { Replay } from "../../layers/intake/replay.port.ts"
import type { DeadLetters } from "../../layers/signals/dead-letters.port.ts"
import { canonicalJson, type JsonObject } from "../../domain/kernel/canonical-json.ts"
import { auditId, commandId, digest128 } from "../../domain/kernel/ids.ts"
import { commandLimits } from "../../domain/control/command-limits.ts"
import { controlLimits } from "../../domain/kernel/limits.ts"
import { type Mask, maskedRecord } from "../../domain/kernel/redaction.ts"
import {
  type AuditEnd,
  type AuditEntry,
  AuditStore,
  type StoredRefusal
} from "../../layers/control/audit-store.port.ts"
import { type CommandAnswer, Commands } from "../../layers/control/commands.port.ts"
import type { DatabaseError } from "../../layers/database/database.port.ts"
import { settingsMask } from "../../layers/platform/config-mask.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { ControlToken } from "../../layers/platform/control-token.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { type AuditKeeper, makeAuditKeeper } from "./audit-keeper.ts"
import { answerOrder } from "./command-approvals.ts"
import * as breakers from "./command-breakers.ts"
import { setStage } from "./command-stages.ts"
import { runDrill } from "./command-drill.ts"
import { testSink } from "./command-sinks.ts"
import { testTelegram } from "./telegram-self-test.ts"
import type { TelegramStore } from "../../layers/operators/telegram-store.port.ts"
import type { DrillControl } from "./drill-control.ts"
import * as operations from "./command-operations.ts"
import * as orders from "./command-orders.ts"
import * as settings from "./command-settings.ts"
import type { SettingsControl } from "./reloader.ts"
import * as refused from "./command-refused.ts"

type Handlers<R> = {
  readonly [Name in keyof CommandArguments]: (
    request: CommandRequest<Name>,
    made: orders.Made
  ) => Effect.Effect<CommandBody, CommandRefused | DatabaseError, R>
}

/** Everything that the handlers use. */
type Services =
  | AccountLeases
  | AccountsStore
  | Alerts
  | Breakers
  | BreakerStore
  | Config
  | DeadLetters
  | DrillControl
  | FillsStore
  | HealthSource
  | Market
  | OrderCommands
  | OrdersStore
  | Outbox
  | ReadStore
  | Replay
  | RiskFigures
  | StageStore
  | SettingsControl
  | TelegramStore
  | TradingState
  | TradingStateStore
  | Wake

/** What each command does: the third list beside those of the domain and of the wire. */
const handlers: Handlers<Services> = {
  "component.restart": operations.controlComponent("restart"),
  "component.pause": operations.controlComponent("pause"),
  "component.resume": operations.controlComponent("resume"),
  "component.send": operations.sendToComponent,
  "trading_state.set": operations.setTradingState,
  "alert.acknowledge": operations.acknowledgeAlert,
  "account.unlock": operations.unlockAccount,
  "breaker.open": breakers.operateBreaker("open"),
  "breaker.close": breakers.operateBreaker("close"),
  "strategy.demote": setStage("shadow"),
  "strategy.promote": setStage("live"),
  "dead_letter.replay": operations.replayDeadLetter,
  "dead_letters.replay": operations.replayDeadLetters,
  "drill.run": runDrill,
  "sink.test": testSink,
  "telegram.test": testTelegram,
  "refused_post.replay": refused.replayRefusedPost,
  "refused_posts.replay": refused.replayRefusedPosts,
  "settings.reload": settings.reloadSettings,
  "settings.back": settings.revertSettings,
  "settings.write": settings.writeSettings,
  "order.cancel": orders.cancelOrder,
  "order.approve": answerOrder("approved"),
  "order.decline": answerOrder("declined"),
  "order.resolve": orders.resolveOrder,
  "position.close": orders.closePosition,
  "position.adopt": orders.adoptPosition,
  "account.flatten": orders.flattenAccount
}

interface Parts {
  readonly audit: AuditStore["Service"]
  readonly keeper: AuditKeeper
  readonly mask: Mask
  readonly life: () => string | null
  /** Attempts of this process so far. */
  readonly nextAttempt: () => number
}

type Attempt = Omit<CommandRequest, "arguments"> & { readonly arguments: CommandBody }

/** Text of a caller as it may be stored: without secrets, and such that PostgreSQL takes it. */
const storable = ({ mask }: Parts, text: string, lengthMax: number): string =>
  mask(text).replaceAll("\0", "").slice(0, lengthMax).toWellFormed()

/** What the audit keeps of the arguments. An edited file may bring a secret, which no mask knows before it is in force. */
const audited = ({ arguments: given, command }: Attempt): CommandBody =>
  command === "settings.write" && typeof given["text"] === "string"
    ? { ...given, text: `${given["text"].length} characters` }
    : given

const entryOf = (parts: Parts, life: string, request: Attempt): AuditEntry => {
  const { caller, command, key, reason, requestId, target } = request
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- plain JSON, by the types of the arguments
  const body = { command, target, reason, arguments: request.arguments } as JsonObject
  const fingerprint = digest128("command.body", [canonicalJson(body)])
  const id = auditId(life, parts.nextAttempt())
  return {
    id,
    command,
    scope: storable(parts, scopeOf(command, target), commandLimits.scopeLengthMax),
    arguments: maskedRecord(parts.mask, audited(request)),
    reason: reason === null ? null : parts.mask(reason),
    by: caller.by,
    means: caller.means,
    address: caller.address,
    requestId,
    key,
    fingerprint,
    // A repetition finds what the first attempt made, also when that one was cut off.
    commandId: key === null ? id : commandId(key, fingerprint),
    life
  }
}

const unavailable = (message: string): CommandRefused =>
  new CommandRefused({ kind: "unavailable", reason: "unavailable", message })

const refusalEnd = ({ errors, kind, message, more, reason }: CommandRefused): AuditEnd => {
  const stored: StoredRefusal = {
    kind,
    reason,
    ...(message === "" ? {} : { message }),
    ...(errors === undefined ? {} : { errors }),
    ...(more === undefined ? {} : { more })
  }
  return { result: "refused", reason: message === "" ? reason : message, answer: { ...stored } }
}

/** What is known of an attempt by how its effect ended. */
const endOf = (
  exit: Exit.Exit<CommandBody, CommandRefused | DatabaseError | Cause.TimeoutError>
): AuditEnd => {
  if (Exit.isSuccess(exit)) return { result: "accepted", reason: null, answer: exit.value }
  if (Exit.hasInterrupts(exit))
    return { result: "interrupted", reason: "it was stopped while it was carried out", answer: null }
  const error = Option.getOrNull(Cause.findErrorOption(exit.cause))
  if (error === null)
    return {
      result: "failed",
      reason: Cause.pretty(exit.cause).split("\n")[0]?.slice(0, 500) ?? "",
      answer: null
    }
  if (error._tag === "CommandRefused") return refusalEnd(error)
  return { result: "failed", reason: error.message, answer: null }
}

const levels = { accepted: "info", refused: "info", failed: "warn", interrupted: "warn" } as const

/** One line for each attempt. What an operator does is never an error (T11). */
const logEnd = (entry: AuditEntry, end: AuditEnd) => {
  const { by, command, id, key, reason, requestId, scope } = entry
  return logEvent(
    levels[end.result],
    `command.${end.result}`,
    `${command} of ${scope} by ${by}: ${end.reason ?? "done"}`,
    {
      component: "root",
      correlation_id: entry.commandId,
      command,
      scope,
      by,
      reason,
      result_reason: end.reason,
      audit_id: id,
      request_id: requestId,
      ...(key === null ? {} : { idempotency_key: key })
    }
  )
}

/** Runs the command; however it ends, its row records that before anybody is answered. */
const carryOut = (
  parts: Parts,
  entry: AuditEntry,
  effect: Effect.Effect<CommandBody, CommandRefused | DatabaseError>
): Effect.Effect<CommandAnswer, CommandRefused> =>
  Effect.suspend(() => {
    faultPoint(FAULT_POINTS.commandBegun, entry.scope)
    return effect
  }).pipe(
    Effect.tap(() => Effect.sync(() => faultPoint(FAULT_POINTS.commandDone, entry.scope))),
    Effect.timeout(controlLimits.commandMsMax),
    Effect.onExit((exit) => {
      const end = endOf(exit)
      return Effect.andThen(logEnd(entry, end), parts.keeper.end(entry, end))
    }),
    Effect.map((body) => ({ body, repeated: false })),
    Effect.catchTag(["DatabaseUnavailable", "TimeoutError"], (error) =>
      Effect.fail(
        new CommandRefused({
          kind: "unavailable",
          reason: OUTCOME_UNKNOWN,
          message: `nobody knows whether it was carried out: ${error.message}`
        })
      )
    ),
    Effect.catchTag("DatabaseFault", Effect.die)
  )

/** The answer that stands under a key. */
const again = (end: AuditEnd): Effect.Effect<CommandAnswer, CommandRefused> => {
  if (end.result === "accepted") return Effect.succeed({ body: end.answer ?? {}, repeated: true })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by `refusalEnd`
  const refusal = (end.answer ?? { kind: "conflict", reason: "refused" }) as unknown as StoredRefusal
  return Effect.fail(new CommandRefused(refusal))
}

const conflict = (reason: string, message: string): CommandRefused =>
  new CommandRefused({ kind: "conflict", reason, message })

/** What may be carried out although nothing can be written: what brings the database back. */
const needsNoDatabase = ({ command, target }: Attempt): boolean =>
  command === "component.restart" && target === "root/database"

/**
 * Writes the row; answers what stands under the key instead, if something does. An attempt with the same key that goes on
 * is waited for.
 */
const begin = (parts: Parts, entry: AuditEntry) =>
  Effect.gen(function* () {
    for (let waited = 0; ; waited += commandLimits.repeatLookMs) {
      const begun = yield* parts.audit.begin(entry)
      if (begun._tag === "Begun") return null
      if (begun.fingerprint !== entry.fingerprint)
        return yield* conflict(
          "key_reused",
          "this idempotency key was used for another command, or another body"
        )
      if (begun.end !== null) return begun.end
      if (waited >= commandLimits.repeatMsMax)
        return yield* conflict("in_progress", "the first command with this idempotency key goes on")
      yield* Effect.sleep(commandLimits.repeatLookMs)
    }
  })

const give = (
  parts: Parts,
  request: Attempt,
  effect: (entry: AuditEntry) => Effect.Effect<CommandBody, CommandRefused | DatabaseError>
) =>
  Effect.gen(function* () {
    const life = parts.life()
    if (life === null) return yield* unavailable("this process does not hold its data directory yet")
    const entry = entryOf(parts, life, request)
    const { permission } = request.caller
    if (permission === null || !mayGive(permission, request.command)) {
      const refused = new CommandRefused({
        kind: "forbidden",
        reason: "permission",
        message: "an operator may do this"
      })
      // Its key stays free: who may do it can still be given it.
      yield* parts.keeper.refuse({ ...entry, key: null }, refusalEnd(refused))
      return yield* refused
    }
    const begun = yield* Effect.result(begin(parts, entry))
    if (begun._tag === "Success")
      return begun.success === null
        ? yield* carryOut(parts, entry, effect(entry))
        : yield* again(begun.success)
    const error = begun.failure
    if (error._tag === "CommandRefused") {
      yield* parts.keeper.refuse({ ...entry, key: null }, refusalEnd(error))
      return yield* error
    }
    if (error._tag === "DatabaseFault") return yield* Effect.die(error)
    if (!needsNoDatabase(request)) {
      // Its row may have been written all the same, and its answer lost: then this ends it, and the key is free again.
      const end = {
        result: "refused",
        reason: "it could not be audited, so it was not carried out",
        answer: null
      } as const
      yield* logEnd(entry, end)
      yield* parts.keeper.later({ ...entry, key: null }, end)
      return yield* unavailable(
        "nothing was done: what cannot be audited is not carried out, and the database does not answer"
      )
    }
    const late = { ...entry, key: null }
    return yield* carryOut(parts, late, effect(late))
  })

export const commandsLayer = Layer.effect(
  Commands,
  Effect.gen(function* () {
    const configuration = yield* Config
    const token = yield* ControlToken
    const instance = yield* Instance
    const audit = yield* AuditStore
    const context = yield* Effect.context<Services>()
    const configured = settingsMask(configuration)
    let attempts = 0
    const parts: Parts = {
      audit,
      keeper: yield* makeAuditKeeper,
      mask: (text) => configured(token.mask(text)),
      life: () => instance.current()?.life ?? null,
      nextAttempt: () => (attempts += 1)
    }
    return Commands.of({
      give: <Name extends CommandName>(request: CommandRequest<Name>) =>
        give(parts, { ...request, arguments: { ...request.arguments } }, (entry) =>
          Effect.provide(handlers[request.command](request, { commandId: entry.commandId }), context)
        ),
      noteStranger: ({ caller, command, reason, requestId, target }) =>
        Effect.suspend(() => {
          const life = parts.life()
          if (life === null) return Effect.void
          const request = { command, target, caller, requestId, reason: null, key: null, arguments: {} }
          return parts.keeper.refuse(entryOf(parts, life, request), {
            result: "refused",
            reason: storable(parts, reason, commandLimits.refusalLengthMax),
            answer: null
          })
        }),
      keepAudit: parts.keeper.look
    })
  })
)
