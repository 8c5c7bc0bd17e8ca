/**
 * Reloader: new settings for a running service (G11).
 *
 * What is read with every decision (strategies, limits, sources, symbols, retention) is replaced at once, and accounts, brokers,
 * feeds and sinks come and go as components, all of it or nothing; what is opened once needs a restart and is named. A wrong file is
 * found while the valid one still trades, not at the restart.
 *
 * The order makes it all or nothing: first whatever can refuse, the rows of the accounts last, in one transaction; then one
 * assignment; then the components, which no longer can refuse. A process that dies in between starts on the file that was read.
 *
 * Promises: the configuration in force stays whatever is read (T1); a bad one is a log line and an alert with every
 * problem; a strategy that still holds a position is not removed, nor an account that has a position or an order; the previous
 * settings can be restored, by the same rules.
 * Never: prints a value, which could be a secret; names of settings only. Stops halfway when its caller goes away.
 */
import { Clock, Context, Effect, Layer, Result, Semaphore } from "effect"
import type { Settings, SettingsProblem } from "../../domain/kernel/settings.ts"
import { commandLimits } from "../../domain/control/command-limits.ts"
import { changesTree, type TreeChange, treeChange } from "../../domain/control/tree-change.ts"
import { changedSettings, isLive, versionOf, withLive } from "../../domain/kernel/settings-change.ts"
import { expectedProblems } from "../../domain/kernel/settings-expected.ts"
import { nameProblems } from "../../domain/kernel/settings-names.ts"
import { settingsWarnings } from "../../domain/kernel/settings-warnings.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { AccountChanges } from "../../layers/control/account-changes.port.ts"
import { PositionsStore } from "../../layers/orders/positions-store.port.ts"
import { ConfigReader, SettingsInForce } from "../../layers/platform/config.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import type { NotEditable } from "../../layers/control/settings-editor.port.ts"
import { type FileText, SettingsFile } from "../../layers/platform/settings-file.port.ts"
import { editedText } from "./settings-editor.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { Host } from "../../layers/platform/host.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { type ComponentsOutcome, LiveTree, type Reshape } from "./live-tree.ts"
import { SettingsRecord } from "./settings-record.ts"

export type ReloadOutcome =
  | { readonly _tag: "Refused"; readonly problems: ReadonlyArray<SettingsProblem> }
  /** `applied` is empty when nothing that may change did; `restart` names what needs one. */
  | {
      readonly _tag: "Read"
      readonly version: string
      readonly applied: ReadonlyArray<string>
      readonly restart: ReadonlyArray<string>
      readonly components: ComponentsOutcome
    }

const ALERT = "config.refused"
const FAILED = "config.component_failed"

const refuse = (problems: ReadonlyArray<SettingsProblem>) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const lines = problems.map(({ message, path }) => `${path}: ${message}`)
    yield* logEvent(
      "error",
      "config.refused",
      "the configuration in force stays; the one just read is refused",
      { component: "root", problems: lines }
    )
    yield* alerts.raise({
      severity: "HIGH",
      kind: ALERT,
      dedupKey: ALERT,
      message: `the configuration was refused: ${lines.join("; ")}`,
      component: "root"
    })
    return { _tag: "Refused", problems } satisfies ReloadOutcome
  })

/** Strategies that would be removed although they hold something: their stops would go with them. */
const heldStrategies = (inForce: Settings, next: Settings) =>
  Effect.gen(function* () {
    const gone = Object.keys(inForce.strategies).filter((name) => !Object.hasOwn(next.strategies, name))
    if (gone.length === 0 || !inForce.roles.has("accounts")) return []
    const positions = yield* PositionsStore
    const open = yield* positions
      .open(Object.keys(inForce.accounts), null)
      .pipe(Effect.orElseSucceed(() => null))
    return gone.flatMap((name): ReadonlyArray<SettingsProblem> => {
      const path = `strategies.${name}`
      if (open === null)
        return [{ path, message: "cannot be removed while its open positions cannot be read" }]
      const held = open.find(({ strategy }) => strategy === name)
      return held === undefined
        ? []
        : [{ path, message: `cannot be removed: it holds ${held.symbol} in ${held.account}` }]
    })
  })

