/**
 * `npm run replay -- --from T --to T [--source S] [--config FILE] [--json]`: makes the stored decisions of a time again.
 *
 * Decides by the code it is part of, from the facts that are stored with each decision, under the settings of this directory or
 * of FILE, and prints what is different. The database is that of the settings; the embedded one is used where it runs, and
 * started for as long as this takes where it does not.
 *
 * Promises: exit status 0 when nothing differs, 1 when something does, 69 when the database cannot be read, 78 for a wrong argument
 * or configuration.
 * Never: writes a row; sends anything.
 */
import path from "node:path"
import { parseArgs } from "node:util"
import { Cause, Effect, Exit, Layer, Logger, Result } from "effect"
import { replayDecisions } from "../src/actors/decision/decision-replay.ts"
import { planSettingsOf } from "../src/actors/execution/plan-input.ts"
import type { ReplayedOutcome, ReplayResult } from "../src/domain/decision/decision-replay.ts"
import { versionOf } from "../src/domain/kernel/settings-change.ts"
import type { Settings } from "../src/domain/kernel/settings.ts"
import { exitStatus } from "../src/domain/platform/exit-status.ts"
import { makePgDatabase } from "../src/layers/database/database.pg.ts"
import { Database } from "../src/layers/database/database.port.ts"
import { targetFromUrl } from "../src/layers/database/database-target.ts"
import { embeddedServer, embeddedTarget } from "../src/layers/database/postgres-server.embedded.ts"
import { decisionHistoryPg } from "../src/layers/decision/decision-history.pg.ts"
import { DecisionHistory } from "../src/layers/decision/decision-history.port.ts"
import { nodeEntropy } from "../src/layers/platform/entropy.node.ts"
import { Entropy } from "../src/layers/platform/entropy.port.ts"
import { loadSettings } from "../src/layers/platform/config.load.ts"
import { layerDataDir } from "../src/layers/platform/data-dir.file.ts"
import { DataDir } from "../src/layers/platform/data-dir.port.ts"
import { describeCause } from "../src/runtime/exit-reason.ts"
import { replayedFields } from "../src/wire/decision-replay.ts"
import { answerHelp, messageOf, stop } from "./service-client.ts"

const usage = "usage: npm run replay -- --from T --to T [--source S] [--config FILE] [--json]"
answerHelp(usage)

const argumentsOf = () => {
  try {
    const { values } = parseArgs({
      options: {
        from: { type: "string" },
        to: { type: "string" },
        source: { type: "string" },
        config: { type: "string" },
        json: { type: "boolean", default: false }
      }
    })
    return values
  } catch (error) {
    return stop(exitStatus.configuration, `${messageOf(error)}\n${usage}`)
  }
}

const instantOf = (name: string, given: string | undefined): number => {
  const ms = Date.parse(given ?? "")
  return Number.isNaN(ms)
    ? stop(exitStatus.configuration, `--${name} must be an instant such as 2026-01-31T09:30:00Z\n${usage}`)
    : ms
}

const settingsOf = (environment: Readonly<Record<string, string | undefined>>): Settings => {
  const loaded = loadSettings(environment, process.cwd(), false)
  return Result.isSuccess(loaded)
    ? loaded.success
    : stop(
        exitStatus.configuration,
        loaded.failure.map((problem) => `${problem.path}: ${problem.message}`).join("\n")
      )
}

const given = argumentsOf()
const span = {
  fromMs: instantOf("from", given.from),
  toMs: instantOf("to", given.to),
  source: given.source ?? null
}
if (span.fromMs >= span.toMs) stop(exitStatus.configuration, `--to must be later than --from\n${usage}`)
const settings = settingsOf(process.env)
const decidedUnder =
  given.config === undefined
    ? settings
    : settingsOf({ ...process.env, HOLDFAST_CONFIG: path.resolve(given.config) })

