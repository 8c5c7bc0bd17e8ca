import { assert, describe, it } from "@effect/vitest"
import { Deferred, Cause, Data, Effect, Exit, Fiber } from "effect"
import type { DatabaseService } from "../../../src/layers/database/database.port.ts"
import { makePgDatabase } from "../../../src/layers/database/database.pg.ts"
import { socketTarget } from "../../../src/layers/database/database-target.ts"
import { emptyDatabase, layerFreshDatabase, openFreshDatabase } from "../../support/postgres.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { stopwatch } from "../../support/stopwatch.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly why: string }> {}

const open = (poolSize = 3) =>
  Effect.gen(function* () {
    const { target } = yield* emptyDatabase
    const database = yield* makePgDatabase({ target, poolSize })
    yield* database.run(
      "create",
      (sql) => sql`CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)`
    )
    return database
  })

const count = (database: DatabaseService) =>
  database
    .run("count", (sql) => sql<{ n: bigint }>`SELECT count(*) AS n FROM item`)
    .pipe(Effect.map((rows) => Number(rows[0]?.n)))

describe("a database call", { timeout: 180_000 }, () => {
  it.live("answers with rows, int8 as bigint, on a fresh database with our schema", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const rows = yield* database.run("signals.count", (sql) => sql`SELECT count(*) AS n FROM signals`)
      assert.deepStrictEqual(rows, [{ n: 0n }])
    }).pipe(Effect.provide(layerFreshDatabase()))
  )

  it.live("has the timeouts, the name and the time zone that we set", () =>
    Effect.gen(function* () {
      const { database } = yield* openFreshDatabase({ applicationName: "a test" })
      const [row] = yield* database.run(
        "settings",
        (sql) => sql`SELECT current_setting('statement_timeout') AS s, current_setting('lock_timeout') AS l,
          current_setting('idle_in_transaction_session_timeout') AS i, current_setting('application_name') AS a,
          current_setting('timezone') AS z`
      )
      assert.deepStrictEqual(row, { s: "5s", l: "2s", i: "10s", a: "a test", z: "UTC" })
    })
  )

  it.live("passes the caller's own error on, and a bug stays a defect", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const refused = new Refused({ why: "mine" })
      assert.strictEqual(yield* Effect.flip(database.run("x", () => Effect.fail(refused))), refused)
      const exit = yield* Effect.exit(database.transact("x", () => Effect.die(new TypeError("bug"))))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDieReason(exit.cause.reasons[0] as never))
      assert.strictEqual(database.availability.current(), "unknown")
    })
  )

  it.live("names the violated constraint", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const insert = database.run("insert", (sql) => sql`INSERT INTO item VALUES (1)`)
      yield* insert
      assert.include(yield* Effect.flip(insert), {
        _tag: "DatabaseFault",
        uniqueViolation: "item_pkey",
        sqlState: "23505"
      })
    })
  )

  it.live("fails with unavailability, and marks it, when nobody listens; building asked nobody", () =>
    Effect.gen(function* () {
      const database = yield* makePgDatabase({ target: socketTarget("/nonexistent", "x") })
      assert.strictEqual(database.availability.current(), "unknown")
      const error = yield* Effect.flip(database.run("x", (sql) => sql`SELECT 1`))
      assert.include(error, { _tag: "DatabaseUnavailable", reason: "connection", outcome: "not_applied" })
      assert.strictEqual(database.availability.current(), "unavailable")
      assert.include(yield* Effect.flip(database.probe), { _tag: "DatabaseUnavailable" })
    })
  )

  it.live(
    "is answered at its deadline while the server is busy with it, and the connection is free again soon",
    () =>
      Effect.gen(function* () {
        const database = yield* open(1)
        const tookMs = stopwatch()
        const error = yield* Effect.flip(
          database.run("slow", (sql) => sql`SELECT pg_sleep(4)`, { deadlineMs: 200 })
        )
        assert.isBelow(tookMs(), 1_500)
        assert.include(error, { _tag: "DatabaseUnavailable", outcome: "unknown" })
        // The abandoned statement is cancelled on the server: the only connection of the pool serves the next call.
        assert.strictEqual(yield* count(database), 0)
        assert.isBelow(tookMs(), 3_500)
      })
  )

  it.live("that waits for a free connection too long is busy, which is not unavailable", () =>
    Effect.gen(function* () {
      const database = yield* open(1)
      database.availability.mark("available")
      const holders = [600, 600].map((ms) =>
        database.run("hold", (sql) => sql`SELECT pg_sleep(${ms / 1000}::float8)`)
      )
      const fibers = yield* Effect.forEach(holders, (holder) =>
        Effect.forkChild(holder, { startImmediately: true })
      )
      const error = yield* Effect.flip(database.run("late", (sql) => sql`SELECT 1`, { deadlineMs: 900 }))
      assert.include(error, { _tag: "DatabaseUnavailable", reason: "busy" })
      assert.strictEqual(database.availability.current(), "available")
      for (const fiber of fibers) yield* Fiber.join(fiber)
      assert.include(database.stats(), { inFlight: 0, abandoned: 0, deadlinesTotal: 1 })
    })
  )

  it.live("told to stop by its caller stops, and its connection serves others", () =>
    Effect.gen(function* () {
      const database = yield* open(1)
      const fiber = yield* Effect.forkChild(
        database.run("slow", (sql) => sql`SELECT pg_sleep(4)`),
        { startImmediately: true }
      )
      yield* Effect.sleep(50)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* count(database), 0)
      assert.strictEqual(database.stats().inFlight, 0)
    })
  )

  it.live("after the client was closed is unavailability, not an interruption", () =>
    Effect.gen(function* () {
      const database = yield* Effect.scoped(open())
      assert.include(yield* Effect.flip(count(database)), {
        _tag: "DatabaseUnavailable",
        reason: "connection"
      })
    })
  )
})

