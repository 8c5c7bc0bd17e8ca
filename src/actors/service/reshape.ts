/**
 * Reshape: brings the running tree to new settings.
 *
 * The supervisors get their new specifications first, so that a group that crashes in the middle restarts by the settings in
 * force, and never with a child they no longer name. Then what is gone stops, from last to first, and what is new
 * starts, from first to last. What the settings restart is stopped and started: its child keeps nothing of the former ones.
 *
 * Promises: every child starts and stops under the deadlines of its specification; a child that an operator paused stays paused and
 * resumes under the new settings; of a removed component neither figures nor open alerts nor states are left.
 * Never: fails: what could not be started or stopped is named, and its supervisor proceeds with it.
 */
import { Effect } from "effect"
import {
  COMPONENT_KINDS,
  type ComponentKind,
  type SettingsComponent,
  type TreeChange
} from "../../domain/control/tree-change.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Protection } from "../../layers/orders/protection.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { Brokers } from "../../layers/venues/broker.port.ts"
import type { SupervisorSpec } from "../../runtime/child-spec.ts"
import type { AdminError, AdminReason, Tree, TreeNode } from "../../runtime/tree.ts"
import type { ComponentsOutcome } from "../operators/live-tree.ts"
import { RunningTree } from "../platform/running-tree.ts"
import { rootSupervisor } from "../root.supervisor.ts"

/** Requests that wait in the mailbox of one supervisor, which refuses more than a thousand. */
const AT_ONCE = 64

type Failure = ComponentsOutcome["failed"][number]

/** Children of a dynamic supervisor; the others are children of the literal. */
const isInstance = (kind: ComponentKind): boolean => kind === "account" || kind === "broker"

/** Groups of the root whose children are made from entries of the settings. */
const GROUPS: ReadonlySet<string> = new Set(["operators", "feeds", "trading"])

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"))

/** Alerts that last until their component is well, and that nobody would close when it is gone. */
const lastingAlerts = ({ kind, name, path }: SettingsComponent): ReadonlyArray<string> => {
  const parked = `component.parked:${path}`
  switch (kind) {
    case "account":
      return [parked, `account.unreconciled:${name}`]
    case "broker":
      return [parked, `broker.not_recovered:${name}`]
    case "feed":
      return [parked, `feed.not_recovered/${name}`, `feed.credentials_refused/${name}`]
    case "waves":
      return [parked, `wave.missed:${name}`]
    case "sink":
      return [parked, `sink.failing:${name}`]
    case "voter":
      return [parked, `voter.failing:${name}`]
    case "heartbeat":
      return [parked, "heartbeat.failing"]
    default:
      return [parked]
  }
}

/** Nothing, or why it did not work. `fine`: reasons that mean that it is so already. */
const attempt = <R>(
  path: string,
  done: Effect.Effect<unknown, AdminError, R>,
  fine: ReadonlyArray<AdminReason>
): Effect.Effect<ReadonlyArray<Failure>, never, R> =>
  done.pipe(
    Effect.as<ReadonlyArray<Failure>>([]),
    Effect.catch(({ cause, reason }) =>
      Effect.succeed(
        fine.includes(reason)
          ? []
          : [{ path, reason: cause instanceof Error ? `${reason}: ${cause.message}` : reason }]
      )
    )
  )

/** Paths of what an operator paused, by one walk: there may be ten thousand accounts. */
const pausedIn = (node: TreeNode): ReadonlyArray<string> => [
  ...(node.phase === "paused" ? [node.path] : []),
  ...node.children.flatMap(pausedIn)
]

/** New specifications for the root and the groups whose children change. A group that does not run now starts with its own. */
const respecify = <R>(tree: Tree, root: SupervisorSpec<R>) =>
  Effect.gen(function* () {
    const failures = [...(yield* attempt("root", tree.reconfigure("root", root), []))]
    for (const child of root.children) {
      if (child.type !== "supervisor" || !GROUPS.has(child.id)) continue
      const path = `root/${child.id}`
      failures.push(...(yield* attempt(path, tree.reconfigure(path, child), ["not_running"])))
    }
    return failures
  })

const stop = (tree: Tree, isGone: boolean, { kind, path }: SettingsComponent) => {
  const stopped = attempt(path, tree.terminateChild(path), ["not_found", "not_running"])
  if (!isGone || isInstance(kind)) return stopped
  return Effect.flatMap(stopped, (failures) =>
    failures.length > 0
      ? Effect.succeed(failures)
      : attempt(path, tree.deleteChild(path), ["not_found", "not_running"])
  )
}

const start = (tree: Tree, { kind, name, path }: SettingsComponent) =>
  isInstance(kind)
    ? attempt(path, tree.startInstance(parentOf(path), { id: name, args: name }), ["already_started"])
    : attempt(path, tree.restartChild(path), ["running", "restarting"])

/** One kind after the other; those of one kind together: each has its own deadline, and there may be thousands. */
const byKind = (
  kinds: ReadonlyArray<ComponentKind>,
  components: ReadonlyArray<SettingsComponent>,
  f: (component: SettingsComponent) => Effect.Effect<ReadonlyArray<Failure>>
) =>
  Effect.map(
    Effect.forEach(kinds, (kind) =>
      Effect.forEach(
        components.filter((component) => component.kind === kind),
        f,
        { concurrency: AT_ONCE }
      )
    ),
    (found) => found.flat(2)
  )

/** What was kept about components that are gone. */
const forget = (removed: ReadonlyArray<SettingsComponent>) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const figures = yield* Figures
    const protection = yield* Protection
    const running = yield* RunningTree
    for (const { kind, name, path } of removed) {
      figures.forget(path)
      running.forget(path)
      // Should it come back, its broker is asked again.
      if (kind === "account") protection.noteBroker(name, true)
    }
    yield* alerts.resolve(removed.flatMap(lastingAlerts), "it was removed from the settings")
  })

/** Changes the components of a tree that `build` makes from settings. Needs whatever the components need. */
export const reshapeBy =
  <R>(build: (settings: Settings) => SupervisorSpec<R>) =>
  (tree: Tree, next: Settings, { added, removed, restarted }: TreeChange) =>
    Effect.gen(function* () {
      const brokers = yield* Brokers
      const paused = new Set(pausedIn(tree.snapshot()))
      const again = restarted.filter(({ path }) => !paused.has(path))
      const gone = new Set(removed)
      const failed = [...(yield* respecify(tree, build(next)))]
      failed.push(
        ...(yield* byKind(COMPONENT_KINDS.toReversed(), [...removed, ...again], (component) =>
          stop(tree, gone.has(component), component)
        )),
        ...(yield* byKind(COMPONENT_KINDS, [...added, ...again], (component) => start(tree, component)))
      )
      yield* forget(removed)
      yield* brokers.release
      const paths = (components: ReadonlyArray<SettingsComponent>) => components.map(({ path }) => path)
      return {
        added: paths(added),
        removed: paths(removed).toReversed(),
        restarted: paths(again),
        failed
      } satisfies ComponentsOutcome
    })

/** Changes the components of the service. */
export const reshape = reshapeBy(rootSupervisor)
