/**
 * Fan-out: one signal to many strategies, each to many accounts, from its commit to its committed orders (E4).
 *
 *     sh scripts/node.sh bench/fan-out.ts [--rounds 200] [--dir DIRECTORY]
 *
 * Starts an embedded server of its own as the service has it, and decides signals one at a time by the code of the service:
 * routing, engine, sizing, every risk check for every target, and the transaction that stores them. Prints the figures of
 * each width, and what one more order costs. By hand; the figures are medians of one run on one machine and compare only with
 * each other.
 */
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { Effect, Layer, Logger, Result } from "effect"
import { planSignal } from "../src/domain/decision/decision.ts"
import { instrumentsOf } from "../src/domain/kernel/instruments.ts"
import { bodyHash } from "../src/domain/kernel/canonical-json.ts"
import { signalId } from "../src/domain/kernel/ids.ts"
import { versionOf } from "../src/domain/kernel/settings-change.ts"
import type { Settings } from "../src/domain/kernel/settings.ts"
import { decodeIntakeBody } from "../src/wire/intake-body.ts"
import { nodeEntropy } from "../src/layers/platform/entropy.node.ts"
import { Entropy } from "../src/layers/platform/entropy.port.ts"
import { applySchema } from "../src/layers/database/database-schema.pg.ts"
import { makePgDatabase } from "../src/layers/database/database.pg.ts"
import { Database, type DatabaseService } from "../src/layers/database/database.port.ts"
import { embeddedServer } from "../src/layers/database/postgres-server.embedded.ts"
import { signalsStorePg } from "../src/layers/decision/signals-store.pg.ts"
import { SignalsStore } from "../src/layers/decision/signals-store.port.ts"
import { Config } from "../src/layers/platform/config.port.ts"
import { resolveSettings } from "../src/layers/platform/config.resolve.ts"
import { Instance, makeInstance } from "../src/layers/platform/instance.port.ts"
import { intakeRow } from "../src/layers/signals/intake-row.ts"
import { IntakeStorePg } from "../src/layers/signals/intake-store.pg.ts"
import { IntakeStore } from "../src/layers/signals/intake-store.port.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    dir: { type: "string", default: tmpdir() }
  }
})
const rounds = Number(values.rounds)
/** Strategies and accounts of each; the last is as wide as one post should ever be. */
const widths = [
  [1, 1],
  [1, 10],
  [10, 1],
  [10, 10],
  [10, 50]
] as const
const accountsMax = 50

const print = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stdout.write(`${text}\n`)
  })

const names = (kind: string, many: number): ReadonlyArray<string> =>
  Array.from({ length: many }, (_, index) => `${kind}-${index + 1}`)

const settingsFor = (strategies: number, accounts: number): Settings =>
  Result.getOrThrow(
    resolveSettings({
      environment: {},
      file: {
        accounts: Object.fromEntries(
          names("a", accountsMax).map((id) => [id, { broker: "practice", startingCash: "1000000" }])
        ),
        strategies: Object.fromEntries(
          names("s", strategies).map((name) => [
            name,
            { sources: ["default"], accounts: names("a", accounts) }
          ])
        )
      },
      cwd: "/tmp",
      stdoutIsTerminal: false,
      resolvePath: (_, to) => to,
      readSecret: () => Result.fail("there are no files here")
    })
  )

const at = (figures: ReadonlyArray<number>, share: number): number =>
  figures.toSorted((a, b) => a - b)[Math.floor(figures.length * share)] ?? 0

const rowFor = (settings: Settings) => {
  const body = {
    symbol: "SPY",
    direction: "long",
    timeframe: "5m",
    timestamp: new Date().toISOString(),
    n: randomUUID()
  }
  const read = decodeIntakeBody(body)
  if (!read.ok) throw new Error(JSON.stringify(read.errors))
  const hash = bodyHash(body)
  const key = `sha256:${hash}`
  const identity = {
    kind: "hash",
    key,
    bodyHash: hash,
    signalId: signalId("default", key),
    previous: null
  } as const
  const requestId = randomUUID()
  return Result.getOrThrow(
    intakeRow(settings, { source: "default", parsed: read.value, identity, requestId, nowMs: Date.now() })
  )
}

