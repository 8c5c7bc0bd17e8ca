/**
 * Collapse: concurrent calls about single things become one statement about all of them.
 *
 * Thousands of accounts that start at once would be tens of thousands of round trips, each cheap and all together half a
 * minute. Like in the intake, the batch is formed by the previous statement and never by a timer: a lone call is
 * sent at once, and calls that arrive while it runs share the next one.
 *
 * Promises: one statement at a time per collapsed call; every caller gets its own answer or the failure of its batch; a
 * caller that goes away does not affect the others.
 * Never: delays, reorders or retries. What waits is bounded by its callers.
 */
import { Deferred, Effect, type Scope } from "effect"

interface Waiting<K, A, E> {
  readonly key: K
  readonly answer: Deferred.Deferred<A, E>
}

/** `run` answers for `keys` in their order. The statements run in the scope of whoever builds this. */
export const collapse = <K, A, E>(
  run: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<A>, E>,
  batchMax: number
): Effect.Effect<(key: K) => Effect.Effect<A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const waiting: Array<Waiting<K, A, E>> = []
    let running = false
    const work = Effect.gen(function* () {
      while (waiting.length > 0) {
        const batch = waiting.splice(0, batchMax)
        const exit = yield* Effect.exit(run(batch.map(({ key }) => key)))
        batch.forEach(({ answer }, index) => {
          Deferred.doneUnsafe(
            answer,
            // A row for every key: a run that returns fewer is a bug, and must not leave its caller waiting forever.
            Effect.flatMap(exit, (answers) =>
              index < answers.length
                ? // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- within its length a list has its elements
                  Effect.succeed(answers[index] as A)
                : Effect.die(new Error("a collapsed call was not answered"))
            )
          )
        })
      }
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          running = false
          // The scope closed: nobody is left to run what still waits.
          for (const { answer } of waiting.splice(0)) Deferred.doneUnsafe(answer, Effect.interrupt)
        })
      )
    )
    return (key) =>
      Effect.suspend(() => {
        const answer = Deferred.makeUnsafe<A, E>()
        waiting.push({ key, answer })
        if (running) return Deferred.await(answer)
        running = true
        return Effect.andThen(Effect.forkIn(work, scope), Deferred.await(answer))
      })
  })

/** Runs `f` for at most `batchMax` of `all` at a time, one batch after the other. */
export const inBatches = <A, B, E>(
  all: ReadonlyArray<A>,
  batchMax: number,
  f: (some: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, E>
): Effect.Effect<ReadonlyArray<B>, E> => {
  const batches = Array.from({ length: Math.ceil(all.length / batchMax) }, (_, n) =>
    all.slice(n * batchMax, (n + 1) * batchMax)
  )
  return Effect.map(Effect.forEach(batches, f), (answers) => answers.flat())
}
