/**
 * A random hierarchy under random operations, with faults in every lifecycle hook, from one seed.
 *
 * Promises: the same seed makes the same tree, the same faults and the same operations on the virtual clock; the
 * ledger knows every resource a child has opened and not released, so an orphan cannot hide.
 * Never: sleeps in real time.
 */
import { Effect, Fiber, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { setup } from "xstate"
import { SeededRandom } from "../../src/runtime/backoff.ts"
import { oddValues } from "./odd-values.ts"
import type { PolicyOptions } from "../../src/runtime/child-policy.ts"
import {
  type ChildSelf,
  type ChildSpec,
  dynamic,
  ignore,
  type Running,
  supervisor,
  worker
} from "../../src/runtime/child-spec.ts"
import { shutdown } from "../../src/runtime/exit-reason.ts"
import { effectActor, machineChild } from "../../src/runtime/machine-child.ts"
import type { AdminError, Tree, TreeNode } from "../../src/runtime/tree.ts"
import { plant } from "./probe-tree.ts"

export interface FuzzOptions {
  readonly seed: number
  readonly components: number
  readonly operations: number
}
/** What a run found. `violations` must be empty. */
export interface FuzzResult {
  readonly violations: ReadonlyArray<string>
  readonly components: number
  readonly restarts: number
  readonly killed: number
  readonly leaked: ReadonlyArray<string>
  readonly faults: Readonly<Record<string, number>>
}

const stopDeadlineMs = 30_000

const machine = setup({
  types: { events: {} as { type: "work" } | { type: "bug" } },
  actors: { job: effectActor("job", () => Effect.never as Effect.Effect<void>) }
}).createMachine({
  initial: "Idle",
  states: {
    Idle: {
      tags: "ready",
      on: {
        work: "Busy",
        bug: {
          actions: () => {
            throw new Error("machine bug")
          }
        }
      },
      after: { 20_000: "Busy" }
    },
    Busy: {
      invoke: { src: "job" },
      on: {
        work: "Idle",
        bug: {
          actions: async () => {
            throw new Error("machine rejection")
          }
        }
      },
      after: { 5_000: "Idle" }
    }
  }
})

/** Resources open now, by path; `deaf` are those whose release never ends. */
class Ledger {
  readonly open = new Map<string, Set<number>>()
  readonly violations: Array<string> = []
  /** Incarnations the runtime has given up on, and said so. */
  readonly killed = new Set<string>()
  readonly faults: Record<string, number> = {}
  count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1
  }
  acquire(path: string, incarnation: number): void {
    const live = this.open.get(path) ?? new Set<number>()
    this.open.set(path, live)
    for (const other of live) if (this.killed.has(`${path}#${other}`)) live.delete(other)
    live.add(incarnation)
    if (live.size > 1) this.violations.push(`${path}: incarnations ${[...live].join(",")} alive together`)
  }
  release(path: string, incarnation: number): void {
    this.open.get(path)?.delete(incarnation)
  }
  live(path: string): number {
    let live = 0
    for (const incarnation of this.open.get(path) ?? [])
      if (!this.killed.has(`${path}#${incarnation}`)) live++
    return live
  }
}

