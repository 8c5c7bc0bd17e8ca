/**
 * A nested tree in which failure escalates: worker, then group, then root.
 *
 * `session` and `orders` belong together, so their supervisor restarts both when one crashes (`one_for_all`). Two
 * such restarts within a minute are allowed; the third crash exhausts the group's intensity, the group gives up,
 * and its own supervisor starts the whole group again, with a fresh budget. When that does not help either, the
 * root gives up and names the culprit: the program then ends with a status instead of limping on.
 *
 *     node examples/nested-escalation.ts
 *
 * In a project that has installed the package, import from "holdfast/runtime".
 */
import { Data, Effect } from "effect"
import { formatReport, startTree, supervisor, type Start, worker } from "../src/runtime/entry.ts"

class SessionRefused extends Data.TaggedError("SessionRefused")<{ readonly by: string }> {
  override get message(): string {
    return `session refused by ${this.by}`
  }
}

let lives = 0
/** Its session is refused forever, a little after each start. */
const session: Start = () =>
  Effect.sync(() => {
    lives++
    return {
      run: Effect.andThen(
        Effect.sleep(5),
        Effect.suspend(() => Effect.fail(new SessionRefused({ by: "the venue" })))
      )
    }
  })
const lasting: Start = () => Effect.succeed({})

const tree = supervisor({
  id: "root",
  intensity: { max: 1, withinMs: 60_000 },
  children: [
    worker({ id: "journal", start: lasting }),
    supervisor({
      id: "venue",
      strategy: "one_for_all",
      intensity: { max: 2, withinMs: 60_000 },
      children: [
        worker({ id: "session", start: session, backoff: { firstMs: 0 } }),
        worker({ id: "orders", start: lasting })
      ]
    })
  ]
})

const program = Effect.gen(function* () {
  const running = yield* startTree(tree, {
    stopDeadlineMs: 2_000,
    observers: [(report) => console.log(formatReport(report))]
  })
  const end = yield* running.awaitEnd
  console.log(`the session lived ${lives} times`)
  console.log(
    end._tag === "GaveUp" ? `the tree gave up: ${end.error.message}` : `the tree ended: ${end._tag}`
  )
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.timeout("20 seconds")))
