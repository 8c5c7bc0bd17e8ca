import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { logLayer } from "../../../src/layers/platform/log.stdout.ts"
import { logEvent } from "../../../src/runtime/log-event.ts"

const Line = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

const capture = (
  effect: Effect.Effect<void>,
  format: "json" | "pretty" = "json",
  secrets: ReadonlyArray<string> = []
) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    yield* effect.pipe(
      Effect.provide(logLayer({ level: "info", format, secrets, write: (line) => lines.push(line) }))
    )
    return lines
  })

describe("the log on stdout", () => {
  it.effect("is one JSON object per line with the fields of the contract", () =>
    Effect.gen(function* () {
      const [line] = yield* capture(
        logEvent("warn", "order.unknown", "outcome unknown", {
          component: "root/trading/accounts/paper-1",
          correlation_id: "c-1",
          attempt: 2
        })
      )
      const fields = yield* Effect.fromResult(Schema.decodeUnknownResult(Line)(line))
      assert.strictEqual(fields["level"], "warn")
      assert.strictEqual(fields["event"], "order.unknown")
      assert.strictEqual(fields["msg"], "outcome unknown")
      assert.strictEqual(fields["component"], "root/trading/accounts/paper-1")
      assert.strictEqual(fields["correlation_id"], "c-1")
      assert.strictEqual(fields["attempt"], 2)
      assert.match(String(fields["ts"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert.isTrue(line?.endsWith("}\n"))
    })
  )
  it.effect("names the root where no component speaks", () =>
    Effect.gen(function* () {
      const [line] = yield* capture(logEvent("info", "alert.resolved", "over"))
      const fields = yield* Effect.fromResult(Schema.decodeUnknownResult(Line)(line))
      assert.strictEqual(fields["component"], "root")
    })
  )
  it.effect("never prints a configured secret, wherever it hides", () =>
    Effect.gen(function* () {
      const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
      const lines = yield* capture(
        Effect.andThen(
          logEvent("info", "a", `token ${secret}`, { nested: { url: `postgres://u:${secret}@h/db` } }),
          Effect.logError("failed", new Error(`bad ${secret}`))
        ),
        "json",
        [secret]
      )
      assert.lengthOf(lines, 2)
      for (const line of lines) {
        assert.notInclude(line, secret)
        assert.include(line, "[redacted]")
      }
    })
  )
  it.effect("loses no line for a value JSON cannot carry", () =>
    Effect.gen(function* () {
      const cyclic: Record<string, unknown> = {}
      cyclic["self"] = cyclic
      const lines = yield* capture(
        Effect.andThen(
          logEvent("info", "big", "int8", { count: 10n }),
          logEvent("info", "cyclic", "loop", { cyclic })
        )
      )
      assert.lengthOf(lines, 2)
      for (const line of lines) assert.isTrue(Result.isSuccess(Schema.decodeUnknownResult(Line)(line)), line)
      assert.include(lines[0], '"count":"10"')
      assert.include(lines[1], '"event":"cyclic"')
    })
  )
  it.effect("leaves out what is below its level, and reads well on a terminal", () =>
    Effect.gen(function* () {
      const lines = yield* capture(
        Effect.andThen(
          logEvent("debug", "quiet", "not shown"),
          logEvent("info", "http.listening", "listening", { port: 5003 })
        ),
        "pretty"
      )
      assert.lengthOf(lines, 1)
      assert.match(
        lines[0] ?? "",
        /^\d\d:\d\d:\d\d\.\d{3} INFO {2}http\.listening +listening \{"port":5003\}\n$/
      )
    })
  )
})