class Fuzz {
  readonly random: SeededRandom
  readonly ledger = new Ledger()
  readonly selves = new Map<string, ChildSelf>()
  readonly options: FuzzOptions
  calm = false
  made = 1
  constructor(options: FuzzOptions) {
    this.options = options
    this.random = new SeededRandom(options.seed)
  }
  pick<A>(choices: ReadonlyArray<A>): A {
    return choices[this.random.below(choices.length)] as A
  }
  chance(probability: number): boolean {
    return this.random.next() < probability
  }
  /** What a fault throws: mostly an error, sometimes a value nobody expects. */
  thrown(message: string): unknown {
    if (this.chance(0.7)) return new Error(message)
    const name = this.pick(Object.keys(oddValues))
    this.ledger.count(`throws ${name}`)
    return oddValues[name]?.()
  }
  policy(): PolicyOptions {
    const park = this.chance(0.4)
    return {
      restart: this.pick(["permanent", "permanent", "permanent", "transient", "temporary"] as const),
      startDeadlineMs: 1_000,
      stopBudgetMs: this.pick([0, 200, 1_000, "kill", "infinity"] as const),
      initialStart: "retry",
      backoff: { firstMs: this.pick([0, 0, 10, 500]), maxMs: 5_000, resetAfterMs: 2_000 },
      readiness: this.pick(["required", "optional"] as const),
      ...(park
        ? {
            budget: { max: 3, withinMs: 5_000 },
            whenExhausted: { action: "park", retryEveryMs: 3_000 } as const
          }
        : {})
    }
  }
  worker(id: string): ChildSpec {
    this.made++
    if (this.chance(0.2)) return worker({ id, ...this.policy(), start: machineChild({ machine }) })
    return worker({ id, ...this.policy(), start: (self) => this.start(self) })
  }
  /** One start with a random fault; calm starts always succeed. */
  start(self: ChildSelf): Effect.Effect<Running | typeof ignore, unknown, Scope.Scope> {
    return Effect.suspend((): Effect.Effect<Running | typeof ignore, unknown, Scope.Scope> => {
      const fault = this.calm
        ? "none"
        : this.pick([
            "none",
            "none",
            "none",
            "none",
            "none",
            "none",
            "fail",
            "die",
            "throw",
            "hang",
            "slow",
            "ignore",
            "deaf"
          ])
      if (fault !== "none") this.ledger.count(`start ${fault}`)
      switch (fault) {
        case "fail":
          return Effect.andThen(this.resource(self), Effect.fail(this.thrown("start failed")))
        case "die":
          return Effect.andThen(this.resource(self), Effect.die(this.thrown("start died")))
        case "throw":
          throw this.thrown("start threw")
        case "hang":
          return Effect.andThen(this.resource(self), Effect.never)
        case "deaf":
          return Effect.uninterruptible(Effect.never)
        case "ignore":
          return Effect.succeed(ignore)
        case "slow":
          return Effect.andThen(
            this.resource(self),
            Effect.andThen(Effect.sleep(this.random.below(900)), this.life(self))
          )
        default:
          return Effect.andThen(this.resource(self), this.life(self))
      }
    })
  }
  resource(self: ChildSelf) {
    return Effect.andThen(
      Effect.sync(() => this.ledger.acquire(self.path, self.incarnation)),
      Effect.addFinalizer(() =>
        Effect.suspend(() => {
          const fault = this.calm
            ? "none"
            : this.pick(["none", "none", "none", "none", "none", "slow", "die", "never"])
          if (fault !== "none") this.ledger.count(`release ${fault}`)
          const released = Effect.sync(() => this.ledger.release(self.path, self.incarnation))
          if (fault === "slow") return Effect.andThen(Effect.sleep(this.random.below(1_500)), released)
          if (fault === "die") return Effect.andThen(released, Effect.die(this.thrown("release died")))
          // The resource of a deaf release is abandoned on purpose: the runtime must name it, not hold it.
          return fault === "never" ? Effect.andThen(released, Effect.never) : released
        })
      )
    )
  }
  life(self: ChildSelf): Effect.Effect<Running> {
    return Effect.gen({ self: this }, function* () {
      this.selves.set(self.path, self)
      if (this.chance(0.3))
        yield* self.fork(
          "loop",
          Effect.andThen(
            Effect.sleep(this.random.below(30_000)),
            this.calm ? Effect.never : Effect.die(this.thrown("loop died"))
          )
        )
      const end = this.calm
        ? "never"
        : this.pick(["never", "never", "never", "never", "crash", "finish", "soon"])
      const soon = Effect.sleep(this.random.below(10_000))
      if (end !== "never") this.ledger.count(`run ${end}`)
      const drain = this.chance(0.2) ? { drain: Effect.sleep(this.random.below(500)) } : {}
      if (end === "crash")
        return { run: Effect.andThen(soon, Effect.fail(this.thrown("run failed"))), ...drain }
      if (end === "finish")
        return { run: Effect.as(soon, this.pick([undefined, shutdown("done")])), ...drain }
      return end === "soon" ? { run: Effect.fail(this.thrown("run failed at once")) } : drain
    })
  }
  children(depth: number, prefix: string): ReadonlyArray<ChildSpec> {
    const count = 2 + this.random.below(6)
    return Array.from({ length: count }, (_, index) => {
      if (this.made >= this.options.components || depth >= 5 || this.chance(0.55))
        return this.worker(`w${index}`)
      this.made++
      const flags = {
        id: `${prefix}${index}`,
        ...this.policy(),
        stopBudgetMs: "infinity" as const,
        intensity: { max: 3 + this.random.below(5), withinMs: 5_000 }
      }
      if (this.chance(0.3)) {
        const instances = Array.from({ length: this.random.below(8) }, (_unused, number) => ({
          id: `i${number}`,
          args: number
        }))
        this.made += instances.length
        return dynamic({
          ...flags,
          instances,
          template: { ...this.policy(), start: () => (self: ChildSelf) => this.start(self) }
        })
      }
      return supervisor({
        ...flags,
        strategy: this.pick(["one_for_one", "one_for_all", "rest_for_one"] as const),
        children: this.children(depth + 1, "s")
      })
    })
  }
}

