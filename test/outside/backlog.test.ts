/** A backlog of dead signals, seen from outside: it starves nothing, fills no log, and is reported. */
import { Effect, Exit, Scope } from "effect"
import { assert, describe, it, onTestFinished } from "vitest"
import type { DatabaseService } from "../../src/layers/database/database.port.ts"
import { waitUntil } from "../support/exchange.ts"
import { openFreshDatabase } from "../support/postgres.ts"
import { insertStale } from "../support/stale-signals.ts"
import { alertBody, type Row, Service } from "./service.ts"

/** The size that starved a fresh signal for 45 s; a fifth of it shows the same in each run. */
const staleSignals = process.env["TEST_SIZE"] === "long" ? 300_000 : 60_000

/** A service on an external database that the test can write to. */
const open = async (): Promise<{ readonly service: Service; readonly database: DatabaseService }> => {
  const scope = Scope.makeUnsafe()
  const { database, url } = await Effect.runPromise(Scope.provide(openFreshDatabase(), scope))
  const service = new Service({ env: { DATABASE_URL: url } })
  onTestFinished(async () => {
    await service.dispose()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }, 150_000)
  return { service, database }
}

describe(`${staleSignals} signals that are too old`, () => {
  it("end in bulk behind fresh ones, told by few lines and one alert, and health is degraded while they are there", async () => {
    const { database, service } = await open()
    await service.start()
    const decided = async (): Promise<number> => {
      const from = performance.now()
      const { body } = await service.post("/webhook", alertBody())
      await waitUntil(
        () => `the fresh signal to be decided${service.tail()}`,
        async () => {
          const trace = await service.get(`/api/v1/signals/${String(body.signal_id)}`)
          return trace.body.signal?.status === "done" ? true : undefined
        }
      )
      return performance.now() - from
    }
    await decided()
    const quietMs = await decided()
    const fromMs = performance.now()
    await Effect.runPromise(insertStale(database, staleSignals))
    await waitUntil(
      () => `health to tell the backlog${service.tail()}`,
      async () => {
        const { body } = await service.get("/health")
        return body.status === "degraded" && String(body.reasons).includes("signals are undecided")
          ? true
          : undefined
      }
    )
    const left = async (): Promise<boolean> =>
      !(await service.get("/metrics")).text.includes("holdfast_queue_expired 0")
    const took: Array<number> = []
    while (took.length < 5) {
      took.push(await decided())
      assert.isTrue(await left(), "the dead ones are still being ended")
      assert.strictEqual((await service.get("/health")).body.status, "degraded")
    }
    console.log(
      `fresh signals were decided after ${took.map(Math.round).join(", ")} ms, before after ${Math.round(quietMs)}`
    )
    assert.isBelow(Math.min(...took), Math.max(1_000, 10 * quietMs))
    assert.isBelow(service.lines.filter(({ event }) => event !== "startup.step").length, 100 + 5 * 6)
    await waitUntil(
      () => `what was ended to be told${service.tail()}`,
      () => (service.events("signals.expired").length > 0 ? true : undefined)
    )
    // One alert beside each line.
    const told = await waitUntil("the alert beside the line", () => {
      const raised = service.events("alert.raised").filter(({ kind }) => kind === "signal.too_old")
      return raised.length === service.events("signals.expired").length ? raised : undefined
    })
    // One at once, one at the end, and one for every ten seconds in between.
    assert.isAtMost(told.length, 3 + Math.floor((performance.now() - fromMs) / 10_000))
    assert.deepInclude(told[0], { severity: "MEDIUM", source: "default", level: "warn" })
    assert.isAbove(Number(told[0]?.["count"]), 1_000)
    // What was ended tells why, as any signal does.
    const [ended] = (await service.get("/api/v1/signals?status=rejected&limit=1")).body
      .items as ReadonlyArray<Row>
    const trace = (await service.get(`/api/v1/signals/${ended?.["id"] ?? ""}`)).body
    assert.deepInclude(trace.signal as Row, { status: "rejected", reason: "too_old" })
    assert.strictEqual(trace.decision.checks[0].code, "too_old")
  }, 240_000)
})
