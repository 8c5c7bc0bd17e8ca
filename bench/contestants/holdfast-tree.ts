/**
 * The four tasks over a holdfast tree, for any kind of child.
 *
 * Events go through `tree.send` with a path, as every user of the runtime sends them; children are added one by one
 * through the supervisor's own mailbox, as OTP's `supervisor:start_child` does.
 */
import { Effect, Exit, Scope } from "effect"
import {
  dynamic,
  type Start,
  startTree,
  supervisor,
  type SupervisorSpec,
  type Tree,
  worker
} from "../../src/runtime/entry.ts"
import { type Contestant, Counter, Stopwatch } from "../contestant.ts"

/** A kind of child: what to do first, for each `letter`, and before it crashes on `crash`. */
export interface Hooks {
  readonly started: () => void
  readonly letter: () => void
  readonly crashing: () => void
}
export type Kind = (hooks: Hooks) => Start

const nothing = () => {}
const quiet: Hooks = { started: nothing, letter: nothing, crashing: nothing }
const unlimited = { max: Number.POSITIVE_INFINITY, withinMs: 1_000 }
const options = { stopDeadlineMs: 60_000, seed: 1 }

/** A tree and the end of it. */
const plant = async (spec: SupervisorSpec) => {
  const scope = Scope.makeUnsafe()
  const tree = await Effect.runPromise(Scope.provide(startTree(spec, options), scope))
  return { tree, fell: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}
const single = (start: Start) =>
  plant(
    supervisor({
      id: "root",
      intensity: unlimited,
      children: [worker({ id: "child", start, backoff: { firstMs: 0 } })]
    })
  )
const crowd = (start: Start) =>
  plant(supervisor({ id: "root", children: [dynamic({ id: "crowd", template: { start: () => start } })] }))
const add = (tree: Tree, count: number) =>
  Effect.runPromise(
    Effect.gen(function* () {
      for (let index = 0; index < count; index++)
        yield* tree.startInstance("root/crowd", { id: `child-${index}`, args: undefined })
    })
  )

export const contestantOf = (kind: Kind): Required<Omit<Contestant, "lettersMax">> => ({
  crash: async (times) => {
    const watch = new Stopwatch()
    const { fell, tree } = await single(kind({ ...quiet, started: watch.running, crashing: watch.crashed }))
    const latencies = await watch.repeat(times, () => tree.send("root/child", { type: "crash" }))
    await fell()
    return latencies
  },
  mailbox: async (letters, burst) => {
    const counter = new Counter()
    const { fell, tree } = await single(kind({ ...quiet, letter: counter.received }))
    const letter = { type: "letter" }
    const elapsedMs = await counter.measure(letters, burst, () => tree.send("root/child", letter))
    await fell()
    return elapsedMs
  },
  idle: async (count) => {
    const { fell, tree } = await crowd(kind(quiet))
    await add(tree, count)
    return fell
  },
  scale: async (count) => {
    const { fell, tree } = await crowd(kind(quiet))
    const startedAt = performance.now()
    await add(tree, count)
    const upAt = performance.now()
    const { killed } = await Effect.runPromise(tree.stop)
    const downAt = performance.now()
    if (killed.length > 0) throw new Error(`${killed.length} children did not stop`)
    await fell()
    return { startMs: upAt - startedAt, stopMs: downAt - upAt }
  }
})
