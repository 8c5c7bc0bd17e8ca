/** The one way that every command goes: permission, audit, key, effect, result. What each of them does is tested elsewhere. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { DrillControl } from "../../../src/actors/operators/drill-control.ts"
import { SettingsControl } from "../../../src/actors/operators/reloader.ts"
import { commandsLayer } from "../../../src/actors/operators/commands.ts"
import {
  type CommandCaller,
  type CommandRefused,
  OUTCOME_UNKNOWN
} from "../../../src/domain/control/commands.ts"
import { commandLimits } from "../../../src/domain/control/command-limits.ts"
import { controlLimits } from "../../../src/domain/kernel/limits.ts"
import { AccountLeases } from "../../../src/layers/accounts/accounts-lease.port.ts"
import { AccountsStore } from "../../../src/layers/accounts/accounts-store.port.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Outbox } from "../../../src/layers/alerts/outbox.port.ts"
import { TelegramStore } from "../../../src/layers/operators/telegram-store.port.ts"
import { AuditStore, type AuditStoreService } from "../../../src/layers/control/audit-store.port.ts"
import { Commands } from "../../../src/layers/control/commands.port.ts"
import { TradingState } from "../../../src/layers/control/trading-state.port.ts"
import {
  TradingStateStore,
  type TradingStateStoreService
} from "../../../src/layers/control/trading-state-store.port.ts"
import { DatabaseFault, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { HealthSource, type HealthSourceService } from "../../../src/layers/health/health-source.port.ts"
import { ReadStore } from "../../../src/layers/health/read-store.port.ts"
import { BreakerStore } from "../../../src/layers/orders/breaker-store.port.ts"
import { StageStore } from "../../../src/layers/orders/stage-store.port.ts"
import { layerBreakers } from "../../support/breakers.ts"
import { FillsStore } from "../../../src/layers/orders/fills-store.port.ts"
import { Market } from "../../../src/layers/market/market.port.ts"
import { OrdersStore } from "../../../src/layers/orders/orders-store.port.ts"
import { RiskFigures } from "../../../src/layers/orders/risk-figures.port.ts"
import { OrderCommands } from "../../../src/layers/orders/order-commands.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { ControlToken } from "../../../src/layers/platform/control-token.port.ts"
import { Replay } from "../../../src/layers/intake/replay.port.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { DeadLetters } from "../../../src/layers/signals/dead-letters.port.ts"
import { settingsFor } from "../../layers/api/http-world.ts"
import { rungOf } from "../../support/bells.ts"
import { makeMemoryAudit } from "../../support/audit-store.memory.ts"

const away = new DatabaseUnavailable({
  operation: "test",
  reason: "connection",
  outcome: "not_applied",
  cause: "gone"
})

interface Options {
  readonly set?: TradingStateStoreService["set"]
  readonly control?: HealthSourceService["control"]
  readonly audit?: Partial<AuditStoreService>
}

const secret = "correct-horse-battery-staple-0123456789"

/** The entry over an audit in memory, and one command whose effect the test decides. */
const world = ({ audit: broken = {}, control, set }: Options = {}) =>
  Effect.gen(function* () {
    const audit = makeMemoryAudit()
    const alerts: Array<Alert> = []
    const instance = makeInstance()
    instance.assign({ nodeId: "node", bootId: "boot" })
    let sets = 0
    const unused = <A>(): A => ({}) as unknown as A
    const layer = commandsLayer.pipe(
      Layer.provide(
        Layer.mergeAll(
          Layer.succeed(AuditStore, { ...audit, ...broken }),
          Layer.succeed(Config, settingsFor({ HMAC_SECRET: secret })),
          Layer.succeed(ControlToken, {
            current: () => null,
            file: null,
            open: Effect.succeed(null),
            mask: (text) => text
          }),
          Layer.succeed(Instance, instance),
          Layer.succeed(Alerts, {
            raise: (alert) => Effect.sync(() => void alerts.push(alert)),
            resolve: () => Effect.void,
            resolveAllBut: () => Effect.void,
            draft: Effect.die("nothing is committed with its alert"),
            takePending: () => [],
            putBack: () => undefined,
            counts: () => ({ raised: 0, pending: 0, dropped: 0 })
          }),
          Layer.mock(SettingsControl, { write: () => Effect.succeed({ _tag: "Refused", problems: [] }) }),
          Layer.mock(DrillControl, {}),
          Layer.succeed(HealthSource, {
            ...unused<HealthSourceService>(),
            control: control ?? (() => Effect.succeed({ unprotected: [] }))
          }),
          Layer.succeed(TradingStateStore, {
            read: Effect.succeed([]),
            set: (change) =>
              Effect.andThen(
                Effect.sync(() => (sets += 1)),
                set?.(change) ??
                  Effect.succeed({
                    scope: change.scope,
                    state: change.state,
                    reason: change.reason,
                    changed_by: change.changedBy,
                    version: sets,
                    changed_at: "2026-01-01T00:00:00.000Z"
                  })
              )
          }),
          Layer.succeed(ReadStore, unused()),
          Layer.succeed(FillsStore, unused()),
          Layer.succeed(OrderCommands, unused()),
          Layer.mock(OrdersStore, {}),
          Layer.succeed(Market, unused()),
          RiskFigures.layer,
          Layer.succeed(DeadLetters, unused()),
          Layer.succeed(Replay, unused()),
          Layer.succeed(AccountsStore, unused()),
          Layer.succeed(BreakerStore, unused()),
          Layer.succeed(StageStore, unused()),
          Layer.mock(Outbox, {}),
          Layer.mock(TelegramStore, {}),
          AccountLeases.layer,
          TradingState.layer,
          layerBreakers
        )
      ),
      Layer.provideMerge(Wake.layer)
    )
    const context = yield* Layer.build(layer)
    const commands = yield* Effect.provide(Commands, context)
    const halt = ({ caller = operator, key = null, reason = "drill", scope = "global" }: Given = {}) =>
      commands.give({
        command: "trading_state.set",
        target: scope,
        arguments: { state: "HALTED" },
        reason,
        caller,
        requestId: "r-1",
        key
      })
    const rung = Effect.provide(rungOf(["signals", "orders", "trading-state"]), context)
    return { alerts, audit, commands, halt, rung, sets: () => sets }
  })

