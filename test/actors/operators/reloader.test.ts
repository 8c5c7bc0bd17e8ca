import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue, Result } from "effect"
import { reloader, SettingsControl } from "../../../src/actors/operators/reloader.ts"
import { SettingsRecord } from "../../../src/actors/operators/settings-record.ts"
import { versionOf } from "../../../src/domain/kernel/settings-change.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { PositionsStore } from "../../../src/layers/orders/positions-store.port.ts"
import { makeLiveSettings } from "../../../src/layers/platform/config.live.ts"
import { ConfigReader, SettingsInForce } from "../../../src/layers/platform/config.port.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"
import { Host } from "../../../src/layers/platform/host.port.ts"
import { logLayer } from "../../../src/layers/platform/log.stdout.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"

interface Source {
  readonly environment?: Record<string, string>
  readonly file?: unknown
}

const read = ({ environment = {}, file }: Source) =>
  resolveSettings({ environment, file, cwd: "/", stdoutIsTerminal: false, resolvePath: (_from, to) => to })

/** A running service on `before`, that finds `after` when it reads again. */
const running = (before: Source, after: Source, held: ReadonlyArray<object> | null = []) =>
  Effect.gen(function* () {
    const raised: Array<Alert> = []
    const lines: Array<Record<string, unknown>> = []
    const bells: Array<string> = []
    const live = makeLiveSettings(yield* Effect.fromResult(read(before)))
    const asked = yield* Queue.unbounded<void>()
    const record = yield* SettingsRecord.pipe(Effect.provide(SettingsRecord.layer))
    const away = new DatabaseUnavailable({
      operation: "t",
      reason: "silent",
      outcome: "unknown",
      cause: "test"
    })
    const context = yield* Layer.build(
      SettingsControl.layer.pipe(
        Layer.provideMerge(
          Layer.mergeAll(
            Layer.succeed(SettingsInForce, live),
            Layer.succeed(SettingsRecord, record),
            Layer.succeed(ConfigReader, { read: () => read(after) }),
            Layer.mock(PositionsStore, {
              open: () => (held === null ? Effect.fail(away) : Effect.succeed(held as never))
            }),
            Layer.mock(Wake, { notify: (bell) => void bells.push(bell), listen: () => () => undefined }),
            Layer.succeed(Host, {
              stopRequested: Effect.never,
              forceRequested: Effect.never,
              nextReload: Queue.take(asked),
              nextStray: Effect.never
            }),
            Layer.succeed(Alerts, {
              raise: (alert) => Effect.sync(() => void raised.push(alert)),
              takePending: () => [],
              resolve: () => Effect.void,
              resolveAllBut: () => Effect.void,
              putBack: () => undefined,
              counts: () => ({ raised: 0, pending: 0, dropped: 0 })
            }),
            logLayer({
              level: "info",
              format: "json",
              secrets: [],
              write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>)
            })
          )
        )
      )
    )
    yield* reloader.pipe(Effect.provide(context), Effect.forkChild({ startImmediately: true }))
    return {
      raised,
      lines,
      bells,
      live,
      record,
      reload: Effect.andThen(Queue.offer(asked, undefined), Effect.yieldNow),
      control: yield* SettingsControl.pipe(Effect.provide(context))
    }
  })

const strategies = { default: { sources: ["default"], accounts: ["paper-1"] } }

describe("T1 a reload at run time", () => {
  it.effect("that is bad keeps the old configuration and says every problem", () =>
    Effect.gen(function* () {
      const { lines, live, raised, reload } = yield* running(
        {},
        { environment: { PORT: "x", ROLES: "trader" } }
      )
      const before = live.current()
      yield* reload
      assert.lengthOf(lines, 1)
      assert.strictEqual(lines[0]?.["event"], "config.refused")
      const problems = String(lines[0]?.["problems"])
      assert.include(problems, "PORT")
      assert.include(problems, "ROLES: must be one of http, feeds, waves, accounts")
      assert.strictEqual(raised[0]?.severity, "HIGH")
      assert.strictEqual(live.current(), before)
    })
  )
  it.effect("that changes what the tree is built of names it, never its value, and changes nothing", () =>
    Effect.gen(function* () {
      const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
      const { lines, live, raised, reload } = yield* running(
        { environment: { PORT: "6000" } },
        { environment: { PORT: "6001", HMAC_SECRET: secret } }
      )
      yield* reload
      assert.deepInclude(lines[0], {
        event: "config.restart_needed",
        restart: ["port", "secrets"],
        applied: []
      })
      assert.notInclude(JSON.stringify(lines), secret)
      assert.lengthOf(raised, 0)
      assert.strictEqual(live.view.port, 6000)
    })
  )
  it.effect("that changes nothing says so", () =>
    Effect.gen(function* () {
      const { bells, lines, reload } = yield* running(
        { environment: { ROLES: "http,accounts" } },
        { environment: { ROLES: "accounts,http" } }
      )
      yield* reload
      assert.strictEqual(lines[0]?.["event"], "config.unchanged")
      assert.deepStrictEqual(bells, [])
      assert.isTrue(Result.isSuccess(read({ environment: { ROLES: "accounts,http" } })))
    })
  )
})

