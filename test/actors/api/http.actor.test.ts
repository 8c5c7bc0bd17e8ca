import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer } from "effect"
import { httpActor } from "../../../src/actors/api/http.actor.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { answerJson } from "../../../src/layers/api/http.exchange.ts"
import { HttpFront } from "../../../src/layers/api/http.front.ts"
import { HttpListenerNode } from "../../../src/layers/api/http.node.ts"
import { IntakeQueueBatch } from "../../../src/layers/intake/intake-queue.batch.ts"
import { makeMemoryIntakeStore } from "../../support/intake-store.memory.ts"
import { IntakeStore } from "../../../src/layers/signals/intake-store.port.ts"
import { IntakeQueue } from "../../../src/layers/intake/intake-queue.port.ts"
import { spoolClosed } from "../../../src/layers/intake/spool.closed.ts"
import { Lifecycle } from "../../../src/layers/platform/lifecycle.port.ts"
import { Metrics } from "../../../src/layers/platform/metrics.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import type { Tree, TreeNode } from "../../../src/runtime/tree.ts"
import { serverOn, settingsFor } from "../../layers/api/http-world.ts"
import { layerEntropy } from "../../support/entropy.ts"

const services = (environment: Record<string, string> = {}) =>
  HttpListenerNode.pipe(
    Layer.provideMerge(IntakeQueueBatch),
    Layer.provide(spoolClosed),
    Layer.provideMerge(
      Layer.mergeAll(
        Layer.succeed(Config, settingsFor(environment)),
        Layer.succeed(HttpFront, {
          handle: (exchange) => answerJson(exchange, 200, { ok: true }),
          endStreams: () => undefined
        }),
        Layer.succeed(IntakeStore, makeMemoryIntakeStore()),
        Layer.succeed(Alerts, {
          raise: () => Effect.void,
          draft: Effect.die("nothing is committed with its alert"),
          takePending: () => [],
          resolve: () => Effect.void,
          resolveAllBut: () => Effect.void,
          putBack: () => undefined,
          counts: () => ({ raised: 0, pending: 0, dropped: 0 })
        }),
        Lifecycle.layer,
        Metrics.layer,
        layerEntropy,
        Wake.layer
      )
    )
  )

const start = startTree(
  supervisor({ id: "root", children: [worker({ id: "http", start: httpActor, backoff: { firstMs: 0 } })] }),
  { stopDeadlineMs: 5_000 }
)
const http = (tree: Tree): TreeNode => {
  const [child] = tree.snapshot().children
  if (child === undefined) throw new Error("no child")
  return child
}
const portOf = (tree: Tree): number => Number(http(tree).detail["port"])
const ask = (port: number) => Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}/`)).status)
const reached = (tree: Tree, test: (node: TreeNode) => boolean) =>
  Effect.gen(function* () {
    while (!test(http(tree))) yield* Effect.sleep(5)
  }).pipe(Effect.timeout(3_000))

describe("the http component", () => {
  it.live("listens when its start is over, and shows where", () =>
    Effect.gen(function* () {
      const tree = yield* start
      yield* reached(tree, ({ state }) => state === "Listening")
      assert.isTrue(http(tree).ready)
      assert.deepInclude(http(tree).detail, { host: "127.0.0.1", posts_waiting: 0 })
      assert.strictEqual(yield* ask(portOf(tree)), 200)
      assert.isTrue((yield* IntakeQueue).alive())
    }).pipe(Effect.scoped, Effect.provide(services()))
  )

  it.live("fails its start with PortInUse while another process holds the port", () =>
    Effect.gen(function* () {
      const other = createServer()
      yield* Effect.promise(() => new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve)))
      const { port } = other.address() as AddressInfo
      const failed = yield* Effect.flip(Effect.scoped(start)).pipe(
        Effect.provide(services({ PORT: String(port) }))
      )
      assert.strictEqual(failed.path, "root/http")
      assert.deepInclude(Cause.squash(failed.cause), { _tag: "PortInUse", port })
      yield* Effect.promise(() => new Promise((resolve) => other.close(resolve)))
    })
  )

  it.live("is started again when its socket dies, on the same port", () =>
    Effect.gen(function* () {
      const fixed = yield* Effect.promise(
        () =>
          new Promise<number>((resolve) => {
            const probe = createServer().listen(0, "127.0.0.1", () => {
              const { port } = probe.address() as AddressInfo
              probe.close(() => resolve(port))
            })
          })
      )
      yield* Effect.gen(function* () {
        const tree = yield* start
        yield* reached(tree, ({ ready }) => ready)
        serverOn(fixed).emit("error", new Error("out of descriptors"))
        yield* reached(tree, ({ ready, restarts }) => ready && restarts === 1)
        assert.strictEqual(yield* ask(fixed), 200)
      }).pipe(Effect.scoped, Effect.provide(services({ PORT: String(fixed) })))
    })
  )

  it.live("drains when the stop is announced, still answers, and closes when it is stopped", () =>
    Effect.gen(function* () {
      const tree = yield* start
      yield* reached(tree, ({ ready }) => ready)
      const port = portOf(tree)
      const lifecycle = yield* Lifecycle
      lifecycle.announceStop(new Date())
      yield* reached(tree, ({ state }) => state === "Draining")
      assert.isFalse(http(tree).ready)
      assert.strictEqual(yield* ask(port), 200)
      const report = yield* tree.stop
      assert.deepStrictEqual(report.killed, [])
      assert.isBelow(report.elapsedMs, 2_000)
      const refused = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/`).catch(() => "refused"))
      assert.strictEqual(refused, "refused")
    }).pipe(Effect.scoped, Effect.provide(services()))
  )
})
