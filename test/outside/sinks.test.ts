/** The sinks of alerts from outside: what a receiver gets when it fails, hangs or is away, and when the process dies. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { createHmac, randomUUID } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { MailServer, Receiver, type Received } from "../support/receiver.ts"
import { World } from "./world.ts"

const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const folder = mkdtempSync(path.join(tmpdir(), "holdfast-sinks-"))
const order = path.join(folder, "order")
const lines = path.join(folder, "alerts.jsonl")
let world: World
let receiver: Receiver
/** One that goes away and comes back. */
let leaver: Receiver
let mails: MailServer

/** Each scene has a sink and a kind of alert of its own, so that they can be played at once. */
const settings = () => ({
  alerts: {
    sinks: {
      desk: {
        kind: "webhook",
        url: `${receiver.url}/desk`,
        secret: { env: "DESK_SECRET" },
        kinds: ["desk.*"]
      },
      rate: { kind: "webhook", url: `${receiver.url}/rate`, secret, kinds: ["rate.*"] },
      hang: { kind: "webhook", url: `${receiver.url}/hang`, secret, kinds: ["hang.*"] },
      away: { kind: "webhook", url: `${leaver.url}/away`, secret, kinds: ["away.*"] },
      kill: { kind: "webhook", url: `${receiver.url}/kill`, secret, kinds: ["kill.*"] },
      chat: { kind: "slack", url: `${receiver.url}/chat`, kinds: ["all.*"] },
      talk: { kind: "discord", url: `${receiver.url}/talk`, kinds: ["all.*"] },
      mail: {
        kind: "email",
        url: `smtp://127.0.0.1:${mails.port}`,
        from: "holdfast@example.com",
        to: ["desk@example.com"],
        kinds: ["all.*"]
      },
      lines: { kind: "file", path: lines, kinds: ["all.*", "sink.*"], severityMin: "LOW" },
      boss: { kind: "webhook", url: `${receiver.url}/boss`, secret, kinds: [] }
    },
    // Time enough to acknowledge one of two before; the sink that hangs takes longer.
    escalation: { afterMs: 8_000, to: ["boss"] },
    heartbeat: { url: `${receiver.url}/beat`, everyMs: 1_000 }
  }
})

/** Starts it, also on a machine that is busy with other things. */
const started = async (): Promise<void> => {
  world.service.spawn()
  await world.service.listening(90_000)
  await world.service.trading(90_000)
}

beforeAll(async () => {
  receiver = await Receiver.open()
  leaver = await Receiver.open()
  mails = await MailServer.open()
  world = await World.open({
    database: "external",
    env: { DESK_SECRET: secret, FAULT_ORDER: order },
    nodeFlags: ["--require", path.join(projectRoot, "test/support/fault-hook.cjs")],
    settings: settings()
  })
  await started()
}, 480_000)
afterAll(async () => {
  await world.dispose()
  await receiver.close()
  await leaver.close()
  await mails.close()
  rmSync(folder, { recursive: true, force: true })
}, 240_000)

/** Rows as the service stores them; it finds them within five seconds. */
const raise = (kind: string, messages: ReadonlyArray<string>, severity = "HIGH"): Promise<void> =>
  world.alter(
    `INSERT INTO alerts (id, severity, kind, dedup_key, message, standing) VALUES ${messages
      .map(
        (message) => `('${randomUUID()}', '${severity}', '${kind}', '${kind}:${message}', '${message}', true)`
      )
      .join(", ")}`
  )
const dataOf = ({ text }: Received) =>
  (JSON.parse(text) as { readonly data: { readonly message: string; readonly more: number } }).data
const idOf = ({ headers }: Received): string => String(headers["webhook-id"])
const until = <A>(
  what: string,
  look: () => Promise<A | undefined> | A | undefined,
  deadlineMs = 60_000
): Promise<A> => waitUntil(() => `${what}${world.service.tail()}`, look, deadlineMs)
/** What came at a path after `before` requests, once it is `count`. */
const arrived = (at: string, before: number, count: number, deadlineMs?: number, from = receiver) =>
  until(
    `${count} at ${at}`,
    () => {
      const news = from.at(at).slice(before)
      return news.length >= count ? news : undefined
    },
    deadlineMs
  )
const row = async (name: string) => {
  const { body, status } = await world.service.get("/api/v1/sinks")
  assert.strictEqual(status, 200)
  return (body.items as ReadonlyArray<Readonly<Record<string, unknown>>>).find((one) => one["name"] === name)
}

