import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import { databaseActor } from "../../../src/actors/database/database.actor.ts"
import { FatalStep, makeStartup, Startup } from "../../../src/actors/platform/startup.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"
import { ControlToken } from "../../../src/layers/platform/control-token.port.ts"
import { DataOfAnotherMode } from "../../../src/domain/database/installation.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Installation } from "../../../src/layers/database/installation.port.ts"
import { DataDir, DataDirLocked } from "../../../src/layers/platform/data-dir.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import {
  DatabaseSchema,
  type SchemaError,
  SchemaNewer,
  type SchemaReport
} from "../../../src/layers/database/database-schema.port.ts"
import { socketTarget } from "../../../src/layers/database/database-target.ts"
import {
  Database,
  type DatabaseService,
  DatabaseUnavailable
} from "../../../src/layers/database/database.port.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { PostgresServer, type ServerExit } from "../../../src/layers/database/postgres-server.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

/** A database and a server that a test switches on, off, and freezes. */
const makeWorld = () => {
  const availability = makeAvailability()
  const world = {
    probe: "answers" as "answers" | "refuses" | "hangs",
    lock: "free" as "free" | "taken",
    schema: "ours" as "ours" | "newer" | "away",
    mode: "PRACTICE" as string | null,
    stored: "PRACTICE",
    remembered: [] as Array<string>,
    probes: 0,
    launches: 0,
    migrations: 0,
    steps: [] as Array<string>,
    instance: makeInstance(),
    availability,
    exit: (): void => undefined
  }
  const refused = new DatabaseUnavailable({
    operation: "probe",
    reason: "connection",
    outcome: "not_applied",
    cause: "refused"
  })
  // Only what the component uses; anything else is a defect of the test.
  const database = {
    availability,
    probe: Effect.suspend(() => {
      world.probes += 1
      return world.probe === "answers"
        ? Effect.void
        : world.probe === "refuses"
          ? Effect.fail(refused)
          : Effect.never
    })
  } as unknown as DatabaseService
  const settings = resolveSettings({
    environment: {},
    file: undefined,
    cwd: "/",
    stdoutIsTerminal: false,
    resolvePath: (_from, to) => to,
    readSecret: () => Result.fail("there are no files here")
  })
  if (settings._tag === "Failure") throw new Error("the practice settings are refused")
  const layer = Layer.mergeAll(
    Layer.succeed(Database, database),
    Layer.succeed(Instance, world.instance),
    Layer.succeed(Config, settings.success),
    Layer.succeed(Installation, {
      adopt: Effect.suspend(() =>
        world.stored === "PRACTICE"
          ? Effect.succeed({ flows: [], restricted: [] })
          : Effect.fail(
              new DataOfAnotherMode({
                stored: world.stored,
                configured: "PRACTICE",
                where: "the database"
              })
            )
      ),
      restricted: () => [],
      reset: () => Effect.void
    }),
    Layer.succeed(
      Startup,
      makeStartup(
        settings.success,
        () => 0,
        ({ state, step }) => world.steps.push(`${step} ${state}`)
      )
    ),
    Layer.succeed(DataDir, {
      path: "/data",
      hold: Effect.suspend(() =>
        world.lock === "free"
          ? Effect.succeed({ path: "/data", nodeId: "node", bootId: "boot", mode: world.mode })
          : Effect.fail(new DataDirLocked({ path: "/data", pid: 7, hint: "stop the other one" }))
      ),
      rememberMode: (mode) => Effect.sync(() => void world.remembered.push(mode)),
      forgetMode: Effect.void
    }),
    Layer.succeed(ControlToken, {
      current: () => null,
      file: "/data/admin-token",
      open: Effect.sync(() => {
        world.steps.push("token opened")
        return "made" as const
      }),
      mask: (text) => text
    }),
    Layer.succeed(DatabaseSchema, {
      apply: Effect.suspend(() => {
        world.migrations += 1
        const answers: Record<typeof world.schema, Effect.Effect<SchemaReport, SchemaError>> = {
          newer: Effect.fail(new SchemaNewer({ database: 9, code: 1, hint: "update holdfast" })),
          away: Effect.fail(refused),
          ours: Effect.succeed({ applied: [], version: 1 })
        }
        return answers[world.schema]
      })
    }),
    Layer.succeed(PostgresServer, {
      kind: "embedded",
      pid: () => null,
      target: socketTarget("/run", "holdfast"),
      start: Effect.gen(function* () {
        world.launches += 1
        const exited = yield* Deferred.make<ServerExit>()
        world.exit = () => {
          Deferred.doneUnsafe(
            exited,
            Effect.succeed({ code: null, signal: "SIGKILL", requested: false, lastLines: ["killed"] })
          )
        }
        return {
          target: socketTarget("/run", "holdfast"),
          pid: 1,
          mode: "as nobody",
          startedInMs: 1,
          exited: Deferred.await(exited)
        }
      })
    })
  )
  return { world, layer }
}

const start = startTree(
  supervisor({
    id: "root",
    children: [worker({ id: "database", start: databaseActor, backoff: { firstMs: 0 } })]
  }),
  {
    stopDeadlineMs: 10_000
  }
)

