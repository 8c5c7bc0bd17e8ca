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
import {
  type FileText,
  SettingsFile,
  SettingsFileFault
} from "../../../src/layers/platform/settings-file.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"

interface World {
  readonly rows: AccountsOutcome | null
  readonly failed: ComponentsOutcome["failed"]
  readonly up: boolean
  /** The configuration file, which is read instead of `after`; `isFull`: nothing can be written. */
  readonly disk: { text: string | null; isFull?: boolean } | null
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

const fileOn = (disk: NonNullable<World["disk"]>): SettingsFile["Service"] => {
  const now = (): FileText => ({ path: "/holdfast.json", text: disk.text, version: `of ${disk.text ?? ""}` })
  return {
    read: Effect.sync(now),
    replace: (former, text) =>
      Effect.suspend(() => {
        if (former.version !== now().version || disk.isFull === true)
          return new SettingsFileFault({ message: "cannot write /holdfast.json: ENOSPC" })
        disk.text = text
        return Effect.succeed(now())
      })
  }
}

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
  { disk = null, failed = [], rows = { _tag: "Changed", flows: [] }, up = true }: Partial<World> = {}
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
              read: () => read(disk === null ? finds.source : { file: JSON.parse(disk.text ?? "{}") }),
              readWith: () => assert.fail("nobody previews"),
              readText: (text) => read({ file: JSON.parse(text) })
            }),
            Layer.succeed(SettingsFile, fileOn(disk ?? { text: null })),
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
              draft: Effect.die("nothing is committed with its alert"),
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
        {
          defined: [{ id: "fresh", venue: "second", startingCash: "5", enabled: true }],
          moved: [],
          removed: [],
          life: null
        }
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

describe("G11 the configuration file edited through the service", () => {
  const token = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
  const textOf = (quantityMax: string, more: object = {}) =>
    JSON.stringify({ strategies, adminToken: token, risk: { quantityMax }, ...more }, null, 2)
  const edit = (text: string, world: Partial<World> = {}) =>
    Effect.gen(function* () {
      const disk: NonNullable<World["disk"]> = { text }
      const service = yield* running({ file: JSON.parse(text) as unknown }, {}, [], { disk, ...world })
      const shown = text.replace(token, "[kept secret 1]")
      return { ...service, disk, shown, version: `of ${text}` }
    })

  it.effect("is written and applied, with the secrets that were not shown, and taken back in both", () =>
    Effect.gen(function* () {
      const { control, disk, live, shown, version } = yield* edit(textOf("5"))
      const written = shown.replace('"5"', '"7"')
      const outcome = yield* control.write(version, written, "console:me")
      assert.deepInclude(outcome, { _tag: "Read", applied: ["risk"], restart: [] })
      assert.strictEqual(disk.text, textOf("7"))
      assert.strictEqual(live.view.risk.quantityMax, "7")
      assert.deepInclude(yield* control.back("console:me"), { _tag: "Read", applied: ["risk"] })
      assert.strictEqual(disk.text, textOf("5"))
      assert.strictEqual(live.view.risk.quantityMax, "5")
    })
  )
  it.effect("is not touched where it is another one than was edited", () =>
    Effect.gen(function* () {
      const { control, disk, live, shown, version } = yield* edit(textOf("5"))
      disk.text = textOf("6")
      const outcome = yield* control.write(version, shown, "console:me")
      assert.deepInclude(outcome, { _tag: "NotEditable", reason: "changed" })
      assert.deepStrictEqual([disk.text, live.view.risk.quantityMax], [textOf("6"), "5"])
    })
  )
  it.effect("is not touched where what is written is wrong, and that is no alert", () =>
    Effect.gen(function* () {
      const { control, disk, raised, shown, version } = yield* edit(textOf("5"))
      for (const [written, path] of [
        [shown.replace('"5"', '"-5"'), "risk.quantityMax"],
        [shown.replace("risk", "rsk"), "rsk"],
        [shown.replace('"adminToken"', '"hmacSecret"'), "hmacSecret"],
        [`${shown},`, "(the whole file)"]
      ] as const) {
        const outcome = yield* control.write(version, written, "console:me")
        assert.strictEqual(outcome._tag, "Refused", written)
        const paths = outcome._tag === "Refused" ? outcome.problems.map((one) => one.path) : []
        assert.deepStrictEqual(paths.slice(0, 1), [path])
        assert.notInclude(JSON.stringify(outcome), token)
      }
      assert.deepStrictEqual([disk.text, raised], [textOf("5"), []])
    })
  )
  it.effect("has its former text again where the rows of an account stand against it", () =>
    Effect.gen(function* () {
      const problems = [{ path: "accounts.paper-1", message: "cannot be removed: it has a position" }]
      const { control, disk, live, shown, version } = yield* edit(textOf("5"), {
        rows: { _tag: "Refused", problems }
      })
      const more = { accounts: { other: { broker: "practice", startingCash: "5" } }, strategies: {} }
      const written = JSON.stringify({ ...(JSON.parse(shown) as object), ...more })
      const outcome = yield* control.write(version, written, "console:me")
      assert.deepStrictEqual(outcome, { _tag: "Refused", problems })
      assert.strictEqual(disk.text, textOf("5"))
      assert.include(Object.keys(live.view.accounts), "paper-1")
    })
  )
  it.effect("stays, and so do the settings, where the disk takes nothing", () =>
    Effect.gen(function* () {
      const { control, disk, live, shown, version } = yield* edit(textOf("5"))
      disk.isFull = true
      const outcome = yield* control.write(version, shown.replace('"5"', '"7"'), "console:me")
      assert.deepInclude(outcome, { _tag: "Refused" })
      assert.include(JSON.stringify(outcome), "ENOSPC")
      assert.strictEqual(live.view.risk.quantityMax, "5")
    })
  )
  it.effect("keeps what somebody wrote into it since, when a step back is taken", () =>
    Effect.gen(function* () {
      const { control, disk, live, shown, version } = yield* edit(textOf("5"))
      yield* control.write(version, shown.replace('"5"', '"7"'), "console:me")
      disk.text = textOf("9")
      yield* control.back("console:me")
      assert.deepStrictEqual([disk.text, live.view.risk.quantityMax], [textOf("9"), "5"])
    })
  )
  it.effect("is judged before it is applied, and nothing is done", () =>
    Effect.gen(function* () {
      const { control, disk, live, shown, version } = yield* edit(textOf("5"))
      const preview = yield* control.preview(
        version,
        shown.replace('"5"', '"7"').replace("{", '{ "port": 7001,')
      )
      assert.deepInclude(preview, { problems: [], applied: ["risk"], restart: ["port"] })
      assert.deepStrictEqual([disk.text, live.view.risk.quantityMax], [textOf("5"), "5"])
      const refused = yield* control.preview(version, shown.replace('"5"', '"x"'))
      assert.strictEqual(refused.problems[0]?.path, "risk.quantityMax")
      const stale = yield* Effect.flip(control.preview("of another", shown))
      assert.strictEqual(stale.reason, "changed")
    })
  )
})