describe.concurrent("a receiver", () => {
  it("gets one alert once, signed; a fault is tried again with the same id and the same bytes", async () => {
    receiver.next("/desk", { status: 500 })
    await raise("desk.fault", ["first"])
    const [one, two] = await arrived("/desk", 0, 2)
    assert(one !== undefined && two !== undefined)
    assert.deepStrictEqual([idOf(one), one.text], [idOf(two), two.text])
    const signed = `${idOf(two)}.${String(two.headers["webhook-timestamp"])}.${two.text}`
    assert.strictEqual(
      two.headers["webhook-signature"],
      `v1,${createHmac("sha256", secret).update(signed).digest("base64")}`
    )
    await until("it to be counted", async () => ((await row("desk"))?.["sent"] === 1 ? true : undefined))
    assert.lengthOf(receiver.at("/desk"), 2)
  }, 240_000)

  it("that asks for a pause is left alone so long", async () => {
    receiver.next("/rate", { status: 429, headers: { "retry-after": "3" } })
    await raise("rate.test", ["limited"])
    const [one, two] = await arrived("/rate", 0, 2)
    assert(one !== undefined && two !== undefined)
    assert.isAtLeast(two.atMs - one.atMs, 2_900)
  }, 240_000)

  it("that hangs is left at its deadline and tried again", async () => {
    receiver.next("/hang", "hang")
    await raise("hang.test", ["held"])
    const [one, two] = await arrived("/hang", 0, 2)
    assert(one !== undefined && two !== undefined)
    assert.isAtLeast(two.atMs - one.atMs, 9_900)
    assert.strictEqual(idOf(one), idOf(two))
  }, 240_000)

  it("that is away gets everything afterwards: in order, few messages for many, and it was an alert elsewhere", async () => {
    await leaver.close()
    await raise("away.first", ["a"])
    await raise(
      "away.many",
      Array.from({ length: 13 }, (_, n) => `many ${n}`)
    )
    await raise("away.last", ["z"])
    await until("the alert about the sink", () =>
      readFileSync(lines, "utf8")
        .split("\n")
        .find((line) => line.includes("sink.failing") && line.includes("away"))
    )
    const failing = await until("all of them to wait", async () => {
      const found = await row("away")
      return found?.["queued"] === 15 ? found : undefined
    })
    assert.deepInclude(failing, { last_error: "ECONNREFUSED" })
    assert.match(String(failing["state"]), /BackingOff|Sending/)
    await until("health to say it", async () =>
      (await world.service.get("/health")).body.status === "degraded" ? true : undefined
    )
    await leaver.listen()
    const news = await arrived("/away", 0, 3, 60_000, leaver)
    assert.deepStrictEqual(
      news.map((one) => [dataOf(one).message, dataOf(one).more]),
      [
        ["a", 0],
        ["many 0", 12],
        ["z", 0]
      ]
    )
    await until("its end", async () =>
      (await world.service.list("monitoring/alerts", "kind=sink.failing")).find(
        (alert) => alert["status"] === "resolved" && alert["dedup_key"] === "sink.failing:away"
      )
    )
  }, 480_000)
})

describe.concurrent("each kind of sink", () => {
  it("gets its own shape of the same alert, and the file has it on a line", async () => {
    await raise("all.kinds", ["something happened"])
    const [chat] = await arrived("/chat", 0, 1)
    const [talk] = await arrived("/talk", 0, 1)
    assert.strictEqual(JSON.parse(chat?.text ?? "").text, "*PRACTICE HIGH all.kinds*\nsomething happened")
    assert.strictEqual(
      JSON.parse(talk?.text ?? "").content,
      "**PRACTICE HIGH all.kinds**\nsomething happened"
    )
    const mail = await until("a mail", () => mails.mails[0])
    assert.match(mail.text, /^Subject: \[holdfast\] PRACTICE HIGH all\.kinds$/m)
    const line = await until("a line", () =>
      readFileSync(lines, "utf8")
        .split("\n")
        .find((one) => one.includes("all.kinds"))
    )
    assert.strictEqual(JSON.parse(line).data.message, "something happened")
  }, 150_000)
})

