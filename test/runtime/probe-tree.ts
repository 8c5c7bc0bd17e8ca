/**
 * Verbs for supervision tests: start a tree of probes, look at a node, let real macrotasks pass.
 *
 * Never: sleeps; time moves by the virtual clock, and `turns` only lets the event loop turn.
 */
import { Cause, Clock, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type ChildSpec, supervisor, type SupervisorSpec } from "../../src/runtime/child-spec.ts"
import type { StartFailed } from "../../src/runtime/exit-reason.ts"
import { startTree, type TreeOptions } from "../../src/runtime/supervisor.ts"
import type { AdminError, AdminReason, Tree, TreeEnd, TreeNode } from "../../src/runtime/tree.ts"

/** Flags of the root supervisor under test. */
export type RootOptions = Partial<Omit<SupervisorSpec, "type" | "id" | "children">>

/** A budget nothing in a test uses up. */
export const unlimited = { max: Number.POSITIVE_INFINITY, withinMs: 1_000 }
/** Restarts at once. */
export const atOnce = { firstMs: 0 } as const
/** A steady delay without jitter. */
export const every = (ms: number) => ({ firstMs: ms, factor: 1, jitter: "none" as const })

/** Steps of a second; far more than any stop deadline in the tests. */
const fellingStepsMax = 120

/** Closes the scope of a tree while time goes on, and says so when that is not enough. */
const fell = (scope: Scope.Closeable, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const step = "adjust" in clock ? TestClock.adjust(1_000) : Effect.sleep(100)
    // Detached, because nobody may wait for it: not even the end of the test that names it.
    const closing = yield* Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true })
    for (let steps = 0; steps < fellingStepsMax && closing.pollUnsafe() === undefined; steps++) yield* step
    yield* settled("the stop of the tree after the test", closing)
  })

/**
 * Starts a tree in a scope of its own that is closed while time goes on. A test that has failed, or a start that never
 * settles, leaves a scope to be closed, and on a clock that stands still the stop of a deaf child would never end: the
 * failure would show as a run that hangs.
 */
export const plant = <R = never>(
  spec: SupervisorSpec<R>,
  options: TreeOptions
): Effect.Effect<Tree, StartFailed, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.flatMap(Effect.acquireRelease(Scope.make(), fell), (scope) =>
    Scope.provide(startTree(spec, options), scope)
  )

/** Starts `root` over these children with a stop deadline of ten seconds. */
export const start = (
  children: ReadonlyArray<ChildSpec>,
  root: RootOptions = {},
  options: Partial<TreeOptions> = {}
) => plant(supervisor({ id: "root", ...root, children }), { stopDeadlineMs: 10_000, seed: 7, ...options })

/** The node at a path below `root`, such as `in/a`. */
export const node = (tree: Tree, path: string): TreeNode => {
  let found = tree.snapshot()
  for (const id of path.split("/")) {
    const next = found.children.find((one) => one.id === id)
    if (next === undefined) throw new Error(`no node ${path}`)
    found = next
  }
  return found
}
/** `a:running b:backingOff` for all children of the root, or of a path. */
export const phases = (tree: Tree, path?: string): string =>
  (path === undefined ? tree.snapshot() : node(tree, path)).children
    .map((one) => `${one.id}:${one.phase}`)
    .join(" ")
/** The reason of a refusal, or `accepted`. */
export const reasonOf = <A, R>(
  asked: Effect.Effect<A, AdminError, R>
): Effect.Effect<AdminReason | "accepted", never, R> =>
  Effect.match(asked, { onFailure: (error) => error.reason, onSuccess: () => "accepted" as const })
/** The typed error of a failed start. */
export const startError = <A, R>(
  starting: Effect.Effect<A, StartFailed, R>
): Effect.Effect<StartFailed, never, R> =>
  Effect.map(Effect.exit(starting), (exit) => {
    const failed = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason) : undefined
    if (failed === undefined) throw new Error("the start did not fail")
    return failed.error
  })
/**
 * The answer of something that must have ended by now, on the virtual clock as it stands. A plain join would wait for
 * ever for what is overdue, and a run that hangs names nothing.
 */
export const settled = <A, E>(what: string, fiber: Fiber.Fiber<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 20 && fiber.pollUnsafe() === undefined; turn++) yield* turns()
    if (fiber.pollUnsafe() === undefined) {
      const now = yield* Clock.currentTimeMillis
      return yield* Effect.die(new Error(`${what} has not ended by ${now} ms on the virtual clock`))
    }
    return yield* Fiber.join(fiber)
  })
/** How a tree ended that must have ended by now. */
export const endOf = (tree: Tree): Effect.Effect<TreeEnd> =>
  Effect.flatMap(Effect.forkChild(tree.awaitEnd, { startImmediately: true }), (ending) =>
    settled("the tree", ending)
  )
/** Lets the event loop go round. */
export const turns = (count = 1): Effect.Effect<void> =>
  Effect.promise(async () => {
    for (let turn = 0; turn < count; turn++)
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
  })
