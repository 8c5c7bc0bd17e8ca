import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Scope } from "effect"
import { applySchema } from "../../src/layers/database/database-schema.pg.ts"
import { databaseLimits } from "../../src/layers/database/database-limits.ts"
import { makePgDatabase } from "../../src/layers/database/database.pg.ts"
import { embeddedServer } from "../../src/layers/database/postgres-server.embedded.ts"
import { stopwatch } from "../support/stopwatch.ts"
import { freezeTree, patience, seededDirectory, thawTree } from "./postgres-world.ts"

const quiet = Effect.provide(Logger.layer([]))
const deadlineMs = 400
/** What a busy two-core machine may add to a deadline. */
const slackMs = 1_500

const world = Effect.gen(function* () {
  const dataDir = yield* seededDirectory
  const running = yield* embeddedServer({ dataDir }).start
  const database = yield* makePgDatabase({
    target: running.target,
    poolSize: 4,
    silenceMs: 2_000,
    statementMs: 1_500
  })
  yield* database.run("create", (sql) => sql`CREATE TABLE IF NOT EXISTS item (id text PRIMARY KEY)`)
  yield* database.probe
  database.availability.mark("available")
  return { dataDir, running, database, pid: running.pid ?? -1 }
})

const elapsed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const tookMs = stopwatch()
    return Effect.map(effect, (value) => ({ value, ms: tookMs() }))
  })

