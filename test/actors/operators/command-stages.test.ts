import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { setStage } from "../../../src/actors/operators/command-stages.ts"
import type { CommandRequest } from "../../../src/domain/control/commands.ts"
import type { Stage } from "../../../src/domain/orders/stage.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { StageStore } from "../../../src/layers/orders/stage-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { testSettings } from "../../integration/execution-world.ts"

const settings = testSettings({
  strategies: {
    default: { sources: ["default"], accounts: ["paper-1"] },
    fixed: { sources: ["wave"], accounts: ["paper-1"], stage: "shadow" }
  }
})

/** Gives one command; what it answers or is refused with, what the store was told, which alerts there are then. */
const give = (to: Stage, target: string, changed = true) =>
  Effect.gen(function* () {
    const told: Array<string> = []
    const request: CommandRequest<"strategy.demote"> = {
      command: "strategy.demote",
      target,
      arguments: {},
      reason: "too wild",
      caller: { by: "console:1", origin: "console", means: "session", address: null, permission: "operator" },
      requestId: "r",
      key: null
    }
    const store = Layer.mock(StageStore, {
      operate: (change) => {
        told.push(`${change.strategy} ${change.to} ${change.by}`)
        const row = { strategy: change.strategy, stage: change.to, reason: change.reason, changed }
        return Effect.succeed({ ...row, changedBy: change.by, since: "2026-11-23T15:00:00.000Z" })
      }
    })
    return yield* Effect.gen(function* () {
      const result = yield* Effect.result(setStage(to)(request))
      const alerts = (yield* Alerts).takePending()
      return {
        answer:
          result._tag === "Success"
            ? result.success.stage
            : result.failure._tag === "CommandRefused"
              ? `${result.failure.kind} ${result.failure.reason}`
              : result.failure._tag,
        told,
        alerts: alerts.flatMap((entry) =>
          entry._tag === "Outbreak" ? [`${entry.severity} ${entry.kind} ${entry.message}`] : []
        )
      }
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          store,
          Layer.succeed(Config, settings),
          alertsQueue.pipe(Layer.provideMerge(Wake.layer))
        )
      )
    )
  })

describe("an operator's word on the stage of a strategy (G5, T14)", () => {
  it.effect("is stored with who and why, and alerted low while it is a shadow", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* give("shadow", "default"), {
        answer: "shadow",
        told: ["default shadow console:1"],
        alerts: ["LOW strategy.demoted default is a shadow now, by console:1: too wild"]
      })
      assert.deepStrictEqual((yield* give("live", "default")).alerts, [])
    })
  )

  it.effect("is answered alike where nothing changes, and alerts nothing again", () =>
    Effect.gen(function* () {
      const { alerts, answer } = yield* give("shadow", "default", false)
      assert.deepStrictEqual([answer, alerts], ["shadow", []])
    })
  )

  it.effect("lets nothing trade that the settings call a shadow, and knows no other strategy", () =>
    Effect.gen(function* () {
      const refused = yield* give("live", "fixed")
      assert.deepStrictEqual([refused.answer, refused.told], ["conflict shadow_by_settings", []])
      assert.strictEqual((yield* give("shadow", "nobody")).answer, "not_found not_found")
      assert.strictEqual((yield* give("shadow", "toString")).answer, "not_found not_found")
    })
  )
})
