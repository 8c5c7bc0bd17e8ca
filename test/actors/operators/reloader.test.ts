import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue, Result } from "effect"
import { reloader } from "../../../src/actors/operators/reloader.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Config, ConfigReader } from "../../../src/layers/platform/config.port.ts"
import { Host } from "../../../src/layers/platform/host.port.ts"
import { logLayer } from "../../../src/layers/platform/log.stdout.ts"

const read = (environment: Record<string, string>) =>
  resolveSettings({
    environment,
    file: undefined,
    cwd: "/",
    stdoutIsTerminal: false,
    resolvePath: (_from, to) => to
  })

/** Runs one reload over `after`, with the settings of `before` in force. */
const reload = (before: Record<string, string>, after: Record<string, string>) =>
  Effect.gen(function* () {
    const raised: Array<Alert> = []
    const lines: Array<string> = []
    const inForce = yield* Effect.fromResult(read(before))
    const asked = yield* Queue.unbounded<void>()
    yield* Queue.offer(asked, undefined)
    yield* reloader.pipe(
      Effect.provide(
        Layer.mergeAll(
          Layer.succeed(Config, inForce),
          Layer.succeed(ConfigReader, { read: () => read(after) }),
          Layer.succeed(Host, {
            stopRequested: Effect.never,
            forceRequested: Effect.never,
            nextReload: Queue.take(asked),
            nextStray: Effect.never
          }),
          Layer.succeed(Alerts, {
            raise: (alert) => Effect.sync(() => void raised.push(alert)),
            takePending: () => [],
            resolve: () => Effect.void,
            resolveAllBut: () => Effect.void,
            putBack: () => undefined,
            counts: () => ({ raised: 0, pending: 0, dropped: 0 })
          }),
          logLayer({ level: "info", format: "json", secrets: [], write: (line) => lines.push(line) })
        )
      ),
      Effect.forkChild({ startImmediately: true })
    )
    yield* Effect.yieldNow
    return { raised, lines }
  })

describe("T1 a reload at run time", () => {
  it.effect("that is bad keeps the old configuration and says every problem", () =>
    Effect.gen(function* () {
      const { lines, raised } = yield* reload({}, { PORT: "x", ROLES: "trader" })
      assert.lengthOf(lines, 1)
      assert.include(lines[0], "config.refused")
      assert.include(lines[0], "PORT")
      assert.include(lines[0], "ROLES: must be one of http, feeds, waves, accounts")
      assert.strictEqual(raised[0]?.severity, "HIGH")
    })
  )
  it.effect("that changes something names it, and never its value", () =>
    Effect.gen(function* () {
      const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
      const { lines, raised } = yield* reload({ PORT: "6000" }, { PORT: "6001", HMAC_SECRET: secret })
      assert.include(lines[0], "config.restart_needed")
      assert.include(lines[0], '"changed":["port","secrets"]')
      assert.notInclude(lines.join(), secret)
      assert.lengthOf(raised, 0)
    })
  )
  it.effect("that changes nothing says so", () =>
    Effect.gen(function* () {
      const { lines } = yield* reload({ ROLES: "http,accounts" }, { ROLES: "accounts,http" })
      assert.include(lines[0], "config.unchanged")
      assert.isTrue(Result.isSuccess(read({ ROLES: "accounts,http" })))
    })
  )
})