describe.concurrent("a CRITICAL alert", () => {
  it("that nobody acknowledges reaches who is asked then, once; one that is acknowledged does not", async () => {
    await raise("boss.test", ["seen", "unseen"], "CRITICAL")
    const rows = await until("the alerts", async () => {
      const all = await world.service.list("monitoring/alerts", "kind=boss.test")
      return all.length === 2 ? all : undefined
    })
    const seen = rows.find(({ message }) => message === "seen")?.["id"] ?? ""
    assert.strictEqual((await world.service.post(`/api/v1/alerts/${seen}/ack`, {})).status, 200)
    const [late] = await arrived("/boss", 0, 1)
    assert.deepInclude(JSON.parse(late?.text ?? ""), { type: "alert.escalated" })
    assert.strictEqual(late === undefined ? "" : dataOf(late).message, "unseen")
    await raise("all.later", ["a later one"])
    await arrived("/chat", 1, 1)
    assert.lengthOf(receiver.at("/boss"), 1)
  }, 150_000)
})

describe("a process that is killed", () => {
  it.each([
    ["before it sends", "sink-taken", 1],
    ["after it sent, before it knows", "sink-sent", 2]
  ])(
    "%s delivers, and a repetition has the same id",
    async (message, point, count) => {
      const before = receiver.at("/kill").length
      writeFileSync(order, `${point} kill SIGKILL`)
      await raise("kill.test", [message])
      await until("the process to die", () => (world.service.isRunning ? undefined : true))
      await started()
      const news = await arrived("/kill", before, count, 60_000)
      assert.deepStrictEqual(new Set(news.map((one) => dataOf(one).message)), new Set([message]))
      assert.lengthOf(new Set(news.map(idOf)), 1)
      await until("it to be counted", async () => ((await row("kill"))?.["queued"] === 0 ? true : undefined))
      assert.lengthOf(receiver.at("/kill"), before + count)
    },
    240_000
  )
})

describe("an operator", () => {
  it("tries a sink by a command, which is audited and takes the way of every alert", async () => {
    const before = receiver.at("/boss").length
    const answer = await world.service.post("/api/v1/sinks/boss/test", { reason: "drill" })
    assert.deepStrictEqual([answer.status, answer.body], [202, { status: "ACCEPTED", sink: "boss" }])
    const [tried] = await arrived("/boss", before, 1)
    assert.match(tried === undefined ? "" : dataOf(tried).message, /^a test by .*: drill$/)
    assert.strictEqual((await world.service.post("/api/v1/sinks/nobody/test", {})).status, 404)
    const [row] = await world.service.list("audit", "command=sink.test&result=accepted")
    assert.strictEqual(row?.["scope"], "sink:boss")
  }, 240_000)

  it("sees the figures of each sink, and no address", async () => {
    const { text } = await world.service.get("/api/v1/sinks")
    assert.notInclude(text, "127.0.0.1")
    const chat = await until("the sink to rest", async () => {
      const found = await row("chat")
      return found?.["state"] === "Idle" ? found : undefined
    })
    assert.deepInclude(chat, { kind: "slack", severity_min: "MEDIUM", dead: 0, queued: 0, sent: 2 })
    const metrics = await until("the figures", async () => {
      const { text } = await world.service.get("/metrics")
      return /^holdfast_sink_sent_alerts_total\{sink="chat"\} 2$/m.test(text) ? text : undefined
    })
    assert.match(metrics, /^holdfast_heartbeats_total [1-9]/m)
    assert.isAbove(receiver.at("/beat").length, 3)
  }, 240_000)

  it("adds and removes sinks by a reload", async () => {
    const { alerts } = settings()
    const { talk: _talk, ...others } = alerts.sinks
    const more = { kind: "webhook", url: `${receiver.url}/more`, secret, kinds: ["more.*"] }
    world.configure({ alerts: { ...alerts, heartbeat: null, sinks: { ...others, more } } })
    const { body, status } = await world.service.post("/api/v1/settings/reload", { reason: "the test" })
    assert.strictEqual(status, 200)
    assert.deepInclude(body.components, {
      added: ["root/operators/sink:more"],
      removed: ["root/operators/heartbeat", "root/operators/sink:talk"],
      restarted: []
    })
    await raise("more.test", ["hello"])
    const [hello] = await arrived("/more", 0, 1)
    assert.strictEqual(hello === undefined ? "" : dataOf(hello).message, "hello")
    assert.isUndefined(await row("talk"))
  }, 150_000)
})