const walk = (node: TreeNode, visit: (node: TreeNode) => void): void => {
  visit(node)
  for (const below of node.children) walk(below, visit)
}

/** Compares the snapshot with the ledger. */
const check = (fuzz: Fuzz, tree: Tree, step: number): void => {
  const seen = new Set<string>()
  walk(tree.snapshot(), (node) => {
    seen.add(node.path)
    const live = fuzz.ledger.live(node.path)
    const dead =
      node.phase === "stopped" ||
      node.phase === "backingOff" ||
      node.phase === "failed" ||
      node.phase === "paused" ||
      node.phase === "waiting"
    if (dead && live > 0)
      fuzz.ledger.violations.push(`step ${step}: ${node.path} is ${node.phase} with ${live} open resources`)
    if (node.phase === "backingOff" && node.nextAt === undefined)
      fuzz.ledger.violations.push(`step ${step}: ${node.path} backs off without a next attempt`)
  })
  for (const path of fuzz.ledger.open.keys())
    if (fuzz.ledger.live(path) > 0 && !seen.has(path))
      fuzz.ledger.violations.push(`step ${step}: ${path} is not in the tree and has open resources`)
}

/** One random operation; answers are awaited in the background, because a stop may take virtual time. */
const operate = (fuzz: Fuzz, tree: Tree, paths: ReadonlyArray<TreeNode>, step: number) =>
  Effect.gen(function* () {
    const target = fuzz.pick(paths)
    const ask = (effect: Effect.Effect<unknown, AdminError>) =>
      Effect.forkChild(Effect.ignore(effect), { startImmediately: true })
    switch (fuzz.random.below(12)) {
      case 0:
      case 1:
        return fuzz.selves.get(target.path)?.crash(fuzz.thrown("poked"))
      case 2:
        return fuzz.selves.get(target.path)?.end()
      case 3:
        return fuzz.selves.get(target.path)?.setStatus({ ready: fuzz.chance(0.5) })
      case 4:
        return yield* ask(tree.terminateChild(target.path))
      case 5:
        return yield* ask(tree.restartChild(target.path))
      case 6:
        return yield* ask(fuzz.chance(0.5) ? tree.pause(target.path) : tree.resume(target.path))
      case 7:
        return yield* ask(tree.bounce(target.path))
      case 8:
        return yield* ask(
          target.type === "dynamic"
            ? tree.startInstance(target.path, { args: 0 })
            : tree.startChild(target.path, fuzz.worker(`n${fuzz.random.below(5)}`))
        )
      case 9:
        return yield* ask(tree.deleteChild(target.path))
      case 10:
        return tree.send(target.path, { type: fuzz.pick(["work", "bug", "nonsense"]) })
      default: {
        const pinging = yield* Effect.forkChild(tree.ping(1_000), { startImmediately: true })
        yield* TestClock.adjust(fuzz.pick([1, 50, 1_000]))
        if (pinging.pollUnsafe() === undefined) yield* TestClock.adjust(1_000)
        const answer = pinging.pollUnsafe()
        if (answer?._tag !== "Success") fuzz.ledger.violations.push(`step ${step}: ping not answered`)
      }
    }
  })