/** Books what changes in the rows of the accounts, or returns what stands against it. Last of all checks: it is a commit. */
const changeAccounts = (next: Settings, { accounts }: TreeChange) =>
  Effect.gen(function* () {
    const { added, changed, moved, removed } = accounts
    const defined = [...added, ...changed].flatMap((id) => {
      const account = next.accounts[id]
      if (account === undefined) return []
      const { broker, enabled, startingCash } = account
      return [{ id, venue: broker, startingCash, enabled }]
    })
    if (defined.length + moved.length + removed.length === 0) return []
    if (removed.length + moved.length > commandLimits.accountsLeavingMax)
      return [
        {
          path: "accounts",
          message: `at most ${commandLimits.accountsLeavingMax} accounts can be removed or moved at once`
        }
      ]
    const instance = yield* Instance
    const changes = yield* AccountChanges
    const outcome = yield* changes
      .apply({ defined, moved, removed, life: instance.current()?.life ?? null })
      .pipe(Effect.orElseSucceed(() => null))
    if (outcome === null)
      return [{ path: "accounts", message: "cannot change while the database does not answer" }]
    if (outcome._tag === "Refused") return outcome.problems
    for (const { account, after, amount, before: was } of outcome.flows)
      yield* logEvent("info", "account.cash_flow", `${account}: ${amount}, from ${was} to ${after}`, {
        component: "root",
        account,
        amount
      })
    return []
  })

/** What does not come up is alerted; its supervisor proceeds with it by its policy. */
const reportFailed = ({ failed }: ComponentsOutcome) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    if (failed.length === 0) return yield* alerts.resolve(FAILED, "all components follow the settings")
    const message = `components do not follow the settings: ${failed.map(({ path, reason }) => `${path} (${reason})`).join(", ")}`
    yield* logEvent("error", FAILED, message, { component: "root", failed })
    yield* alerts.raise({
      severity: "HIGH",
      kind: FAILED,
      dedupKey: FAILED,
      message,
      component: "root",
      detail: { failed }
    })
  })

const noComponents: ComponentsOutcome = { added: [], removed: [], restarted: [], failed: [] }

/** From here on nothing stops halfway: settings are in force, then their components follow. */
const putInForce = (
  next: Settings,
  change: TreeChange,
  reshape: Reshape | null,
  applied: ReadonlyArray<string>,
  by: string
) =>
  Effect.gen(function* () {
    const inForce = yield* SettingsInForce
    const record = yield* SettingsRecord
    const wake = yield* Wake
    faultPoint(FAULT_POINTS.settingsBooked, "settings")
    inForce.assign(next)
    record.add(next, by, applied, yield* Clock.currentTimeMillis)
    // What waits for a limit, a strategy or a stop is checked under the new settings.
    for (const bell of ["signals", "orders", "positions"] as const) wake.notify(bell)
    faultPoint(FAULT_POINTS.settingsAssigned, "settings")
    const components = reshape === null || !changesTree(change) ? noComponents : yield* reshape(next, change)
    yield* reportFailed(components)
    return components
  })

/** Which settings differ, and which of them may change now. What is written for another mode waits until that is the mode. */
const sortChanges = (before: Settings, read: Settings) => {
  const changed = changedSettings(before, read)
  const applied = before.mode === read.mode ? changed.filter(isLive) : []
  return { changed, applied, restart: changed.filter((name) => !applied.some((one) => one === name)) }
}

const starting = (change: TreeChange, reshape: Reshape | null): ReadonlyArray<SettingsProblem> =>
  reshape === null && changesTree(change)
    ? [
        {
          path: "accounts, brokers, feeds, alerts",
          message: "cannot change while the service is starting: try again"
        }
      ]
    : []

