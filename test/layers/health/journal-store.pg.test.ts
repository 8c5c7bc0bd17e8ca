/** The stored journal on PostgreSQL: what comes back is what went in, once, of this node only. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { type JournalEntry, journalFact } from "../../../src/domain/platform/journal.ts"
import { Database, type DatabaseService } from "../../../src/layers/database/database.port.ts"
import { journalStorePg } from "../../../src/layers/health/journal-store.pg.ts"
import { type EntryPage, JournalStore } from "../../../src/layers/health/journal-store.port.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { openFreshDatabase } from "../../support/postgres.ts"

const boot = "c0000000-0000-4000-8000-000000000000"
const next = "d0000000-0000-4000-8000-000000000000"
const base = 1_796_029_356_472_000
const at = Date.UTC(2026, 10, 30, 9, 0, 0, 123)

const full: JournalEntry = {
  seq: base + 1,
  type: "transition",
  at,
  path: "root/trading/accounts/paper-1",
  incarnation: 3,
  event: "order.acked",
  from: "Sending",
  to: "Idle",
  since: at - 1_500,
  cause: "ünï \u2028 \ufffd %_\\",
  correlationId: "s-1",
  guard: "isOurs",
  actions: ["note", "ring"],
  context: { attempt: [1, 2], lastError: [null, "x"] },
  detail: { nested: { deep: [1, "two", null] } }
}
const bare = (seq: number, path = "root", type: JournalEntry["type"] = "health"): JournalEntry => ({
  ...journalFact({ type, at: at + seq - base, path, event: "e" }),
  seq
})

const storeOf = (database: DatabaseService, nodeId: string) => {
  const instance = makeInstance()
  instance.assign({ nodeId, bootId: boot })
  return Effect.provide(
    JournalStore,
    journalStorePg.pipe(
      Layer.provide(Layer.merge(Layer.succeed(Database, database), Layer.succeed(Instance, instance)))
    )
  )
}

const page: EntryPage = { limit: 100, after: 0, before: null, sinceMs: null, path: null, types: null }

describe("the stored journal", () => {
  it.live("returns what was stored, whole, once, in the order of its numbers", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* openFreshDatabase()
        const store = yield* storeOf(database, "node-a")
        const entries = [full, bare(base + 2), bare(base + 3)]
        yield* store.store(boot, entries)
        // A commit whose answer was lost.
        yield* store.store(boot, entries.slice(1))
        yield* store.store(boot, [])
        const read = yield* store.read(page)
        assert.deepStrictEqual(
          read,
          entries.map((entry) => ({ ...entry, boot }))
        )
        assert.strictEqual(yield* store.oldest, base + 1)
      })
    )
  )

  it.live("pages both ways, by filter, by instant, over processes, and never shows another node's", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* openFreshDatabase()
        const store = yield* storeOf(database, "node-a")
        const other = yield* storeOf(database, "node-b")
        assert.isNull(yield* store.oldest)
        yield* database.run(
          "test",
          (sql) => sql`INSERT INTO actor_events (at, path, event) VALUES (hf_now(), 'root', 'of before')`
        )
        yield* store.store(boot, [
          bare(base + 1, "root/a"),
          bare(base + 2, "root/a/b"),
          bare(base + 3, "root/ab", "order"),
          bare(base + 4, "root/a#child", "order")
        ])
        yield* store.store(next, [bare(base + 10_000, "root/a_b")])
        yield* other.store(boot, [bare(base + 1, "root/a"), bare(base + 5, "root/a")])
        const seqs = (more: Partial<EntryPage>) =>
          Effect.map(store.read({ ...page, ...more }), (rows) => rows.map(({ seq }) => seq - base))
        assert.deepStrictEqual(yield* seqs({}), [1, 2, 3, 4, 10_000])
        assert.deepStrictEqual(yield* seqs({ after: null, limit: 2 }), [10_000, 4])
        assert.deepStrictEqual(yield* seqs({ after: null, before: base + 4 }), [3, 2, 1])
        assert.deepStrictEqual(yield* seqs({ after: base + 2, before: base + 10_000 }), [3, 4])
        assert.deepStrictEqual(yield* seqs({ path: "root/a" }), [1, 2, 4])
        assert.deepStrictEqual(yield* seqs({ path: "root/a", alone: true }), [1, 4])
        assert.deepStrictEqual(yield* seqs({ after: null, path: "root/a", lookedAtMax: 3 }), [4])
        assert.deepStrictEqual(yield* seqs({ path: "root/a_b" }), [10_000])
        assert.deepStrictEqual(yield* seqs({ types: ["order"] }), [3, 4])
        assert.deepStrictEqual(yield* seqs({ sinceMs: at + 4 }), [4, 10_000])
      })
    )
  )

  it.live("refuses what is no JSON as a fault, before the database sees it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* openFreshDatabase()
        const store = yield* storeOf(database, "node-a")
        const fault = yield* Effect.flip(store.store(boot, [{ ...full, detail: { big: 1n } }]))
        assert.strictEqual(fault._tag, "DatabaseFault")
      })
    )
  )

  it.live("refuses a type that it does not know as a fault, and stores none of the batch", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* openFreshDatabase()
        const store = yield* storeOf(database, "node-a")
        const wrong = { ...bare(base + 2), type: "nonsense" } as unknown as JournalEntry
        const fault = yield* Effect.flip(store.store(boot, [bare(base + 1), wrong]))
        assert.strictEqual(fault._tag, "DatabaseFault")
        assert.isEmpty(yield* store.read(page))
      })
    )
  )
})
