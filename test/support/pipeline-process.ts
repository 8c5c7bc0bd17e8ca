/**
 * A process that runs the pipeline and the watch of its queue, and nothing else: what a crash test can kill.
 *
 * Takes DATABASE_URL and NODE_ID; prints one line `decided <signal id>` per decision, after its commit.
 *
 * Promises: is the pipeline of the service with its real store; ends only when it is killed.
 * Never: places an order.
 */
import { randomUUID } from "node:crypto"
import { Effect, Layer, Redacted, References, Result } from "effect"
import { pipelineActor } from "../../src/actors/decision/pipeline.actor.ts"
import { queueWatch } from "../../src/actors/operators/queue-watch.ts"
import { Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { targetFromUrl } from "../../src/layers/database/database-target.ts"
import { layerPg } from "../../src/layers/database/database.pg.ts"
import { Instance } from "../../src/layers/platform/instance.port.ts"
import { RiskFigures } from "../../src/layers/orders/risk-figures.port.ts"
import { Market } from "../../src/layers/market/market.port.ts"
import { makeMemoryMarket } from "./market.memory.ts"
import { signalsStorePg } from "../../src/layers/decision/signals-store.pg.ts"
import { SignalsStore } from "../../src/layers/decision/signals-store.port.ts"
import { SignalQueue } from "../../src/layers/decision/signal-queue.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import { settingsFrom } from "./practice-settings.ts"
import { heldInstance } from "./instance.ts"
import { Panel } from "../../src/layers/decision/panel.port.ts"
import { Voters } from "../../src/layers/decision/voters.port.ts"
import { Shedding } from "../../src/layers/platform/shedding.port.ts"
import { layerEntropy } from "./entropy.ts"

const instance = heldInstance(process.env["NODE_ID"] ?? randomUUID(), randomUUID())

const quiet = Alerts.of({
  raise: () => Effect.void,
  draft: Effect.die("nothing is committed with its alert"),
  takePending: () => [],
  resolve: () => Effect.void,
  resolveAllBut: () => Effect.void,
  putBack: () => undefined,
  counts: () => ({ raised: 0, pending: 0, dropped: 0 })
})

/** The store of the service, which also prints what was committed. */
const telling = Layer.effect(
  SignalsStore,
  Effect.map(SignalsStore, (store) =>
    SignalsStore.of({
      ...store,
      decide: (token, signals, accounts, plan) =>
        Effect.tap(store.decide(token, signals, accounts, plan), (outcomes) =>
          Effect.sync(() => {
            for (const { _tag, id } of outcomes)
              if (_tag === "Decided") process.stdout.write(`decided ${id}\n`)
          })
        )
    })
  )
).pipe(Layer.provide(signalsStorePg))

const program = Effect.gen(function* () {
  const database = yield* Database
  yield* database.probe
  database.availability.mark("available")
  yield* startTree(
    supervisor({ id: "root", children: [worker({ id: "pipeline", start: pipelineActor() })] }),
    { stopDeadlineMs: 5_000 }
  )
  yield* Effect.forkScoped(queueWatch)
  process.stdout.write("started\n")
  return yield* Effect.never
}).pipe(
  Effect.scoped,
  Effect.provide(
    Layer.mergeAll(telling, Panel.layer, Voters.layer, Shedding.layer).pipe(
      Layer.provideMerge(
        layerPg({
          target: Result.getOrThrow(targetFromUrl(Redacted.make(process.env["DATABASE_URL"] ?? "")))
        })
      ),
      Layer.provideMerge(Layer.succeed(Instance, instance)),
      Layer.provideMerge(Layer.succeed(Config, settingsFrom())),
      Layer.provideMerge(Layer.succeed(Alerts, quiet)),
      Layer.provideMerge(
        Layer.effect(
          Market,
          Effect.map(makeMemoryMarket, ({ service }) => service)
        )
      ),
      Layer.provideMerge(Layer.mergeAll(layerEntropy, Wake.layer, SignalQueue.layer, RiskFigures.layer)),
      Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Error"))
    )
  )
)

await Effect.runPromise(program)