describe("G11 settings applied without a restart", () => {
  const limits = { file: { strategies, risk: { quantityMax: "1" }, port: 7001 } }

  it.effect("strategies, limits, sources and symbols at once; the rest is named; one step back", () =>
    Effect.gen(function* () {
      const { bells, control, lines, live, record, reload } = yield* running({ file: { strategies } }, limits)
      const { port } = live.view
      const copy = { ...live.view }
      const version = versionOf(live.current())
      yield* reload
      assert.strictEqual(live.view.risk.quantityMax, "1")
      assert.strictEqual(copy.risk.quantityMax, "10000", "who copied has settings that belong together")
      assert.strictEqual(live.view.port, port)
      assert.deepInclude(lines[0], { event: "config.applied", applied: ["risk"], restart: ["port"] })
      assert.include(
        lines.map(({ event }) => event),
        "config.restart_needed"
      )
      assert.deepStrictEqual(bells, ["signals", "orders", "positions"])
      const stored = yield* record.next
      assert.deepInclude(stored, { version: versionOf(live.current()), by: "SIGHUP", changed: ["risk"] })
      assert.notStrictEqual(stored.version, version)
      assert.deepInclude(yield* control.back("token"), { _tag: "Read", applied: ["risk"], version })
      assert.strictEqual(live.view.risk.quantityMax, "10000")
      assert.deepInclude(yield* control.back("token"), { applied: ["risk"] }, "and back again")
    })
  )

  it.effect("has nothing to go back to before the first change", () =>
    Effect.gen(function* () {
      const { control } = yield* running({}, {})
      assert.isNull(yield* control.back("token"))
    })
  )

  it.effect("all or nothing: a strategy on an account that does not run takes the limits along", () =>
    Effect.gen(function* () {
      const file = {
        brokers: { practice: { kind: "paper" } },
        accounts: {
          "paper-1": { broker: "practice", startingCash: "100000" },
          fresh: { broker: "practice", startingCash: "100000" }
        },
        strategies: { ...strategies, more: { sources: ["default"], accounts: ["fresh"] } },
        risk: { quantityMax: "1" }
      }
      const { lines, live, raised, reload } = yield* running({ file: { strategies } }, { file })
      yield* reload
      assert.deepStrictEqual(lines[0]?.["problems"], [
        'strategies.more.accounts: there is no account "fresh"'
      ])
      assert.strictEqual(live.view.risk.quantityMax, "10000")
      assert.strictEqual(raised[0]?.kind, "config.refused")
    })
  )

  it.effect("a strategy that holds a position stays, also when nobody can say what it holds", () =>
    Effect.gen(function* () {
      const file = { strategies: { other: strategies.default } }
      const share = { strategy: "default", symbol: "SPY", account: "paper-1" }
      const held = yield* running({ file: { strategies } }, { file }, [share])
      yield* held.reload
      assert.deepStrictEqual(held.lines[0]?.["problems"], [
        "strategies.default: cannot be removed: it holds SPY in paper-1"
      ])
      assert.hasAllKeys(held.live.view.strategies, ["default"])
      const unread = yield* running({ file: { strategies } }, { file }, null)
      yield* unread.reload
      assert.include(String(unread.lines[0]?.["problems"]), "cannot be read")
      const free = yield* running({ file: { strategies } }, { file }, [{ ...share, strategy: "other" }])
      yield* free.reload
      assert.hasAllKeys(free.live.view.strategies, ["other"])
    })
  )

  it("the version of equal settings is equal, whatever the order of their keys, and differs by a secret", () => {
    const of = (source: Source) => versionOf(Result.getOrThrow(read(source)))
    const one = { ...strategies.default }
    const turned = { accounts: one.accounts, sources: one.sources }
    assert.strictEqual(
      of({ file: { strategies: { a: one, b: one } } }),
      of({ file: { strategies: { b: turned, a: turned } } })
    )
    const secret = (value: string) => of({ environment: { HMAC_SECRET: value } })
    assert.notStrictEqual(
      secret("kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"),
      secret("kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEp")
    )
  })
})