/** One width: milliseconds from the claim to the commit of all its orders. */
const measure = (database: DatabaseService, strategies: number, accounts: number, many: number) =>
  Effect.gen(function* () {
    const intake = yield* IntakeStore
    const store = yield* SignalsStore
    const settings = settingsFor(strategies, accounts)
    const plan = {
      ...settings,
      version: versionOf(settings),
      instruments: instrumentsOf(settings),
      limits: { ...settings.risk, buyingPowerMultiple: null },
      scopes: settings.risk.scopes
    }
    const took: Array<number> = []
    for (let round = 0; round < many; round += 1) {
      const row = rowFor(settings)
      yield* intake.store([row])
      const began = performance.now()
      const { signals, token } = yield* store.claim(64)
      const [outcome] = yield* store.decide(token, signals, names("a", accounts), (signal, context) =>
        planSignal({
          signal,
          settings: plan,
          context,
          quoteOf: () => null,
          figuresOf: () => null,
          votes: null,
          voters: null,
          chain: null,
          mayDefer: false
        })
      )
      took.push(performance.now() - began)
      const orders = outcome?._tag === "Decided" ? outcome.decision.orders : []
      const made = orders.filter(({ status }) => status === "intended").length
      if (made !== strategies * accounts)
        return yield* Effect.die(
          new Error(`${made} of ${strategies * accounts} orders: ${JSON.stringify(outcome)}`)
        )
      // What is open is the account's and not the past's.
      yield* database.run(
        "bench.settle",
        (sql) => sql`UPDATE orders SET status = 'denied' WHERE signal_id = ${row.id}`
      )
    }
    return took
  })

const program = Effect.gen(function* () {
  const dataDir = mkdtempSync(path.join(values.dir, "holdfast-fan-out-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(dataDir, { recursive: true, force: true })))
  const { target } = yield* embeddedServer({ dataDir }).start
  yield* applySchema({ target })
  const database = yield* makePgDatabase({ target })
  yield* database.run(
    "bench.accounts",
    (sql) => sql`INSERT INTO accounts (id, venue, starting_cash, reconciled_at)
      SELECT unnest(${[...names("a", accountsMax)]}::text[]), 'practice', 1000000, hf_now()`
  )
  const services = yield* Layer.build(
    Layer.mergeAll(IntakeStorePg, signalsStorePg).pipe(
      Layer.provide(
        Layer.mergeAll(
          Layer.succeed(Database, database),
          Layer.succeed(Config, settingsFor(10, accountsMax)),
          Layer.succeed(Entropy, nodeEntropy),
          Layer.sync(Instance, makeInstance)
        )
      )
    )
  )
  const run = (strategies: number, accounts: number, many: number) =>
    Effect.provide(measure(database, strategies, accounts, many), services)
  // Once for what is only slow the first time.
  yield* run(1, 1, 20)
  yield* print("strategies x accounts = orders   p50 / p95 ms   ms per further order")
  let one = 0
  for (const [strategies, accounts] of widths) {
    const orders = strategies * accounts
    const took = yield* run(strategies, accounts, Math.max(10, Math.round(rounds / Math.sqrt(orders))))
    const median = at(took, 0.5)
    if (orders === 1) one = median
    const more = orders === 1 ? "-" : ((median - one) / (orders - 1)).toFixed(3)
    const what = `${strategies} x ${accounts} = ${orders}`
    const times = `${median.toFixed(2)} / ${at(took, 0.95).toFixed(2)}`
    yield* print(`${what.padEnd(33)}${times.padEnd(19)}${more}`)
  }
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Logger.layer([]))))
