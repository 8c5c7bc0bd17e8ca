import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue, Result } from "effect"
import { reloader, SettingsControl } from "../../../src/actors/operators/reloader.ts"
import { type ComponentsOutcome, LiveTree } from "../../../src/actors/operators/live-tree.ts"
import { SettingsRecord } from "../../../src/actors/operators/settings-record.ts"
import type { TreeChange } from "../../../src/domain/control/tree-change.ts"
import type { Settings } from "../../../src/domain/kernel/settings.ts"
import { versionOf } from "../../../src/domain/kernel/settings-change.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import {
  AccountChanges,
  type AccountsDefined,
  type AccountsOutcome
} from "../../../src/layers/control/account-changes.port.ts"
import { DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { PositionsStore } from "../../../src/layers/orders/positions-store.port.ts"
import { makeLiveSettings } from "../../../src/layers/platform/config.live.ts"
import { ConfigReader, SettingsInForce } from "../../../src/layers/platform/config.port.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { Host } from "../../../src/layers/platform/host.port.ts"
import { logLayer } from "../../../src/layers/platform/log.stdout.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"

interface World {
  readonly rows: AccountsOutcome | null
  readonly failed: ComponentsOutcome["failed"]
  readonly up: boolean
}

interface Source {
  readonly environment?: Record<string, string>
  readonly file?: unknown
}

const read = ({ environment = {}, file }: Source) =>
  resolveSettings({
    environment,
    file,
    cwd: "/",
    stdoutIsTerminal: false,
    resolvePath: (_from, to) => to,
    readSecret: () => Result.fail("there are no files here")
  })

interface Booked {
  readonly changes: Array<AccountsDefined>
  readonly reshaped: Array<{ readonly next: Settings; readonly change: TreeChange }>
}

/**
 * A running service on `before`, that finds `after` when it reads again. `rows`: what the rows of the accounts answer, null
 * while the database is away; `failed`: what its tree cannot do.
 */
const running = (
  before: Source,
  after: Source,
  held: ReadonlyArray<object> | null = [],
  { failed = [], rows = { _tag: "Changed", flows: [] }, up = true }: Partial<World> = {}
) =>
  Effect.gen(function* () {
    const booked: Booked = { changes: [], reshaped: [] }
    const finds = { source: after }
    const liveTree = yield* LiveTree.pipe(Effect.provide(LiveTree.layer))
    if (up)
      liveTree.attach((next, change) =>
        Effect.sync(() => {
          booked.reshaped.push({ next, change })
          return {
            added: change.added.map(({ path }) => path),
            removed: change.removed.map(({ path }) => path),
            restarted: change.restarted.map(({ path }) => path),
            failed
          }
        })
      )
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
            Layer.succeed(ConfigReader, {
              read: () => read(finds.source),
              readWith: () => assert.fail("nobody previews")
            }),
            Layer.succeed(LiveTree, liveTree),
            Layer.sync(Instance, makeInstance),
            Layer.succeed(AccountChanges, {
              apply: (change) =>
                Effect.suspend(() => {
                  booked.changes.push(change)
                  return rows === null ? Effect.fail(away) : Effect.succeed(rows)
                })
            }),
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
      booked,
      finds,
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

  const practice = { practice: { kind: "paper" } }
  const paper = { broker: "practice", startingCash: "100000" }
  const two = {
    brokers: { ...practice, second: { kind: "paper" } },
    accounts: { "paper-1": paper, fresh: { broker: "second", startingCash: "5" } },
    strategies: { ...strategies, more: { sources: ["default"], accounts: ["fresh"] } },
    feeds: { default: {}, extra: { source: "wave" } },
    risk: { quantityMax: "1" }
  }
  const one = { brokers: practice, accounts: { "paper-1": paper }, strategies, feeds: { default: {} } }

  it.effect("accounts, brokers and feeds come as components, and one step back takes them away", () =>
    Effect.gen(function* () {
      const { booked, control, lines, live, reload } = yield* running({ file: one }, { file: two })
      yield* reload
      const applied = lines.find(({ event }) => event === "config.applied")
      assert.deepInclude(applied, {
        applied: ["strategies", "accounts", "brokers", "feeds", "risk"],
        restart: [],
        failed: []
      })
      assert.includeMembers(applied?.["added"] as Array<string>, [
        "root/trading/accounts/fresh",
        "root/trading/brokers/second",
        "root/trading/paper-venue:second",
        "root/feeds/feed:extra"
      ])
      assert.deepStrictEqual(booked.changes, [
        { defined: [{ id: "fresh", venue: "second", startingCash: "5" }], moved: [], removed: [], life: null }
      ])
      assert.deepStrictEqual(booked.reshaped[0]?.next, live.current(), "the tree follows what is in force")
      yield* control.back("token")
      assert.hasAllKeys(live.view.accounts, ["paper-1"])
      assert.deepStrictEqual(booked.changes[1]?.removed, ["fresh"])
      assert.includeMembers(booked.reshaped[1]?.change.removed.map(({ path }) => path) ?? [], [
        "root/trading/accounts/fresh",
        "root/feeds/feed:extra"
      ])
    })
  )

  it.effect("all or nothing: an account that holds something keeps the limits of the same file out", () =>
    Effect.gen(function* () {
      const problem = { path: "accounts.fresh", message: "cannot be removed: it has a position in SPY" }
      const { booked, lines, live, raised, reload } = yield* running(
        { file: two },
        { file: { ...one, risk: { quantityMax: "7" } } },
        [],
        { rows: { _tag: "Refused", problems: [problem] } }
      )
      const before = live.current()
      yield* reload
      assert.strictEqual(live.current(), before)
      assert.lengthOf(booked.reshaped, 0)
      assert.deepStrictEqual(lines[0]?.["problems"], [`${problem.path}: ${problem.message}`])
      assert.strictEqual(raised[0]?.kind, "config.refused")
    })
  )

  it.effect("a name that refers to nothing is refused before any row is asked", () =>
    Effect.gen(function* () {
      const file = { ...two, brokers: practice }
      const { booked, lines, live, reload } = yield* running({ file: two }, { file })
      const before = live.current()
      yield* reload
      assert.deepStrictEqual(lines[0]?.["problems"], ['accounts.fresh.broker: there is no broker "second"'])
      assert.deepStrictEqual(booked, { changes: [], reshaped: [] })
      assert.strictEqual(live.current(), before)
    })
  )

  it.effect("without the database no account comes or goes, and while the tree starts no component", () =>
    Effect.gen(function* () {
      const away = yield* running({ file: one }, { file: two }, [], { rows: null })
      yield* away.reload
      assert.include(String(away.lines[0]?.["problems"]), "the database does not answer")
      assert.hasAllKeys(away.live.view.accounts, ["paper-1"])
      const early = yield* running({ file: one }, { file: two }, [], { up: false })
      yield* early.reload
      assert.include(String(early.lines[0]?.["problems"]), "while the service is starting")
      assert.hasAllKeys(early.live.view.accounts, ["paper-1"])
      const limit = { file: { ...one, risk: { quantityMax: "7" } } }
      const only = yield* running({ file: one }, limit, [], { up: false, rows: null })
      yield* only.reload
      assert.strictEqual(only.live.view.risk.quantityMax, "7", "a limit needs neither")
    })
  )

  it.effect("what is written for another mode waits for the restart as a whole", () =>
    Effect.gen(function* () {
      const admin = {
        ADMIN_TOKEN: "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo",
        HMAC_SECRET: "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEp"
      }
      const url = "wss://feed.example.net/"
      const paper = {
        file: { ...two, feeds: { default: { url } } },
        environment: { ...admin, APP_MODE: "PAPER" }
      }
      const { booked, lines, live, reload } = yield* running({ file: one, environment: admin }, paper)
      const before = live.current()
      yield* reload
      assert.deepInclude(lines[0], { event: "config.restart_needed", applied: [] })
      assert.includeMembers(lines[0]?.["restart"] as Array<string>, ["mode", "accounts", "brokers", "risk"])
      assert.strictEqual(live.current(), before)
      assert.deepStrictEqual(booked, { changes: [], reshaped: [] })
    })
  )

  it.effect("a component that does not start is named and alerted, and the settings are in force", () =>
    Effect.gen(function* () {
      const failed = [{ path: "root/trading/brokers/second", reason: "start_failed" }]
      const { live, raised, reload } = yield* running({ file: one }, { file: two }, [], { failed })
      yield* reload
      assert.hasAllKeys(live.view.accounts, ["paper-1", "fresh"])
      assert.deepInclude(raised[0], { kind: "config.component_failed", severity: "HIGH", detail: { failed } })
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