describe("the database component", () => {
  it.effect("locks, launches, connects and migrates, then is ready and available", () => {
    const { layer, world } = makeWorld()
    return Effect.gen(function* () {
      const tree = yield* start
      yield* TestClock.adjust(10)
      assert.strictEqual(tree.snapshot().children[0]?.state, "Available")
      assert.isTrue(tree.ready())
      assert.strictEqual(world.availability.current(), "available")
      assert.deepStrictEqual(world.instance.current(), { nodeId: "node", bootId: "boot", life: "node/boot" })
      assert.deepStrictEqual(
        world.steps.filter((step) => step.endsWith("succeeded") || step === "token opened"),
        [
          "config.load succeeded",
          "data-dir.lock succeeded",
          "token opened",
          "database.start succeeded",
          "database.connect succeeded",
          "database.migrate succeeded",
          "database.adopt succeeded"
        ]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect.each(["refuses", "hangs"] as const)(
    "T7 an outage of ten minutes is a state and zero restarts [%s]",
    (outage) => {
      const { layer, world } = makeWorld()
      return Effect.gen(function* () {
        const tree = yield* start
        yield* TestClock.adjust(10)
        world.probe = outage
        world.availability.mark("unavailable")
        yield* TestClock.adjust("10 minutes")
        const during = tree.snapshot().children[0]
        assert.include(["Unreachable", "Connecting"], during?.state)
        assert.isFalse(during?.ready)
        assert.isNotEmpty(during?.lastError)
        assert.strictEqual(world.availability.current(), "unavailable")
        assert.isAbove(world.probes, 60, "it must have gone on asking")
        assert.isBelow(world.probes, 700, "and not in a hot loop")
        world.probe = "answers"
        yield* TestClock.adjust("10 seconds")
        const after = tree.snapshot().children[0]
        assert.strictEqual(after?.state, "Available")
        assert.strictEqual(after?.restarts, 0)
        assert.strictEqual(world.launches, 1)
        assert.strictEqual(world.migrations, 1)
        assert.strictEqual(world.availability.current(), "available")
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("T7 a database that freezes while nobody calls is found by the routine probe", () => {
    const { layer, world } = makeWorld()
    return Effect.gen(function* () {
      const tree = yield* start
      yield* TestClock.adjust(10)
      world.probe = "hangs"
      yield* TestClock.adjust("11 seconds")
      assert.notStrictEqual(tree.snapshot().children[0]?.state, "Available")
      assert.strictEqual(world.availability.current(), "unavailable")
      assert.strictEqual(tree.figures().restarts, 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("a server that dies is launched again without a restart of the component", () => {
    const { layer, world } = makeWorld()
    return Effect.gen(function* () {
      const tree = yield* start
      yield* TestClock.adjust(10)
      world.exit()
      yield* TestClock.adjust(1)
      assert.strictEqual(world.availability.current(), "unavailable")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(world.launches, 2)
      assert.strictEqual(world.migrations, 1)
      assert.strictEqual(tree.snapshot().children[0]?.state, "Available")
      assert.strictEqual(tree.figures().restarts, 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("a database that is away at the migration is asked again, not given up", () => {
    const { layer, world } = makeWorld()
    world.schema = "away"
    return Effect.gen(function* () {
      const tree = yield* start
      yield* TestClock.adjust("1 minute")
      assert.isFalse(tree.ready())
      assert.strictEqual(tree.figures().restarts, 0)
      world.schema = "ours"
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(tree.ready())
    }).pipe(Effect.provide(layer))
  })

  it.effect.each([
    ["DataDirLocked", { lock: "taken" }, "data-dir.lock", "path /data, pid 7", "fatal"],
    ["SchemaNewer", { schema: "newer" }, "database.migrate", "database 9, code 1", "fatal"],
    ["DataOfAnotherMode", { mode: "PAPER" }, "data-dir.lock", "/data holds PAPER data", "configuration"],
    [
      "DataOfAnotherMode",
      { mode: null, stored: "LIVE" },
      "database.adopt",
      "the database holds LIVE data",
      "configuration"
    ]
  ] as const)(
    "T1 %s ends the tree at once with its step, because waiting cannot help",
    ([tag, fault, step, text, failureClass]) => {
      const { layer, world } = makeWorld()
      Object.assign(world, fault)
      return Effect.gen(function* () {
        // A fault that shows at once fails the start, one that shows later ends the standing tree; the verdict is the same.
        const failure = yield* Effect.flip(
          Effect.flatMap(start, (tree) =>
            Effect.flatMap(tree.awaitEnd, (end) => Effect.fail(end._tag === "GaveUp" ? end.error : end))
          )
        )
        if (!("failureClass" in failure)) return assert.fail(JSON.stringify(failure))
        assert.strictEqual(failure.failureClass, failureClass)
        assert.isEmpty(world.remembered)
        assert.include(failure.message, "root/database")
        const reason = failure.cause.reasons[0]
        const error = reason !== undefined && "error" in reason ? reason.error : undefined
        assert.instanceOf(error, FatalStep)
        assert.include(error, { _tag: tag, step })
        assert.include(error.message, text)
        assert.isNotEmpty(error.hint)
      }).pipe(Effect.provide(layer))
    }
  )
})