/** What applying `read` would do, and what stands against it but for the rows of the accounts. */
const judge = (read: Settings) =>
  Effect.gen(function* () {
    const inForce = yield* SettingsInForce
    const liveTree = yield* LiveTree
    const before = inForce.current()
    const sorted = sortChanges(before, read)
    const next = sorted.applied.length === 0 ? before : withLive(before, read)
    const change = treeChange(before, next)
    const reshape = liveTree.reshape()
    const problems = [
      ...nameProblems(next),
      ...expectedProblems(next),
      ...starting(change, reshape),
      ...(yield* heldStrategies(before, next))
    ]
    return { ...sorted, next, change, reshape, problems }
  })

type Refuse = (problems: ReadonlyArray<SettingsProblem>) => Effect.Effect<ReloadOutcome, never, Alerts>

/** Puts the live parts of `read` in force, if the result is consistent. `refused`: what becomes of it where it is not. */
const apply = (read: Settings, by: string, refused: Refuse) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const { applied, change, changed, next, problems, reshape, restart } = yield* judge(read)
    if (problems.length > 0) return yield* refused(problems)
    const standing = yield* changeAccounts(next, change)
    if (standing.length > 0) return yield* refused(standing)
    yield* alerts.resolve(ALERT, "the configuration was read")
    const version = versionOf(next)
    const components =
      applied.length === 0 ? noComponents : yield* putInForce(next, change, reshape, applied, by)
    const fields = { component: "root", version, changed, applied, restart, by, ...components }
    if (applied.length > 0) {
      yield* logEvent("info", "config.applied", `applied: ${applied.join(", ")}`, fields)
      for (const { message, path } of settingsWarnings(next))
        yield* logEvent("warn", "settings.warning", `${path}: ${message}`, { component: "root", path })
    }
    if (restart.length > 0)
      yield* logEvent("info", "config.restart_needed", `restart to apply: ${restart.join(", ")}`, fields)
    if (changed.length === 0)
      yield* logEvent("info", "config.unchanged", "the configuration is unchanged", fields)
    return { _tag: "Read", version, applied, restart, components } satisfies ReloadOutcome
  }).pipe(Effect.uninterruptible)

type ReloadParts =
  | AccountChanges
  | Alerts
  | Instance
  | LiveTree
  | PositionsStore
  | SettingsFile
  | SettingsInForce
  | SettingsRecord
  | Wake

export interface SettingsControlService {
  /** Rereads the configuration. `by`: who asked. */
  readonly reload: (by: string) => Effect.Effect<ReloadOutcome>
  /** Reverts the last change of this process, in the file too where it was written from here; null when there is none. */
  readonly back: (by: string) => Effect.Effect<ReloadOutcome | null>
  /** Writes an edited text into the file that had this version, and applies it: both or neither. */
  readonly write: (version: string, text: string, by: string) => Effect.Effect<WriteOutcome>
  /** What `write` would do. */
  readonly preview: (version: string, text: string) => Effect.Effect<Preview, NotEditable>
}

type WriteOutcome =
  | ReloadOutcome
  | { readonly _tag: "NotEditable"; readonly reason: NotEditable["reason"]; readonly message: string }

/** `read`: the settings that the text stands for; null where it stands for none. */
interface Preview {
  readonly problems: ReadonlyArray<SettingsProblem>
  readonly applied: ReadonlyArray<string>
  readonly restart: ReadonlyArray<string>
  readonly change: TreeChange | null
  readonly before: Settings
  readonly read: Settings | null
}

/** A change that was written from here: what stood in the file, and what stands there since. */
interface Written {
  readonly former: FileText
  readonly now: FileText
}

const refusedHere: Refuse = (problems) => Effect.succeed({ _tag: "Refused", problems })

/** Puts the former text back into the file; a problem where that cannot be done. */
const putBack = ({ former, now }: Written) =>
  SettingsFile.use((file) => file.replace(now, former.text)).pipe(
    Effect.as<ReadonlyArray<SettingsProblem>>([]),
    Effect.catchTag("SettingsFileFault", ({ message }) =>
      Effect.succeed([
        { path: "HOLDFAST_CONFIG", message: `the former text could not be put back: ${message}` }
      ])
    )
  )