describe("a probe", { timeout: 180_000 }, () => {
  it.live("after a refusal for lack of disk space answers only when space can be taken again", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const refuse = (when: string) =>
        database.run(
          "refuse",
          (sql) => sql`CREATE EVENT TRIGGER full_disk ON ddl_command_start WHEN TAG IN (${sql.literal(when)})
            EXECUTE FUNCTION no_space()`
        )
      yield* database.run(
        "function",
        (sql) => sql`CREATE FUNCTION no_space() RETURNS event_trigger LANGUAGE plpgsql AS $$
          BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$`
      )
      yield* refuse("'CREATE TABLE AS', 'CREATE TABLE'")
      yield* database.probe
      const refused = yield* Effect.flip(database.run("write", (sql) => sql`CREATE TABLE more (id int)`))
      assert.include(refused, { _tag: "DatabaseUnavailable", reason: "server", outcome: "not_applied" })
      for (const _ of [1, 2]) {
        const error = yield* Effect.flip(database.probe)
        assert.include(error, { _tag: "DatabaseUnavailable", reason: "server" })
        assert.match(error.message, /the disk of the database is full/)
      }
      yield* database.run("free", (sql) => sql`DROP EVENT TRIGGER full_disk`)
      yield* database.probe
      // Found once, it is not asked for again: the routine probe makes no tables.
      yield* refuse("'CREATE TABLE AS'")
      yield* database.probe
      assert.deepStrictEqual(
        yield* database.run(
          "left",
          (sql) => sql`SELECT relname FROM pg_class WHERE relname = 'holdfast_room'`
        ),
        []
      )
    })
  )
})

describe("a transaction", { timeout: 180_000 }, () => {
  it.live("commits on success and rolls back on the caller's error, which arrives unchanged", () =>
    Effect.gen(function* () {
      const database = yield* open()
      yield* database.transact("one", (sql) => sql`INSERT INTO item VALUES (1)`)
      const refused = yield* Effect.flip(
        database.transact("two", (sql) =>
          Effect.andThen(sql`INSERT INTO item VALUES (2)`, Effect.fail(new Refused({ why: "no" })))
        )
      )
      assert.strictEqual(refused._tag, "Refused")
      assert.strictEqual(yield* count(database), 1)
    })
  )

  it.live("with a failed nested transaction goes on after its savepoint", () =>
    Effect.gen(function* () {
      const database = yield* open()
      yield* database.transact("nested", (sql) =>
        Effect.gen(function* () {
          yield* sql`INSERT INTO item VALUES (1)`
          yield* Effect.exit(sql.withTransaction(sql`INSERT INTO item VALUES (1)`))
          yield* sql`INSERT INTO item VALUES (2)`
        })
      )
      assert.strictEqual(yield* count(database), 2)
    })
  )

  it.live("whose connection is killed is a typed error, not a defect, and nothing of it is stored", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const error = yield* Effect.flip(
        database.transact("killed", (sql) =>
          Effect.gen(function* () {
            yield* sql`INSERT INTO item VALUES (1)`
            yield* sql`SELECT pg_terminate_backend(pg_backend_pid())`
          })
        )
      )
      assert.include(error, { _tag: "DatabaseUnavailable", outcome: "not_applied" })
      assert.strictEqual(database.availability.current(), "unavailable")
      assert.strictEqual(yield* count(database), 0)
    })
  )

  it.live("whose connection is killed while the caller fails still fails with the caller's error", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const error = yield* Effect.flip(
        database.transact("killed", (sql) =>
          sql`SELECT pg_terminate_backend(pg_backend_pid())`.pipe(
            Effect.exit,
            Effect.andThen(Effect.fail(new Refused({ why: "mine" })))
          )
        )
      )
      assert.include(error, { _tag: "Refused", why: "mine" })
    })
  )

  it.live("declared idempotent is tried again when a lock or a connection was lost; others are not", () =>
    Effect.gen(function* () {
      const database = yield* open()
      let tries = 0
      const flaky = Effect.fnUntraced(function* (
        sql: Parameters<Parameters<DatabaseService["transact"]>[1]>[0]
      ) {
        tries += 1
        yield* sql`INSERT INTO item VALUES (${tries})`
        if (tries < 3) yield* sql`SELECT pg_terminate_backend(pg_backend_pid())`
      })
      assert.include(yield* Effect.flip(database.transact("once", flaky)), { _tag: "DatabaseUnavailable" })
      assert.strictEqual(tries, 1)
      yield* database.transact("again", flaky, { retry: "idempotent" })
      assert.strictEqual(tries, 3)
      assert.strictEqual(yield* count(database), 1)
      assert.strictEqual(database.stats().retriesTotal, 1)
    })
  )

  it.live("blocked by another's lock is contention after the lock timeout, not unavailability", () =>
    Effect.gen(function* () {
      const database = yield* open()
      yield* database.run("insert", (sql) => sql`INSERT INTO item VALUES (1)`)
      const held = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(
        database.transact("hold", (sql) =>
          sql`UPDATE item SET n = 1`.pipe(
            Effect.andThen(Deferred.succeed(held, undefined)),
            Effect.andThen(Effect.sleep(3_000))
          )
        ),
        { startImmediately: true }
      )
      yield* Deferred.await(held)
      const error = yield* Effect.flip(database.transact("blocked", (sql) => sql`UPDATE item SET n = 2`))
      assert.include(error, { _tag: "DatabaseUnavailable", reason: "contention", outcome: "not_applied" })
      assert.strictEqual(database.availability.current(), "unknown")
      yield* Fiber.join(holder)
    })
  )
})
