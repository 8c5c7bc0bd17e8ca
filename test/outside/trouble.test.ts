/** Trouble is reported: what an operator finds in log, health and API after a database was away. */
import { assert, describe, it, onTestFinished } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { signalAll } from "../support/signals.ts"
import { alertBody, databaseProcesses, type Row, Service } from "./service.ts"

describe("a database that was frozen for ten seconds (T11)", () => {
  it("is told while it lasts and when it is back, with what was spooled; each change of health is a line, each spooled post too", async () => {
    const service = new Service()
    onTestFinished(() => service.dispose(), 60_000)
    await service.start()
    const event = (name: string, what: (line: Readonly<Record<string, unknown>>) => boolean) =>
      waitUntil(
        () => `a line ${name}${service.tail()}`,
        () => service.events(name).find(what)
      )
    const changes = () =>
      service.events("health.changed").map(({ status, was }) => `${String(was)} > ${String(status)}`)
    await event("health.changed", ({ status }) => status === "healthy")
    const frozen = databaseProcesses(service.dataDir)
    signalAll(frozen, "SIGSTOP")
    const spooled: Array<unknown> = []
    const alerted = event("alert.raised", ({ kind }) => kind === "database.away")
    try {
      while (spooled.length < 3) {
        const { body, status } = await service.post("/webhook", alertBody(), { deadlineMs: 15_000 })
        assert.strictEqual(status, 202)
        spooled.push(body.request_id)
      }
      const away = await alerted
      assert.deepInclude(away, { severity: "HIGH", level: "error", component: "root/database" })
    } finally {
      signalAll(frozen, "SIGCONT")
    }
    const back = await event("alert.raised", ({ lasted_ms }) => typeof lasted_ms === "number")
    assert.match(String(back["msg"]), /the database was away for \d+ s: .+; 3 posts were spooled meanwhile/)
    await event("health.changed", ({ status, was }) => was !== "starting" && status === "healthy")
    assert.deepStrictEqual(
      service.events("signal.spooled").map(({ request_id }) => request_id),
      spooled
    )
    const down = service
      .events("health.changed")
      .find(({ status, was }) => was === "healthy" && status === "degraded")
    assert.include(down?.["reasons"], "the database is away, posts are spooled")
    assert.include(changes(), "healthy > degraded")
    await event("spool.drained", () => true)
    assert.lengthOf(service.events("spool.drained"), 1)
    const stored = await waitUntil(
      () => `the alert in the table${service.tail()}`,
      async () => {
        const { body } = await service.get("/api/v1/monitoring/alerts")
        return (body.items as ReadonlyArray<Row>).find(
          ({ kind, last_message, status }) =>
            kind === "database.away" && status === "resolved" && String(last_message).includes("was away for")
        )
      }
    )
    assert.strictEqual(stored["severity"], "HIGH")
  }, 180_000)
})