interface Given {
  readonly caller?: CommandCaller
  readonly key?: string | null
  readonly reason?: string
  readonly scope?: string
}

const operator: CommandCaller = {
  by: "api:127.0.0.1",
  origin: "api",
  means: "token",
  address: "127.0.0.1",
  permission: "operator"
}
const viewer: CommandCaller = { ...operator, means: "local", permission: "viewer" }

const kindOf = (effect: Effect.Effect<unknown, CommandRefused>) =>
  Effect.map(Effect.flip(Effect.as(effect, "carried out")), (refused) => [refused.kind, refused.reason])

describe("a command", () => {
  it.effect("is in the audit before it takes effect, and with its result afterwards", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      let look = (): void => undefined
      const { audit, halt } = yield* world({
        set: () =>
          Effect.andThen(
            Effect.sync(() => look()),
            Effect.fail(away)
          )
      })
      look = () => void seen.push(audit.rows[0]?.end)
      assert.deepStrictEqual(yield* kindOf(halt()), ["unavailable", OUTCOME_UNKNOWN])
      assert.deepStrictEqual(seen, [null])
      const { alerts, audit: audit2, halt: again, rung } = yield* world()
      const { body, repeated } = yield* again()
      // Who waits for signals, holds orders or keeps a view of the state looks at once.
      assert.deepStrictEqual(yield* rung, ["signals", "orders", "trading-state"])
      assert.deepStrictEqual([body["state"], repeated], ["HALTED", false])
      const [row] = audit2.rows
      assert.deepInclude(row, {
        command: "trading_state.set",
        scope: "global",
        reason: "drill",
        by: "api:127.0.0.1",
        means: "token",
        requestId: "r-1",
        life: "node/boot"
      })
      assert.deepStrictEqual(row?.arguments, { state: "HALTED" })
      assert.deepInclude(row?.end, { result: "accepted", reason: null })
      assert.deepInclude(alerts[0], { kind: "trading_state.changed", severity: "HIGH" })
      assert.deepInclude(audit.rows[0]?.end, { result: "failed" })
    }).pipe(Effect.scoped)
  )

  it.effect("without permission is refused, audited, and leaves its key to who may give it", () =>
    Effect.gen(function* () {
      const { audit, halt, sets } = yield* world()
      assert.deepStrictEqual(yield* kindOf(halt({ caller: viewer, key: "k" })), ["forbidden", "permission"])
      assert.deepStrictEqual(yield* kindOf(halt({ caller: { ...viewer, permission: null } })), [
        "forbidden",
        "permission"
      ])
      assert.strictEqual(sets(), 0)
      assert.deepStrictEqual(
        audit.rows.map(({ end, key, means }) => [end?.result, key, means]),
        [
          ["refused", null, "local"],
          ["refused", null, "local"]
        ]
      )
      assert.isFalse((yield* halt({ key: "k" })).repeated)
    }).pipe(Effect.scoped)
  )

  it.effect("in the wrong state is refused with its reason, and repeated with it under its key", () =>
    Effect.gen(function* () {
      const { audit, halt, sets } = yield* world()
      const wrong = { key: "k", scope: "account:nobody" }
      assert.deepStrictEqual(yield* kindOf(halt(wrong)), ["invalid", "scope_unknown"])
      const again = yield* Effect.flip(Effect.as(halt(wrong), "done"))
      assert.strictEqual(again.errors?.[0]?.path, "scope")
      assert.deepStrictEqual(
        audit.rows.map(({ end }) => end?.result),
        ["refused"]
      )
      assert.strictEqual(sets(), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps no secret in its row, wherever somebody wrote one", () =>
    Effect.gen(function* () {
      const { audit, commands, halt } = yield* world()
      yield* halt({ reason: `the key is ${secret}` })
      yield* Effect.ignore(
        commands.give({
          command: "alert.acknowledge",
          target: secret,
          arguments: { note: secret },
          reason: null,
          caller: operator,
          requestId: "r",
          key: null
        })
      )
      assert.lengthOf(audit.rows, 2)
      const { by, arguments: given, reason, scope } = audit.rows[1] ?? {}
      assert.notInclude(JSON.stringify([audit.rows[0]?.reason, by, given, reason, scope]), secret)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "keeps of an edited configuration file its length, as no mask knows a secret that is new in it",
    () =>
      Effect.gen(function* () {
        const { audit, commands } = yield* world()
        yield* Effect.ignore(
          commands.give({
            command: "settings.write",
            target: "settings",
            arguments: { text: '{ "adminToken": "brand-new" }', file_version: "v" },
            reason: "a new token",
            caller: operator,
            requestId: "r",
            key: null
          })
        )
        assert.notInclude(JSON.stringify(audit.rows), "brand-new")
        assert.deepInclude(audit.rows[0]?.arguments, { text: "29 characters", file_version: "v" })
      }).pipe(Effect.scoped)
  )
})

describe("a command with a key", () => {
  it.effect("is carried out once, and answered as the first time for as often as it comes", () =>
    Effect.gen(function* () {
      const { audit, halt, sets } = yield* world()
      const first = yield* halt({ key: "k" })
      const second = yield* halt({ key: "k" })
      assert.deepStrictEqual([second.repeated, second.body], [true, first.body])
      assert.strictEqual(sets(), 1)
      assert.deepStrictEqual(
        audit.rows.map(({ end, key }) => [end?.result, key]),
        [["accepted", "k"]]
      )
      assert.isFalse((yield* halt({ key: "other" })).repeated)
      assert.isFalse((yield* halt()).repeated)
    }).pipe(Effect.scoped)
  )

  it.effect("is a conflict with another body, and the first answer stays", () =>
    Effect.gen(function* () {
      const { audit, halt, sets } = yield* world()
      yield* halt({ key: "k" })
      for (const other of [{ reason: "another" }, { scope: "account:paper-1" }])
        assert.deepStrictEqual(yield* kindOf(halt({ key: "k", ...other })), ["conflict", "key_reused"])
      assert.isTrue((yield* halt({ key: "k" })).repeated)
      assert.strictEqual(sets(), 1)
      // The attempts are on record, under no key.
      assert.deepStrictEqual(
        audit.rows.map(({ end, key }) => [end?.result, key]),
        [
          ["accepted", "k"],
          ["refused", null],
          ["refused", null]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("waits for the same one that goes on, and gets its answer", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { halt, sets } = yield* world({
        set: ({ changedBy, ...change }) =>
          Effect.as(Deferred.await(gate), { ...change, changed_by: changedBy, version: 7, changed_at: "x" })
      })
      const first = yield* Effect.forkChild(halt({ key: "k" }), { startImmediately: true })
      const second = yield* Effect.forkChild(halt({ key: "k" }), { startImmediately: true })
      yield* TestClock.adjust(commandLimits.repeatMsMax / 2)
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust(commandLimits.repeatLookMs)
      const [one, two] = [yield* Fiber.join(first), yield* Fiber.join(second)]
      assert.deepStrictEqual([one.repeated, two.repeated, two.body], [false, true, one.body])
      assert.strictEqual(sets(), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("does not wait forever", () =>
    Effect.gen(function* () {
      const { halt } = yield* world({ set: () => Effect.never })
      yield* Effect.forkChild(halt({ key: "k" }), { startImmediately: true })
      const second = yield* Effect.forkChild(kindOf(halt({ key: "k" })), { startImmediately: true })
      yield* TestClock.adjust(commandLimits.repeatMsMax + commandLimits.repeatLookMs)
      assert.deepStrictEqual(yield* Fiber.join(second), ["conflict", "in_progress"])
    }).pipe(Effect.scoped)
  )

  it.effect("that failed, or was cut off, is carried out again under the id of the first", () =>
    Effect.gen(function* () {
      let tries = 0
      const { audit, halt } = yield* world({
        set: ({ changedBy, ...change }) => {
          tries += 1
          if (tries === 1) return Effect.fail(away)
          if (tries === 2) return Effect.never
          return Effect.succeed({ ...change, changed_by: changedBy, version: 1, changed_at: "x" })
        }
      })
      assert.deepStrictEqual(yield* kindOf(halt({ key: "k" })), ["unavailable", OUTCOME_UNKNOWN])
      const cut = yield* Effect.forkChild(halt({ key: "k" }), { startImmediately: true })
      yield* Fiber.interrupt(cut)
      assert.isFalse((yield* halt({ key: "k" })).repeated)
      assert.deepStrictEqual(
        audit.rows.map(({ end }) => end?.result),
        ["failed", "interrupted", "accepted"]
      )
      assert.lengthOf(new Set(audit.rows.map(({ commandId }) => commandId)), 1)
      assert.lengthOf(new Set(audit.rows.map(({ id }) => id)), 3)
    }).pipe(Effect.scoped)
  )
})

describe("a command that takes too long", () => {
  it.effect("ends as failed, and says that nobody knows", () =>
    Effect.gen(function* () {
      const { audit, halt } = yield* world({ set: () => Effect.never })
      const waiting = yield* Effect.forkChild(Effect.flip(Effect.as(halt(), "done")), {
        startImmediately: true
      })
      yield* TestClock.adjust(controlLimits.commandMsMax)
      assert.include((yield* Fiber.join(waiting)).message, "nobody knows")
      assert.deepInclude(audit.rows[0]?.end, { result: "failed" })
    }).pipe(Effect.scoped)
  )
})

describe("without a database", () => {
  const nowhere = { begin: () => Effect.fail(away), end: () => Effect.fail(away) }
  const restart = (path: string) => ({
    command: "component.restart" as const,
    target: path,
    arguments: { confirmed: false },
    reason: null,
    caller: operator,
    requestId: "r",
    key: "k"
  })

  it.effect("nothing is carried out that cannot be audited, and the answer says so", () =>
    Effect.gen(function* () {
      let isBack = false
      const memory = makeMemoryAudit()
      const { commands, halt, sets } = yield* world({
        // What was begun is there, and its answer was lost.
        audit: {
          begin: (entry) => Effect.andThen(memory.begin(entry), Effect.fail(away)),
          end: (entry, end) => (isBack ? memory.end(entry, end) : Effect.fail(away))
        }
      })
      const refused = yield* Effect.flip(Effect.as(halt(), "done"))
      assert.strictEqual(refused.kind, "unavailable")
      assert.include(refused.message, "nothing was done")
      assert.strictEqual(sets(), 0)
      assert.deepStrictEqual(yield* kindOf(commands.give(restart("root/trading"))), [
        "unavailable",
        "unavailable"
      ])
      isBack = true
      yield* commands.keepAudit(false)
      assert.deepStrictEqual(
        memory.rows.map(({ end, scope }) => [scope, end?.result]),
        [
          ["global", "refused"],
          ["component:root/trading", "refused"]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("its component is restarted all the same, and that is audited when it is back", () =>
    Effect.gen(function* () {
      let isBack = false
      const asked: Array<string> = []
      const audit = makeMemoryAudit()
      const { commands } = yield* world({
        control: ({ path }) => Effect.sync(() => (asked.push(path), { unprotected: [] })),
        audit: { ...nowhere, end: (entry, end) => (isBack ? audit.end(entry, end) : Effect.fail(away)) }
      })
      yield* commands.give(restart("root/database"))
      assert.deepStrictEqual(asked, ["root/database"])
      yield* commands.keepAudit(false)
      assert.lengthOf(audit.rows, 0)
      isBack = true
      yield* commands.keepAudit(false)
      yield* commands.keepAudit(false)
      assert.deepStrictEqual(
        audit.rows.map(({ end, key, scope }) => [scope, key, end?.result]),
        [["component:root/database", null, "accepted"]]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("an effect that took place is written later; what does not fit is logged", () =>
    Effect.gen(function* () {
      const memory = makeMemoryAudit()
      let isBack = false
      const { commands, halt } = yield* world({
        audit: {
          begin: memory.begin,
          end: (entry, end) => (isBack ? memory.end(entry, end) : Effect.fail(away))
        }
      })
      for (let n = 0; n <= commandLimits.pendingEndsMax; n += 1) yield* halt({ key: `k-${n}` })
      isBack = true
      yield* commands.keepAudit(false)
      const ends = memory.rows.map(({ end }) => end?.result ?? "begun")
      assert.strictEqual(ends.filter((end) => end === "accepted").length, commandLimits.pendingEndsMax)
      assert.strictEqual(ends[0], "begun")
    }).pipe(Effect.scoped)
  )
})

describe("an end that the database refuses for good", () => {
  it.effect("is logged and lost alone: what waits behind it is written", () =>
    Effect.gen(function* () {
      const memory = makeMemoryAudit()
      let isBack = false
      const fault = new DatabaseFault({
        operation: "audit.end",
        cause: new Error("a row it does not take"),
        sqlState: undefined,
        uniqueViolation: undefined
      })
      const { commands, halt } = yield* world({
        audit: {
          begin: memory.begin,
          end: (entry, end) =>
            isBack ? (entry.key === "k-0" ? Effect.fail(fault) : memory.end(entry, end)) : Effect.fail(away)
        }
      })
      yield* halt({ key: "k-0" })
      yield* halt({ key: "k-1" })
      isBack = true
      yield* commands.keepAudit(false)
      assert.deepStrictEqual(
        memory.rows.map(({ end, key }) => [key, end?.result ?? "begun"]),
        [
          ["k-0", "begun"],
          ["k-1", "accepted"]
        ]
      )
    }).pipe(Effect.scoped)
  )
})

describe("who proved nothing", () => {
  it.effect("is noted, and a thousand of them are twenty rows a minute", () =>
    Effect.gen(function* () {
      const { audit, commands } = yield* world()
      const stranger = {
        command: "account.flatten" as const,
        target: "paper-1",
        caller: { ...operator, means: "none" as const, permission: null },
        requestId: "r",
        reason: "not authenticated"
      }
      for (let n = 0; n < 1_000; n += 1) yield* commands.noteStranger(stranger)
      assert.lengthOf(audit.rows, commandLimits.strangersMax)
      assert.deepInclude(audit.rows[0], { scope: "account:paper-1", means: "none" })
      assert.deepInclude(audit.rows[0]?.end, { result: "refused", reason: "not authenticated" })
      yield* TestClock.adjust(commandLimits.strangersPerMs)
      yield* commands.noteStranger(stranger)
      assert.lengthOf(audit.rows, commandLimits.strangersMax + 1)
    }).pipe(Effect.scoped)
  )
})

describe("attempts of a process that is gone", () => {
  it.effect("are told and alerted when the audit is looked through", () =>
    Effect.gen(function* () {
      const lives: Array<string> = []
      const { alerts, commands } = yield* world({
        audit: {
          interrupt: (life) =>
            Effect.sync(() => {
              lives.push(life)
              return [{ id: "a", command: "account.flatten", scope: "account:paper-1", by: "api:127.0.0.1" }]
            })
        }
      })
      yield* commands.keepAudit(false)
      assert.lengthOf(alerts, 0)
      yield* commands.keepAudit(true)
      assert.deepStrictEqual(lives, ["node/boot"])
      assert.deepInclude(alerts[0], { kind: "command.interrupted", severity: "MEDIUM" })
    }).pipe(Effect.scoped)
  )
})
