/**
 * Database actor: the database machine with the effects that lock, launch, probe and migrate.
 *
 * Promises: the lock on DATA_DIR is held before our server starts and for as long as the component lives;
 * the node's identity and the control token are known before anyone can see the database as available; only a successful probe makes it so.
 * Never: gives up because the database is away; ends for good only where waiting cannot help, with a named step.
 */
import { Effect, Stream } from "effect"
import { modeProblem } from "../../domain/database/installation.ts"
import { databaseActorLimits } from "../../domain/kernel/limits.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { describeTarget } from "../../layers/database/database-target.ts"
import { Installation } from "../../layers/database/installation.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import { DatabaseSchema } from "../../layers/database/database-schema.port.ts"
import { ControlToken } from "../../layers/platform/control-token.port.ts"
import { DataDir } from "../../layers/platform/data-dir.port.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { isHopeless, PostgresServer } from "../../layers/database/postgres-server.port.ts"
import { type DatabaseEvent, databaseMachine } from "../../machines/database/database.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { FatalStep, Startup } from "../platform/startup.ts"

type Send = (event: DatabaseEvent) => void

/** The token that controls this service; made here because only the holder of DATA_DIR may write there. */
const openControlToken = Effect.gen(function* () {
  const token = yield* ControlToken
  const did = yield* token.open.pipe(Effect.mapError((error) => new FatalStep("data-dir.lock", error)))
  if (did === null) return
  const replaced = did === "replaced"
  yield* logEvent(
    replaced ? "warn" : "info",
    "control.token",
    replaced
      ? `${token.file} did not contain a valid token and was replaced`
      : `control over HTTP requires the token in ${token.file}`,
    { component: "root/database", file: token.file, did }
  )
})

const holdDataDir = streamActor("database.hold-data-dir", ({ send }: { readonly send: Send }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const dataDir = yield* DataDir
      const startup = yield* Startup
      const instance = yield* Instance
      const settings = yield* Config
      const held = Effect.tap(dataDir.hold, ({ mode, path }) => {
        const problem = modeProblem(mode, settings.mode, path)
        return problem === null ? Effect.void : Effect.fail(problem)
      })
      const { bootId, nodeId } = yield* startup
        .step("data-dir.lock", held)
        .pipe(Effect.mapError((error) => new FatalStep("data-dir.lock", error)))
      instance.assign({ nodeId, bootId })
      yield* openControlToken
      send({ type: "dataDir.locked" })
      return yield* Effect.never
    })
  )
)

const runServer = streamActor("database.run-server", ({ send }: { readonly send: Send }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* PostgresServer
      const startup = yield* Startup
      const running = yield* startup
        .step("database.start", server.start)
        .pipe(
          Effect.mapError((error) => (isHopeless(error) ? new FatalStep("database.start", error) : error))
        )
      const where = describeTarget(running.target)
      yield* server.kind === "external"
        ? logEvent(
            "info",
            "database.external",
            `the database is external, at ${where}; this service does not start it`,
            {
              component: "root/database",
              target: where
            }
          )
        : logEvent("info", "database.started", `PostgreSQL runs ${running.mode}`, {
            component: "root/database",
            ms: running.startedInMs,
            ...(running.pid === undefined ? {} : { pid: running.pid })
          })
      send({ type: "server.started", server: running.mode })
      const exit = yield* running.exited
      const reason = exit.lastLines.at(-1) ?? `code ${exit.code ?? "none"}, signal ${exit.signal ?? "none"}`
      yield* logEvent("error", "database.exited", `the database server ended: ${reason}`, {
        component: "root/database"
      })
      send({ type: "server.exited", reason })
    })
  )
)

const probe = effectActor("database.probe", () =>
  Effect.gen(function* () {
    const database = yield* Database
    const startup = yield* Startup
    yield* startup.step("database.connect", database.probe)
  })
)

/** The data and the settings must agree before anybody trades on both; what the settings changed is logged. */
const adoptData = Effect.gen(function* () {
  const installation = yield* Installation
  const dataDir = yield* DataDir
  const { mode } = yield* Config
  const startup = yield* Startup
  const adopted = Effect.tap(installation.adopt, () => dataDir.rememberMode(mode))
  const { flows, restricted } = yield* startup
    .step("database.adopt", adopted)
    .pipe(
      Effect.mapError((error) =>
        error._tag === "DatabaseUnavailable" ? error : new FatalStep("database.adopt", error)
      )
    )
  for (const { account, after, amount, before } of flows) {
    const kind = amount.startsWith("-") ? "withdrawal" : "deposit"
    yield* logEvent(
      "info",
      "account.cash_flow",
      `${account}: ${kind} of ${amount}, from ${before} to ${after}`,
      {
        component: "root/database",
        account,
        amount
      }
    )
  }
  for (const { reason, scope, state } of restricted)
    yield* logEvent("warn", "trading_state.restricted", `trading is ${state} (${scope}): ${reason}`, {
      component: "root/database",
      scope,
      state,
      reason
    })
})

const migrate = effectActor("database.migrate", () =>
  Effect.gen(function* () {
    const schema = yield* DatabaseSchema
    const startup = yield* Startup
    const report = yield* startup
      .step("database.migrate", schema.apply)
      .pipe(
        Effect.mapError((error) =>
          error._tag === "DatabaseUnavailable" ? error : new FatalStep("database.migrate", error)
        )
      )
    yield* logEvent("info", "database.migrated", `schema version ${report.version}`, {
      component: "root/database",
      applied: report.applied
    })
    yield* adoptData
  })
)

/** A failing call of any component marks the database unavailable at once; the machine is notified here. */
const watchAvailability = streamActor("database.watch", ({ send }: { readonly send: Send }) =>
  Effect.flatMap(Database, (database) =>
    Stream.runForEach(database.availability.changes, (state) =>
      Effect.sync(() => {
        if (state === "unavailable")
          send({ type: "database.lost", reason: "a call found the database unavailable" })
      })
    )
  )
)

/** The component `root/database`. */
export const databaseActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const database = yield* Database
    // Whatever ends this component, nobody may keep relying on a database that is no longer watched.
    yield* Effect.addFinalizer(() => Effect.sync(() => database.availability.mark("unavailable")))
    return yield* machineChild({
      machine: databaseMachine,
      input: databaseActorLimits,
      actors: { holdDataDir, runServer, probe, migrate, watchAvailability },
      actions: {
        markAvailable: () => database.availability.mark("available"),
        markUnavailable: () => database.availability.mark("unavailable")
      },
      status: ({ context, value }) => ({
        state: typeof value === "object" && "Serving" in value ? servingState(value.Serving) : value,
        detail: { server: context.server, migrated: context.migrated, attempt: context.attempt }
      })
    })(self)
  })

/** `Available` and not `Available.Checking`: a routine probe is nothing an operator should see flicker. */
const servingState = (value: string | object): string =>
  typeof value === "string" ? value : (Object.keys(value)[0] ?? "Serving")