/** Runs the whole scenario: start, operations, calm, stop. */
export const runFuzz = (options: FuzzOptions): Effect.Effect<FuzzResult, never, never> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fuzz = new Fuzz(options)
      const children: Array<ChildSpec> = []
      while (fuzz.made < options.components)
        children.push(
          supervisor({
            id: `g${children.length}`,
            ...fuzz.policy(),
            restart: "permanent",
            stopBudgetMs: "infinity",
            initialStart: "retry",
            strategy: fuzz.pick(["one_for_one", "one_for_all", "rest_for_one"] as const),
            intensity: { max: 5, withinMs: 5_000 },
            children: fuzz.children(1, "s")
          })
        )
      const starting = yield* Effect.forkChild(
        plant(
          supervisor({ id: "root", intensity: { max: Number.POSITIVE_INFINITY, withinMs: 1 }, children }),
          {
            stopDeadlineMs,
            seed: options.seed,
            observers: [
              (event) => {
                if (event._tag === "Killed")
                  fuzz.ledger.killed.add(`${event.offender.path}#${event.offender.incarnation}`)
              }
            ]
          }
        ),
        { startImmediately: true }
      )
      // The start of the tree waits for hanging starts, one after the other; each has its deadline.
      for (let guard = 0; starting.pollUnsafe() === undefined && guard < 10_000; guard++)
        yield* TestClock.adjust(1_000)
      if (starting.pollUnsafe() === undefined) return yield* Effect.die(new Error("the tree did not start"))
      const tree = yield* Effect.orDie(Fiber.join(starting))
      let paths: Array<TreeNode> = []
      for (let step = 0; step < options.operations && fuzz.ledger.violations.length === 0; step++) {
        if (step % 50 === 0) {
          paths = []
          walk(tree.snapshot(), (node) => paths.push(node))
        }
        yield* operate(fuzz, tree, paths, step)
        if (step % 10 === 0) yield* TestClock.adjust(fuzz.random.below(2_000))
        if (step % 25 === 0) check(fuzz, tree, step)
      }
      fuzz.calm = true
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      for (
        let second = 0;
        stopping.pollUnsafe() === undefined && second < stopDeadlineMs / 1_000 + 1;
        second++
      )
        yield* TestClock.adjust(1_000)
      // Not joined when it hangs: a test that waits forever names nothing.
      const stopped = stopping.pollUnsafe()
      if (stopped === undefined) fuzz.ledger.violations.push("the tree did not stop inside its deadline")
      const report = stopped?._tag === "Success" ? stopped.value : undefined
      // What was killed may end late; what was not killed must be gone.
      const leaked = [...fuzz.ledger.open.keys()].filter((path) => fuzz.ledger.live(path) > 0)
      return {
        violations: fuzz.ledger.violations,
        components: fuzz.made,
        restarts: tree.figures().restarts,
        killed: report?.killed.length ?? 0,
        leaked,
        faults: fuzz.ledger.faults
      }
    })
  )
