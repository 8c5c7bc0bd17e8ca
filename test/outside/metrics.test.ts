import { assert, describe, it, onTestFinished } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, Service } from "./service.ts"

/** Value of a sample by its name and labels, as it is written. */
const sample = (text: string, written: string): number | undefined => {
  const line = text.split("\n").find((one) => one.startsWith(`${written} `))
  return line === undefined ? undefined : Number(line.slice(written.length + 1))
}

describe("GET /metrics", () => {
  it("counts waves by how they ended and how long they took, and is text a scraper can read", async () => {
    const service = new Service({ env: { WAVE_PERIOD_MS: "2000" } })
    onTestFinished(() => service.dispose(), 60_000)
    await service.start()
    const { body } = await service.post("/webhook", alertBody())
    await service.settled(String(body.signal_id))
    const text = await waitUntil(
      () => `a wave that ended${service.tail()}`,
      async () => {
        const answer = await service.get("/metrics")
        const ended = sample(answer.text, 'holdfast_wave_seconds_count{feed="default"}')
        const sent = sample(answer.text, 'holdfast_stage_seconds_count{stage="decided_to_sent"}')
        return ended !== undefined && ended > 0 && sent === 1 ? answer.text : undefined
      }
    )
    const by = (status: string) =>
      sample(text, `holdfast_waves_total{feed="default",status="${status}"}`) ?? Number.NaN
    assert.isAtLeast(by("done") + by("empty"), 1)
    assert.isAtLeast(by("missed"), 0)
    assert.strictEqual(sample(text, 'holdfast_feed_connected{feed="default"}'), 1)
    // The stages of its order (G10); one that the fill overtook has no time from its acknowledgement on.
    const counted = (stage: string) => sample(text, `holdfast_stage_seconds_count{stage="${stage}"}`) ?? 0
    for (const stage of ["fired_to_received", "received_to_decided", "decided_to_sent"])
      assert.strictEqual(counted(stage), 1, stage)
    assert.isAtMost(counted("sent_to_acked"), 1)
    assert.isAtMost(counted("acked_to_filled"), counted("sent_to_acked"))
    const families = text.split("\n").filter((line) => line.startsWith("# TYPE"))
    assert.strictEqual(new Set(families.map((line) => line.split(" ")[2])).size, families.length)
    for (const line of text.split("\n").filter((one) => one !== "" && !one.startsWith("#")))
      assert.match(line, /^[a-z_]+(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+|\+Inf)$/)
  }, 150_000)
})
