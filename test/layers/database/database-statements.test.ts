/** Which statements take long: known by call and text, bounded, without parameters, and without the wait for a connection. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  fingerprintOf,
  makeStatementLedger,
  statementLimits
} from "../../../src/layers/database/database-statements.ts"
import { makePgDatabase } from "../../../src/layers/database/database.pg.ts"
import { emptyDatabase } from "../../support/postgres.ts"

describe("the text of a statement", () => {
  it("is one line in which lists of any length are the same", () => {
    const asked = (list: string) => `SELECT a, -- why\n  b FROM t\n WHERE a IN (${list}) AND b = $9`
    assert.strictEqual(fingerprintOf(asked("$1")), "SELECT a, b FROM t WHERE a IN ($) AND b = $")
    assert.strictEqual(fingerprintOf(asked("$1, $2")), "SELECT a, b FROM t WHERE a IN ($, …) AND b = $")
    assert.strictEqual(fingerprintOf(asked("$1,$2,$3")), fingerprintOf(asked("$1, $2")))
    assert.strictEqual(fingerprintOf("SELECT f($1::text[], $2::int)"), "SELECT f($, …)")
    assert.strictEqual(
      fingerprintOf("INSERT INTO t VALUES ($1, $2), ($3, $4), ($5, $6)"),
      "INSERT INTO t VALUES ($, …), …"
    )
  })

  it("is cut where it is too long", () => {
    const text = fingerprintOf(`SELECT ${"a".repeat(5_000)}`)
    assert.lengthOf(text, statementLimits.textCharactersMax)
    assert.match(text, /a…$/)
  })
})

describe("the figures of statements", () => {
  const ledger = () => {
    const world = { epochMs: 1_000 }
    return {
      world,
      ...makeStatementLedger(
        () => 0,
        () => world.epochMs
      )
    }
  }

  it("are counts, sums and the longest, with when that was", () => {
    const { note, slowest, world } = ledger()
    note("a", "SELECT $1", 5, false)
    world.epochMs = 2_000
    note("a", "SELECT $1", 30, true)
    world.epochMs = 3_000
    note("a", "SELECT $1", 10, false)
    note("b", "SELECT $1", 40, false)
    assert.deepStrictEqual(slowest(5)[1], {
      operation: "a",
      text: "SELECT $",
      count: 3,
      failed: 1,
      totalMs: 45,
      longestMs: 30,
      longestAtMs: 2_000,
      lastAtMs: 3_000
    })
    const names = (by: "longestMs" | "totalMs") => slowest(5, by).map(({ operation }) => operation)
    assert.deepStrictEqual(
      [names("longestMs"), names("totalMs")],
      [
        ["b", "a"],
        ["a", "b"]
      ]
    )
    assert.lengthOf(slowest(1), 1)
  })

  it("are kept of the slowest, however many statements there are", () => {
    const { note, slowest } = ledger()
    const { statementsMax } = statementLimits
    note("slow", "SELECT 1", 1_000, false)
    for (let n = 0; n < 3 * statementsMax; n += 1) note("many", `SELECT ${n} FROM t`, n / 10, false)
    const kept = slowest(10 * statementsMax)
    assert.lengthOf(kept, statementsMax)
    assert.strictEqual(kept[0]?.operation, "slow")
    assert.strictEqual(kept[1]?.text, `SELECT ${3 * statementsMax - 1} FROM t`)
    // What was forgotten begins at nothing.
    note("many", "SELECT 0 FROM t", 2_000, false)
    assert.deepInclude(slowest(1)[0], { text: "SELECT 0 FROM t", count: 1 })
  })

  it.live("come from every statement of a call, from when it has its connection, and from its commit", () =>
    Effect.gen(function* () {
      const { target } = yield* emptyDatabase
      const { slowest, ...rest } = makeStatementLedger(
        () => performance.now(),
        () => Date.now()
      )
      const database = yield* makePgDatabase({ target, poolSize: 1, statements: { slowest, ...rest } })
      const sleep = database.run("sleep", (sql) => sql`SELECT pg_sleep(0.3), ${"secret-of-a-row"}::text AS s`)
      // The second waits for the only connection as long as the first sleeps.
      const quick = database.run("quick", (sql) => sql`SELECT 1 AS one`)
      yield* Effect.all([sleep, quick], { concurrency: 2 })
      yield* Effect.ignore(database.run("wrong", (sql) => sql`SELECT 1 / 0`))
      yield* database.transact("both", (sql) =>
        Effect.andThen(
          sql`CREATE TABLE item (id int)`,
          sql`INSERT INTO item ${sql.insert([{ id: 1 }, { id: 2 }])}`
        )
      )
      const all = slowest(100)
      const of = (operation: string) => all.filter((one) => one.operation === operation)
      assert.strictEqual(all[0]?.operation, "sleep")
      assert.isAtLeast(of("sleep")[0]?.longestMs ?? 0, 290)
      assert.isBelow(of("quick")[0]?.longestMs ?? 999, 200)
      assert.deepInclude(of("wrong")[0], { count: 1, failed: 1, text: "SELECT 1 / 0" })
      assert.sameMembers(
        of("both").map(({ text }) => text),
        ["CREATE TABLE item (id int)", 'INSERT INTO item ("id") VALUES ($), …', "COMMIT"]
      )
      assert.notInclude(JSON.stringify(all), "secret-of-a-row")
    })
  )
})
