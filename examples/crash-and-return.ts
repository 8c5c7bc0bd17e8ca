/**
 * A worker that crashes and comes back.
 *
 * It counts to three and divides by zero. The supervisor restarts it after a delay that doubles. Its budget allows
 * three restarts in a minute; the fourth crash is one too many, and the worker is parked: visible as `failed`, retried
 * slowly, instead of taking its sibling down with it.
 *
 *     node examples/crash-and-return.ts
 *
 * In a project that has installed the package, import from "holdfast/runtime".
 */
import { Data, Effect } from "effect"
import { formatReport, startTree, supervisor, type Start, type Tree, worker } from "../src/runtime/entry.ts"

class DivisionByZero extends Data.TaggedError("DivisionByZero")<{ readonly after: number }> {}

/** Lives for three ticks. `run` is the life: a failure in it is a crash, with its cause. */
const counter: Start = (self) =>
  Effect.succeed({
    run: Effect.gen(function* () {
      for (let tick = 1; tick <= 3; tick++) {
        self.setStatus({ state: `Counting${tick}` })
        console.log(`  counter, life ${self.incarnation}: ${tick}`)
        yield* Effect.sleep(10)
      }
      return yield* new DivisionByZero({ after: 3 })
    })
  })

/** Has nothing to do with the counter, and must not notice anything. */
const clock: Start = (self) => Effect.succeed({ extra: `clock of life ${self.incarnation}` })

const tree = supervisor({
  id: "root",
  children: [
    worker({ id: "clock", start: clock }),
    worker({
      id: "counter",
      start: counter,
      backoff: { firstMs: 20, factor: 2, jitter: "none" },
      budget: { max: 3, withinMs: 60_000 },
      whenExhausted: { action: "park", retryEveryMs: 60_000 }
    })
  ]
})

const phaseOf = (tree: Tree, id: string) => tree.snapshot().children.find((child) => child.id === id)?.phase

const program = Effect.gen(function* () {
  const running = yield* startTree(tree, {
    stopDeadlineMs: 2_000,
    observers: [(report) => console.log(formatReport(report))]
  })
  while (phaseOf(running, "counter") !== "failed") yield* Effect.sleep(10)
  const nodes = running.snapshot().children
  for (const node of nodes)
    console.log(
      `${node.path}: ${node.phase}, ${node.restarts} restarts, last error: ${node.lastError ?? "none"}`
    )
  const report = yield* running.stop
  console.log(`stopped, killed: ${report.killed.length}`)
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.timeout("20 seconds")))