const previewed = (version: string, text: string) =>
  Effect.gen(function* () {
    const reader = yield* ConfigReader
    const inForce = yield* SettingsInForce
    const { meant } = yield* editedText(version, text)
    const read = Result.flatMap(meant, (whole) => reader.readText(whole))
    const none = { applied: [], restart: [], change: null, before: inForce.current(), read: null }
    if (Result.isFailure(read)) return { ...none, problems: read.failure }
    const { applied, change, problems, restart } = yield* judge(read.success)
    return { ...none, problems, applied, restart, change, read: read.success }
  })

const makeControl = Effect.gen(function* () {
  const context = yield* Effect.context<ConfigReader | ReloadParts>()
  const reader = yield* ConfigReader
  const inForce = yield* SettingsInForce
  const turn = yield* Semaphore.make(1)
  let before: Settings | null = null
  let written: Written | null = null
  const put = (read: Settings, by: string, refused: Refuse) =>
    Effect.gen(function* () {
      const now = inForce.current()
      const outcome = yield* apply(read, by, refused)
      if (outcome._tag === "Read" && outcome.applied.length > 0) {
        before = now
        written = null
      }
      return outcome
    })
  const reload = (by: string) =>
    Effect.suspend(() => {
      const read = reader.read()
      return Result.isFailure(read) ? refuse(read.failure) : put(read.success, by, refuse)
    })
  const write = (version: string, text: string, by: string) =>
    Effect.gen(function* () {
      const { file, meant } = yield* editedText(version, text)
      if (Result.isFailure(meant)) return yield* refusedHere(meant.failure)
      const read = reader.readText(meant.success)
      if (Result.isFailure(read)) return yield* refusedHere(read.failure)
      const { problems } = yield* judge(read.success)
      if (problems.length > 0) return yield* refusedHere(problems)
      const now = yield* SettingsFile.use(({ replace }) => replace(file, meant.success))
      const outcome = yield* put(read.success, by, refusedHere)
      const change = { former: file, now }
      if (outcome._tag === "Refused")
        return yield* refusedHere([...outcome.problems, ...(yield* putBack(change))])
      written = change
      return outcome
    }).pipe(
      Effect.catchTag("SettingsFileFault", ({ message }) =>
        refusedHere([{ path: "HOLDFAST_CONFIG", message }])
      ),
      Effect.catchTag("NotEditable", ({ message, reason }) =>
        Effect.succeed<WriteOutcome>({ _tag: "NotEditable", reason, message })
      ),
      Effect.uninterruptible
    )
  const back = (by: string) =>
    Effect.gen(function* () {
      const file = yield* SettingsFile.use(({ read }) => read).pipe(Effect.orElseSucceed(() => null))
      if (written === null || file?.version !== written.now.version)
        return before === null ? null : yield* put(before, by, refuse)
      const problems = yield* putBack(written)
      if (problems.length > 0) return yield* refusedHere(problems)
      written = null
      const outcome = yield* reload(by)
      // What was taken back is in no file any more.
      before = null
      return outcome
    }).pipe(Effect.uninterruptible)
  return SettingsControl.of({
    reload: (by) => turn.withPermit(Effect.provideContext(reload(by), context)),
    back: (by) => turn.withPermit(Effect.provideContext(back(by), context)),
    write: (version, text, by) => turn.withPermit(Effect.provideContext(write(version, text, by), context)),
    preview: (version, text) => turn.withPermit(Effect.provideContext(previewed(version, text), context))
  })
})

export class SettingsControl extends Context.Service<SettingsControl, SettingsControlService>()(
  "holdfast/actors/SettingsControl"
) {
  static readonly layer: Layer.Layer<SettingsControl, never, ConfigReader | ReloadParts> = Layer.effect(
    SettingsControl,
    Effect.suspend(() => makeControl)
  )
}

/** Rereads whenever the host is asked to, until it is interrupted. */
export const reloader = Effect.gen(function* () {
  const host = yield* Host
  const control = yield* SettingsControl
  return yield* Effect.forever(Effect.andThen(host.nextReload, control.reload("SIGHUP")))
})