describe("a server frozen by SIGSTOP", patience, () => {
  it.live(
    "answers nobody, and every call is answered at its deadline: statements, transactions, those that wait",
    () =>
      Effect.gen(function* () {
        const { database, pid } = yield* world
        const tree = freezeTree(pid)
        yield* Effect.addFinalizer(() => Effect.sync(() => thawTree(tree)))
        const calls = Array.from({ length: 12 }, (_, n) =>
          n % 2 === 0
            ? database.run("run", (sql) => sql`INSERT INTO item VALUES (${`run ${n}`})`, { deadlineMs })
            : database.transact("transact", (sql) => sql`INSERT INTO item VALUES (${`tx ${n}`})`, {
                deadlineMs
              })
        )
        const answers = yield* Effect.forEach(calls, (call) => elapsed(Effect.flip(call)), {
          concurrency: "unbounded"
        })
        for (const { value, ms } of answers) {
          assert.strictEqual(value._tag, "DatabaseUnavailable")
          assert.isBelow(ms, deadlineMs + slackMs)
        }
        assert.strictEqual(database.availability.current(), "unavailable")
        const probe = yield* elapsed(Effect.flip(database.probe))
        assert.isBelow(probe.ms, databaseLimits.probeMs + slackMs)
      }).pipe(quiet)
  )

  it.live("is lost by the first call that heard nothing, although another one ended as busy meanwhile", () =>
    Effect.gen(function* () {
      const { database, pid } = yield* world
      const begin = <A, E>(call: Effect.Effect<A, E>) =>
        Effect.forkChild(Effect.flip(call), { startImmediately: true })
      const working = yield* begin(
        database.run("working", (sql) => sql`SELECT pg_sleep(9)`, { deadlineMs: 2 * deadlineMs })
      )
      // Heard while the one above waits: that the server answers others makes its deadline its own.
      yield* database.probe
      const tree = freezeTree(pid)
      yield* Effect.addFinalizer(() => Effect.sync(() => thawTree(tree)))
      const unheard = yield* begin(
        database.run("unheard", (sql) => sql`SELECT 1`, { deadlineMs: 4 * deadlineMs })
      )
      assert.include(yield* Fiber.join(working), { _tag: "DatabaseUnavailable", reason: "busy" })
      assert.strictEqual(database.availability.current(), "available")
      assert.include(yield* Fiber.join(unheard), { _tag: "DatabaseUnavailable", reason: "silent" })
      assert.strictEqual(database.availability.current(), "unavailable")
    }).pipe(quiet)
  )

  it.live("is lost by a call of seconds, although another one was answered right after that one began", () =>
    Effect.gen(function* () {
      const { database, pid } = yield* world
      const unheard = yield* Effect.forkChild(
        Effect.flip(
          database.run("unheard", (sql) => sql`SELECT pg_sleep(9)`, {
            deadlineMs: databaseLimits.quietMs + 1_000
          })
        ),
        { startImmediately: true }
      )
      yield* database.probe
      const tree = freezeTree(pid)
      yield* Effect.addFinalizer(() => Effect.sync(() => thawTree(tree)))
      assert.include(yield* Fiber.join(unheard), { _tag: "DatabaseUnavailable", reason: "silent" })
      assert.strictEqual(database.availability.current(), "unavailable")
    }).pipe(quiet)
  )

  it.live("that goes on is usable at once, and no call is left hanging", () =>
    Effect.gen(function* () {
      const { database, pid } = yield* world
      const tree = freezeTree(pid)
      const call = Effect.exit(database.transact("tx", (sql) => sql`SELECT 1`, { deadlineMs }))
      yield* Effect.forEach(Array.from({ length: 8 }), () => call, { concurrency: "unbounded" })
      thawTree(tree)
      const { ms } = yield* elapsed(database.probe)
      assert.isBelow(ms, slackMs)
      yield* Effect.sleep(200)
      assert.include(database.stats(), { inFlight: 0, abandoned: 0 })
    }).pipe(quiet)
  )

  it.live(
    "for longer than the silence limit loses its connections, in BEGIN and COMMIT too, and new ones follow",
    () =>
      Effect.gen(function* () {
        const { database, pid } = yield* world
        const frozen = Promise.withResolvers<ReadonlyArray<number>>()
        // Frozen between the body and COMMIT, where the client cannot be interrupted.
        const committing = database.transact(
          "commit",
          (sql) =>
            Effect.andThen(
              sql`INSERT INTO item VALUES ('committing')`,
              Effect.sync(() => frozen.resolve(freezeTree(pid)))
            ),
          { deadlineMs: 1_000 }
        )
        const error = yield* Effect.flip(committing)
        const tree = yield* Effect.promise(() => frozen.promise)
        assert.include(error, { _tag: "DatabaseUnavailable", reason: "silent", outcome: "unknown" })
        assert.strictEqual(database.stats().abandoned, 1)
        yield* Effect.sleep(2_500)
        assert.include(database.stats(), { inFlight: 0, abandoned: 0, silentSocketsTotal: 1 })
        thawTree(tree)
        yield* database.probe
      }).pipe(quiet)
  )

  it.live("and then killed and restarted serves the same client", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const server = embeddedServer({ dataDir })
      const life = yield* Scope.make()
      const first = yield* Scope.provide(server.start, life)
      const database = yield* makePgDatabase({ target: server.target, poolSize: 2 })
      yield* database.run("create", (sql) => sql`CREATE TABLE item (id int)`)
      freezeTree(first.pid ?? -1)
      yield* Effect.exit(database.run("hung", (sql) => sql`INSERT INTO item VALUES (1)`, { deadlineMs }))
      yield* Scope.close(life, Exit.void)
      yield* server.start
      yield* database.run("insert", (sql) => sql`INSERT INTO item VALUES (2)`)
    }).pipe(quiet)
  )

  it.live("does not hold up the closing of its clients, calls in flight included", () =>
    Effect.gen(function* () {
      const { database, pid, running } = yield* world
      const scope = yield* Scope.make()
      const mine = yield* Scope.provide(makePgDatabase({ target: running.target, poolSize: 2 }), scope)
      yield* mine.probe
      const tree = freezeTree(pid)
      const fiber = yield* Effect.forkChild(Effect.exit(mine.transact("tx", (sql) => sql`SELECT 1`)), {
        startImmediately: true
      })
      yield* Effect.sleep(100)
      const { ms } = yield* elapsed(Scope.close(scope, Exit.void))
      assert.isBelow(ms, slackMs)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
      thawTree(tree)
      yield* database.probe
    }).pipe(quiet)
  )

  it.live("does not hold up a migration that is told to stop", () =>
    Effect.gen(function* () {
      const { pid, running } = yield* world
      const tree = freezeTree(pid)
      yield* Effect.addFinalizer(() => Effect.sync(() => thawTree(tree)))
      const migration = yield* Effect.forkChild(Effect.exit(applySchema({ target: running.target })), {
        startImmediately: true
      })
      yield* Effect.sleep(300)
      const { ms } = yield* elapsed(Fiber.interrupt(migration))
      assert.isBelow(ms, slackMs)
    }).pipe(quiet)
  )
})
