/** What is reported about posts that were not accepted. */
import { assert, describe, it, onTestFinished } from "vitest"
import { intakeLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { alert, startWorld, until, type WorldOptions, type World } from "../api/http-world.ts"

const world = async (options: WorldOptions = {}): Promise<World> => {
  const started = await startWorld(options)
  onTestFinished(started.dispose)
  return started
}
const lines = ({ lines }: World) => lines.filter(({ event }) => event === "post.refused")
const secret = { environment: { WEBHOOK_SECRET: "the one that was agreed on" } }

describe("a refused post", () => {
  it("has one line that says source, status, address and what is wrong, whatever refused it", async () => {
    const it = await world(secret)
    const good = { ...alert(), secret: "the one that was agreed on" }
    assert.strictEqual((await it.post(good)).status, 201)
    const refused = [
      await it.post({ ...good, symbol: undefined, direction: "sideways" }),
      await it.post({ ...alert(), secret: "wrong" }),
      await it.post(good, { "content-type": "application/xml" }),
      await it.post(good, {}, "/webhook/stranger"),
      await it.send("POST", "/webhook", { headers: { "content-length": "999999999" } })
    ]
    await until("a line each", () => lines(it).length === 5)
    assert.deepStrictEqual(
      lines(it).map(({ address, component, reason, request_id, source, status }) => [
        status,
        reason,
        source,
        address,
        component,
        request_id
      ]),
      [
        [400, "INVALID", "default"],
        [401, "UNAUTHORIZED", "default"],
        [415, "UNSUPPORTED_MEDIA_TYPE", "default"],
        [404, "NOT_FOUND", null],
        [413, "TOO_LARGE", "default"]
      ].map((line, index) => [...line, "127.0.0.1", "root/http", refused[index]?.body.request_id])
    )
    const [invalid, unauthorized] = lines(it).map(({ msg }) => String(msg))
    assert.match(invalid ?? "", /source default was answered 400 INVALID: .*symbol.*direction/s)
    assert.notInclude(invalid, "sideways")
    assert.strictEqual(unauthorized, "a post of source default was answered 401 UNAUTHORIZED")
  })

  it("while nothing can be stored is a line too, and counted", async () => {
    const it = await world({ store: (memory) => ({ ...memory, available: () => false }) })
    await it.post(alert())
    await it.post(alert())
    await until("both lines", () => lines(it).length === 2)
    assert.deepStrictEqual(
      lines(it).map(({ status }) => status),
      [503, 503]
    )
    assert.deepStrictEqual(it.refused.unavailable(), { total: 2, inRow: 2 })
  })

  it("is none when it was taken before, or was no post at all", async () => {
    const it = await world()
    const body = alert()
    await it.post(body)
    await it.post(body)
    await it.send("GET", "/webhook")
    await it.send("POST", "/api/v1/nothing")
    assert.deepStrictEqual(lines(it), [])
  })
})

describe("a flood of refused posts", () => {
  it("fills no log: some lines, then a sum, by source and status", async () => {
    const it = await world(secret)
    const flood = 10 * intakeLimits.refusalLinesMax
    for (let sent = 0; sent < flood; sent += 20)
      await Promise.all(Array.from({ length: 20 }, () => it.post({ ...alert(), secret: "wrong" })))
    await it.post("{", {}, "/webhook/wave")
    await until("the lines", () => lines(it).length >= intakeLimits.refusalLinesMax + 1)
    assert.lengthOf(lines(it), intakeLimits.refusalLinesMax + 1)
    await it.sumUp("over")
    assert.lengthOf(lines(it), intakeLimits.refusalLinesMax + 1, "the minute is not over")
    await it.sumUp("all")
    await it.sumUp("all")
    assert.lengthOf(lines(it), intakeLimits.refusalLinesMax + 2)
    assert.deepInclude(lines(it).at(-1), {
      status: 401,
      source: "default",
      more: flood - intakeLimits.refusalLinesMax,
      msg: `${flood - intakeLimits.refusalLinesMax} more posts of source default were answered 401 UNAUTHORIZED`
    })
  })
})

describe("alerts about refused posts", () => {
  it("come for an authenticated sender with a wrong body, once a minute and not per post", async () => {
    const it = await world(secret)
    for (let sent = 0; sent < 5; sent += 1)
      await it.post({ symbol: "SPY", secret: "the one that was agreed on" })
    await it.post({ symbol: "SPY", secret: "wrong" })
    await until("the lines", () => lines(it).length === 6)
    assert.deepStrictEqual(
      it.alerts.map(({ dedupKey, kind, severity }) => [severity, kind, dedupKey]),
      [["MEDIUM", "post.refused", "post.refused:default:invalid"]]
    )
  })

  it("come for a sender that was taken before and is now always refused, and not for a stranger", async () => {
    const it = await world(secret)
    const refuse = async (times: number, more: { localAddress?: string } = {}) => {
      for (let sent = 0; sent < times; sent += 1)
        await it.send("POST", "/webhook", {
          body: JSON.stringify({ ...alert(), secret: "wrong" }),
          headers: { "content-type": "application/json" },
          ...more
        })
    }
    await refuse(10)
    await it.post({ ...alert(), secret: "the one that was agreed on" })
    await refuse(10, { localAddress: "127.0.0.2" })
    await refuse(intakeLimits.unauthorizedInRow - 1)
    await it.post({ ...alert(), secret: "the one that was agreed on" })
    await refuse(intakeLimits.unauthorizedInRow - 1)
    assert.deepStrictEqual(it.alerts, [])
    await refuse(5)
    await until("the alert", () => it.alerts.length > 0)
    assert.deepStrictEqual(
      it.alerts.map(({ dedupKey, detail, severity }) => [severity, dedupKey, detail]),
      [["HIGH", "source.unauthorized:default", { source: "default", address: "127.0.0.1" }]]
    )
  })
})