const targetOf = ({ databaseUrl, dataDir }: Settings) => {
  if (databaseUrl === null) return embeddedTarget(dataDir)
  const target = targetFromUrl(databaseUrl)
  return Result.isSuccess(target)
    ? target.success
    : stop(exitStatus.configuration, `DATABASE_URL: ${target.failure.reason}`)
}

/** The embedded server of a service that does not run, under the lock that keeps a service from starting meanwhile. */
const startServer = Effect.gen(function* () {
  const dataDir = yield* DataDir
  yield* dataDir.hold
  yield* embeddedServer({ dataDir: settings.dataDir }).start
}).pipe(
  Effect.provide(layerDataDir(settings.dataDir).pipe(Layer.provide(Layer.succeed(Entropy, nodeEntropy))))
)

const program = Effect.gen(function* () {
  const database = yield* makePgDatabase({ target: targetOf(settings) })
  const look = database.run("replay.look", (sql) => sql`SELECT`)
  yield* settings.databaseUrl === null
    ? look.pipe(Effect.catchTag("DatabaseUnavailable", () => Effect.andThen(startServer, look)))
    : look
  const replay = replayDecisions(span, planSettingsOf(decidedUnder), {
    rests: false,
    mayRead: Effect.void,
    onPage: () => Effect.void
  })
  return yield* Effect.gen(function* () {
    const history = yield* DecisionHistory
    return yield* Effect.provideService(replay, DecisionHistory, history)
  }).pipe(Effect.provide(decisionHistoryPg.pipe(Layer.provide(Layer.succeed(Database, database)))))
})

const shown = ({ missing, orders, outcome, reason }: ReplayedOutcome): string => {
  const sent = orders
    .filter(({ denied }) => denied.length === 0)
    .map(({ account, quantity, side, symbol }) => `${side} ${quantity} ${symbol} in ${account}`)
  const against = [...new Set(orders.flatMap(({ denied }) => denied))]
  const why = [reason ?? "", ...against.filter((check) => check !== reason), ...missing].filter(
    (word) => word !== ""
  )
  return `${outcome}${why.length === 0 ? "" : ` (${why.join(", ")})`}${sent.length === 0 ? "" : `: ${sent.join("; ")}`}`
}

const print = (result: ReplayResult): void => {
  if (given.json) {
    const document = {
      status: "done",
      settings_version: versionOf(decidedUnder),
      ...replayedFields(result)
    }
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    return
  }
  for (const { kind, now, pnlChange, signalId, symbol, was } of result.differences) {
    const change = kind === "numbers" ? "the same, by other numbers" : `${shown(was)} -> ${shown(now)}`
    process.stdout.write(
      `${signalId} ${symbol}: ${change}${pnlChange === null ? "" : `, P&L ${pnlChange}`}\n`
    )
  }
  const hidden = result.differing - result.differences.length
  if (hidden > 0) process.stdout.write(`${hidden} more differences\n`)
  const { decided, differing, ordersChanged, ordersUnpriced, pnlChange, withoutFacts } = result
  const old = withoutFacts === 0 ? "" : `; ${withoutFacts} from before facts were kept`
  const unpriced = ordersUnpriced === 0 ? "" : ` (${ordersUnpriced} orders without a price)`
  process.stdout.write(
    `${decided} decisions made again${old}: ${differing} differ, ${ordersChanged} orders would change, P&L ${pnlChange}${unpriced}\n`
  )
}

const exit = await Effect.runPromiseExit(program.pipe(Effect.scoped, Effect.provide(Logger.layer([]))))
if (Exit.isSuccess(exit)) {
  print(exit.value)
  process.exitCode = exit.value.differing === 0 ? 0 : 1
} else {
  const error = Cause.squash(exit.cause)
  const hint = error instanceof Error && "hint" in error ? `: ${String(error.hint)}` : ""
  stop(exitStatus.startFailed, `cannot replay: ${describeCause(exit.cause)}${hint}`)
}
