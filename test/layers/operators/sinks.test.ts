/** What is at the other end of each kind of sink, over real sockets and files. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { createHmac } from "node:crypto"
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import type { SinkSettings } from "../../../src/domain/kernel/settings-alerts.ts"
import { sinkMessage } from "../../../src/domain/operators/sink-message.ts"
import { retryAfterMs } from "../../../src/layers/operators/sink.http.ts"
import { sinksConfigured } from "../../../src/layers/operators/sinks.configured.ts"
import { type SinkFailed, Sinks } from "../../../src/layers/operators/sinks.port.ts"
import { MailServer, Receiver } from "../../support/receiver.ts"

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
const folder = mkdtempSync(path.join(tmpdir(), "holdfast-sinks-"))
let receiver: Receiver
let mails: MailServer
beforeAll(async () => {
  receiver = await Receiver.open()
  mails = await MailServer.open()
})
afterAll(async () => {
  await receiver.close()
  await mails.close()
  rmSync(folder, { recursive: true, force: true })
})

const sinks = Context.get(Effect.runSync(Effect.scoped(Layer.build(sinksConfigured))), Sinks)
const settings = (over: Partial<SinkSettings>): SinkSettings => ({
  kind: "webhook",
  url: Redacted.make(`${receiver.url}/hook`),
  secret: Redacted.make(secret),
  path: null,
  from: null,
  to: [],
  severityMin: "LOW",
  kinds: null,
  accounts: null,
  perMinuteMax: 20,
  ...over
})
const message = sinkMessage("PRACTICE", {
  id: "6a8d7a1e-0000-8000-8000-000000000001",
  isEscalated: false,
  alerts: [
    {
      alertId: "00000000-0000-4000-8000-000000000001",
      severity: "HIGH",
      kind: "order.vanished",
      message: ".\nan order is gone: ä",
      component: null,
      account: "a",
      atMs: 0
    }
  ]
})
/** Null: it was taken. */
const outcome = (over: Partial<SinkSettings>): Promise<SinkFailed | null> =>
  Effect.runPromise(
    sinks
      .sender(settings(over))(message)
      .pipe(
        Effect.as(null),
        Effect.catch((failure) => Effect.succeed(failure))
      )
  )

