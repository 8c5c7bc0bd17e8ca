/**
 * A flood of signals from the practice server through a feed into the database, and what it cost in memory.
 *
 * Promises: samples while it runs; both measurements are taken when nothing waits, the first at half time, because V8
 * keeps the pages of its busiest moment and that is no growth.
 * Never: asserts anything.
 */
import { Effect } from "effect"
import { collectGarbage } from "../support/garbage.ts"
import { openFreshDatabase } from "../support/postgres.ts"
import { feedSettings, runningFeed, signalServer, until } from "./feed-world.ts"

/** Bytes after garbage is collected: resident, and held by us. */
const held = Effect.map(collectGarbage, () => {
  const { external, heapUsed, rss } = process.memoryUsage()
  return { rss, held: heapUsed + external }
})

/** Sends `messages` single signals as fast as they are taken: half of them, a quiet moment to measure in, the rest. */
export const flood = (messages: number, withinMs: number) =>
  Effect.gen(function* () {
    const { database } = yield* openFreshDatabase({ poolSize: 4 })
    database.availability.mark("available")
    const half = { type: "flood", signals: messages / 2 }
    const faults = [
      { on: "live", do: { ...half, prefix: "first" } },
      // The second get_signals of the connection is the one this test asks for.
      { on: "get_signals", nth: 2, do: { ...half, prefix: "second" } }
    ]
    const server = yield* signalServer({ faults })
    const settings = feedSettings({ answerMsMax: 86_400_000 })
    const { child, feed } = yield* runningFeed(database, "flood", settings, () => server.url)
    const stored = (): number => Number(child().detail["stored"])
    let waitingMax = 0
    let paused = false
    const reach = (count: number) =>
      until(
        `${count} signals are stored`,
        () => {
          const { detail } = child()
          waitingMax = Math.max(waitingMax, Number(detail["waiting"]))
          paused = paused || detail["paused"] === true
          return stored() >= count && detail["waiting"] === 0
        },
        withinMs
      )
    yield* reach(messages / 2)
    const before = yield* held
    yield* Effect.exit(feed.requestSignals(1))
    yield* reach(messages)
    const after = yield* held
    const rows = yield* database.run(
      "test",
      (sql) =>
        sql<{
          n: number
          ids: number
        }>`SELECT count(*)::int AS n, count(DISTINCT identity)::int AS ids FROM signals`
    )
    const grown = { rss: after.rss - before.rss, held: after.held - before.held }
    return { grown, waitingMax, paused, rows: rows[0], child: child() }
  }).pipe(Effect.scoped)
