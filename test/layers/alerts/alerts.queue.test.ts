/** What an alert keeps of the words of others. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { makeMask } from "../../../src/domain/redaction.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.ts"
import { alertsQueueMasked } from "../../../src/layers/alerts/alerts.queue.ts"
import { Wake } from "../../../src/layers/process/wake.ts"

describe("an alert", () => {
  it.effect("is kept without the secrets a peer repeated", () =>
    Effect.gen(function* () {
      const alerts = yield* Alerts
      yield* alerts.raise({
        severity: "HIGH",
        kind: "feed.credentials",
        dedupKey: "feed.credentials:f",
        message: "the server says: token hunter22 is wrong",
        detail: { url: "ws://u:p@h/x", said: ["hunter22"] }
      })
      const [alert] = alerts.takePending()
      assert.strictEqual(alert?.message, "the server says: token [redacted] is wrong")
      assert.deepStrictEqual(alert?.detail, { url: "ws://[redacted]@h/x", said: ["[redacted]"] })
      assert.strictEqual(alert?.dedupKey, "feed.credentials:f")
    }).pipe(Effect.provide(alertsQueueMasked(makeMask(["hunter22"])).pipe(Layer.provide(Wake.layer))))
  )
})