describe("a webhook", () => {
  it("is signed over its id, its time and its bytes", async () => {
    assert.isNull(await outcome({}))
    const { headers, text } = receiver.received.at(-1) ?? assert.fail("nothing came")
    const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${text}`
    const key = Buffer.from(secret.slice(6), "base64")
    assert.strictEqual(
      headers["webhook-signature"],
      `v1,${createHmac("sha256", key).update(signed).digest("base64")}`
    )
    assert.strictEqual(headers["webhook-id"], message.id)
    assert.isBelow(Math.abs(Date.now() / 1_000 - Number(headers["webhook-timestamp"])), 30)
    assert.strictEqual(JSON.parse(text).data.kind, "order.vanished")
  })

  it.each([
    [500, "fault"],
    [503, "fault"],
    [408, "fault"],
    [400, "refused"],
    [422, "refused"],
    [401, "unusable"],
    [404, "unusable"],
    [410, "unusable"],
    [302, "unusable"],
    [429, "rate"]
  ])("that is answered %i is %s", async (status, failure) => {
    receiver.next("/hook", { status, headers: { location: `${receiver.url}/elsewhere`, "retry-after": "7" } })
    const failed = await outcome({})
    assert.deepStrictEqual([failed?.failure, failed?.reason], [failure, `the answer was ${status}`])
    assert.strictEqual(failed?.retryAfterMs, 7_000)
    assert.lengthOf(receiver.at("/elsewhere"), 0, "a redirect is not followed")
  })

  it("that nobody takes, or nobody answers, says so without its address", async () => {
    const gone = await Receiver.open()
    await gone.close()
    const none = await outcome({ url: Redacted.make(`${gone.url}/secret`) })
    assert.deepStrictEqual([none?.failure, none?.reason], ["unreachable", "ECONNREFUSED"])
    receiver.next("/hook", "hang")
    const slow = await outcome({})
    assert.deepStrictEqual([slow?.failure, slow?.reason], ["unreachable", "no answer in time"])
  }, 20_000)

  it("a pause is read in seconds, in parts of them, and as a date", () => {
    assert.deepStrictEqual(
      ["3", "0.65", "Thu, 01 Jan 1970 00:01:00 GMT", "Thu, 01 Jan 1970 00:00:01 GMT", "soon", null].map(
        (header) => retryAfterMs(header, 10_000)
      ),
      [3_000, 650, 50_000, 0, 0, 0]
    )
  })
})

describe("a chat", () => {
  it.each([
    ["slack", "text"],
    ["discord", "content"]
  ] as const)("[%s] gets its shape, unsigned", async (kind, field) => {
    assert.isNull(await outcome({ kind, secret: null }))
    const { headers, text } = receiver.received.at(-1) ?? assert.fail("nothing came")
    assert.isUndefined(headers["webhook-signature"])
    assert.include(String(JSON.parse(text)[field]), "an order is gone: ä")
  })
})

describe("the switch outside", () => {
  it("is fetched", async () => {
    await Effect.runPromise(sinks.beat(Redacted.make(`${receiver.url}/beat`)))
    assert.deepStrictEqual(
      receiver.at("/beat").map(({ method }) => method),
      ["GET"]
    )
  })
})

describe("a mail", () => {
  const mail = (): Partial<SinkSettings> => ({
    kind: "email",
    secret: null,
    url: Redacted.make(`smtp://desk:hunter2@127.0.0.1:${mails.port}`),
    from: "holdfast@example.com",
    to: ["one@example.com", "two@example.com"]
  })
  it("has a subject, its id, and goes to all", async () => {
    assert.isNull(await outcome(mail()))
    const [taken = assert.fail("nothing came")] = mails.mails
    assert.deepInclude(taken, {
      from: "holdfast@example.com",
      to: ["one@example.com", "two@example.com"],
      user: "desk"
    })
    assert.match(taken.text, /^Subject: \[holdfast\] PRACTICE HIGH order\.vanished$/m)
    assert.include(taken.text, `Message-ID: <${message.id}@holdfast>`)
    assert.match(taken.text, /^Auto-Submitted: auto-generated$/m)
  })
  it.each([
    ["451 not now", "fault"],
    ["554 no", "refused"]
  ])("that is answered %s is %s", async (reply, failure) => {
    mails.refusals.push(reply)
    const failed = await outcome(mail())
    assert.strictEqual(failed?.failure, failure)
    assert.match(failed?.reason ?? "", /^the mail server answered \d{3} \(EMESSAGE\)$/)
  })
  it("to a server that is not there is unreachable", async () => {
    const failed = await outcome({ ...mail(), url: Redacted.make("smtp://127.0.0.1:1") })
    assert.strictEqual(failed?.failure, "unreachable")
  })
})

describe("a file", () => {
  const file = path.join(folder, "alerts.jsonl")
  const lines = () => readFileSync(file, "utf8").split("\n")
  it("gets a line for each message, also after one that was cut", async () => {
    assert.isNull(await outcome({ kind: "file", path: file }))
    appendFileSync(file, '{"cut')
    assert.isNull(await outcome({ kind: "file", path: file }))
    const [first = "", cut, second = "", end] = lines()
    assert.deepStrictEqual([cut, end], ['{"cut', ""])
    for (const line of [first, second]) assert.strictEqual(JSON.parse(line).data.delivery_id, message.id)
  })
  it("that cannot be written says why, without its path", async () => {
    const failed = await outcome({ kind: "file", path: path.join(folder, "none", "alerts.jsonl") })
    assert.strictEqual(failed?.reason, "the file cannot be written: ENOENT")
  })
})
