/** The bot against everything that Telegram, the network and a kill do to it; minutes, because its pauses are real. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { randomUUID } from "node:crypto"
import { Agent } from "node:http"
import { createServer } from "node:net"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { stopwatch } from "../support/stopwatch.ts"
import { alertsIn } from "../support/telegram-alerts.ts"
import { telegramLimits } from "../../src/domain/operators/telegram-limits.ts"
import { alertBody } from "./service.ts"
import { desk, operators, pager, TelegramWorld } from "./telegram-world.ts"

const freePort = (): Promise<number> =>
  new Promise((settle) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => settle(port))
    })
  })

describe("a bot that polls", () => {
  let world: TelegramWorld
  const free = [...operators]
  const chat = (): number => free.pop() ?? assert.fail("no chat is left")
  beforeAll(async () => {
    const kinds = ["telegram.unanswered", "signal.conflict", "position.unprotected"]
    const lines = { kind: "file", path: "alerts.jsonl", kinds, perMinuteMax: 60 }
    world = await TelegramWorld.open({}, {}, { alerts: { sinks: { lines } } })
    await world.service.start({}, 90_000)
    await world.state("Polling")
  }, 120_000)
  afterAll(() => world.dispose(), 60_000)
  // A scene that fails leaves nothing of its fault to the next one.
  afterEach(async () => {
    world.telegram.server.revoke(false)
    world.telegram.faults()
    await world.alter("DROP FUNCTION IF EXISTS nothing CASCADE")
  }, 60_000)

  it.each(["telegram-received", "telegram-taken", "K10-begun", "K10-done", "telegram-done"])(
    "[SIGKILL at %s] a press has its effect once",
    (point) => world.pressAndDie(chat(), point),
    120_000
  )

  it("[409] another poller is a state with a name, and the bot goes on when it is gone", async () => {
    await world.telegram.call("getUpdates", { timeout: 0 })
    const conflict = await world.state("Conflict")
    assert.match(String(conflict["last_error"]), /only one bot instance/)
    await world.state("Polling", 30_000)
  }, 60_000)

  it("[token revoked and restored] is named, and over within a minute; trading is not touched", async () => {
    const { service, telegram } = world
    telegram.server.revoke(true)
    telegram.bot.say(free[0] ?? 0, free[0] ?? 0, "/version")
    await world.state("CredentialRefused", 60_000)
    assert.strictEqual((await service.get("/health")).body.can_trade, true)
    telegram.server.revoke(false)
    await world.state("Polling", 90_000)
  }, 180_000)

  it("[429] a storm of refusals delays answers and loses none", async () => {
    const { telegram } = world
    telegram.faults({
      on: "sendMessage",
      times: 10,
      do: { type: "refuse", code: 429, description: "", retryAfter: 2 }
    })
    const chats = [chat(), chat(), chat()]
    const answers = await Promise.all(chats.map((to) => telegram.ask(to, to, "/version", 60_000)))
    assert.isTrue(answers.every(({ text }) => text.startsWith("holdfast")))
  }, 90_000)

  /** What the pager was told since it had `before` messages, once `isAll` of it. */
  const told = (what: string, before: number, isAll: (all: ReturnType<typeof alertsIn>) => boolean) =>
    waitUntil(
      () => `${what}; told ${JSON.stringify(pagerTexts(before)).slice(-3_000)}${world.service.tail()}`,
      () => {
        const texts = pagerTexts(before)
        const all = alertsIn(texts)
        return isAll(all) ? { ...all, texts } : undefined
      },
      90_000
    )
  const pagerTexts = (before: number) =>
    world.telegram
      .written(pager)
      .slice(before)
      .map(({ text }) => text)
  /** A CRITICAL alert, as the service stores one. */
  const unprotect = (message: string): Promise<void> =>
    world.alter(`INSERT INTO alerts (id, severity, kind, dedup_key, message, standing)
      VALUES ('${randomUUID()}', 'CRITICAL', 'position.unprotected', '${message}', '${message}', true)`)

  it("[updates arrive, the handlers are dead] degraded within 30 s, which another sink is told, until they are answered", async () => {
    const { service, telegram } = world
    const to = chat()
    // Whatever a handler does with an update comes to nothing, and it does not know.
    await world.alter(`CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql
      AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END'`)
    await world.alter(
      "CREATE TRIGGER dead BEFORE UPDATE ON telegram_updates FOR EACH ROW EXECUTE FUNCTION nothing()"
    )
    const tookMs = stopwatch()
    telegram.bot.say(to, to, "/version")
    await waitUntil(
      () => `degraded health${service.tail()}`,
      async () => {
        const { body } = await service.get("/health")
        const reasons = JSON.stringify(body.reasons)
        return body.status === "degraded" && /updates are stored and not handled/.test(reasons)
          ? true
          : undefined
      }
    )
    const line = await waitUntil("the file", () => world.lines("telegram.unanswered")[0])
    assert.isBelow(tookMs(), 30_000)
    assert.match(line.message, /^commands sent to the Telegram bot are not answered: 1 updates are stored/)
    assert.match(String((await world.component())["state"]), /^Polling\.Unanswered/)
    assert.deepStrictEqual(telegram.written(to), [])
    assert.strictEqual((await service.get("/health")).body.can_trade, true)
    await world.alter("DROP FUNCTION nothing CASCADE")
    assert.match((await telegram.next(to, 0)).text, /^holdfast[^]*Late: you asked \d+ s ago/)
    await waitUntil("the end of it", async () =>
      (await world.component())["state"] === "Polling" ? true : undefined
    )
  }, 180_000)

  it("[Telegram away for a minute] trading goes on; alerts wait, and become few messages, each CRITICAL one by name", async () => {
    const { service, telegram } = world
    const before = telegram.written(pager).length
    telegram.faults({ on: "*", times: null, do: { type: "reset" } })
    const awayMs = stopwatch()
    await world.state("BackingOff", 60_000)
    const critical: Array<string> = []
    let halts = 0
    for (let n = 0; awayMs() < 60_000; n += 1) {
      halts += 1
      for (const state of ["HALTED", "ACTIVE"])
        await service.post("/api/v1/trading-state", { scope: "account:paper-2", state, reason: `n ${n}` })
      if (n % 10 === 0) {
        critical.push(`position ${n}`)
        await unprotect(`position ${n}`)
        const taken = await service.post("/webhook", alertBody({ symbol: "QQQ", quantity: 1 }))
        const { orders } = await service.settled(String(taken.body.signal_id))
        assert.deepStrictEqual(
          (orders as ReadonlyArray<{ readonly status: string }>).map(({ status }) => status),
          ["filled"]
        )
      }
      await pause(500)
    }
    assert.strictEqual((await service.get("/health/ready")).status, 200)
    assert.lengthOf(telegram.written(pager), before)
    telegram.faults()
    const all = await told(
      "the alerts",
      before,
      ({ counts, critical: named }) =>
        named.length >= critical.length && (counts.get("trading_state.changed") ?? 0) >= halts
    )
    assert.deepStrictEqual(all.critical, critical)
    assert.isAtMost(all.texts.length, telegramLimits.alertsWaitingMax + 10)
  }, 300_000)

  it("[a thousand alerts at once] are few messages on each way out, in order, with every CRITICAL one named", async () => {
    const { service, telegram } = world
    const [before, linesBefore] = [telegram.written(pager).length, world.lines("position.unprotected").length]
    // Too old to be traded: what is sent twice under one name with different bodies is an alert all the same.
    const agent = new Agent({ keepAlive: true })
    /** Posted until it is answered so: a machine that is busy with others may spool it first, or answer late. */
    const post = async (n: number, symbol: string, wanted: ReadonlyArray<number>): Promise<void> => {
      const body = alertBody({ symbol, timestamp: "2026-01-01T00:00:00Z", id: `storm-${n}` })
      for (;;) {
        const { status } = await service.post("/webhook", body, { agent }).catch(() => ({ status: 0 }))
        if (wanted.includes(status)) return
        assert.include([0, 202, 503], status)
        await pause(200)
      }
    }
    // One after the other, so that their order is known.
    let stored = Promise.resolve()
    const storm = async (symbol: string, ...wanted: ReadonlyArray<number>) => {
      const numbers = Array.from({ length: 1_000 }, (_, n) => n)
      const send = async (): Promise<void> => {
        for (let n = numbers.shift(); n !== undefined; n = numbers.shift()) {
          const at = n
          await post(at, symbol, wanted)
          if (symbol === "QQQ" && at % 100 === 50) stored = stored.then(() => unprotect(`storm ${at}`))
        }
      }
      await Promise.all(Array.from({ length: 32 }, send))
    }
    await storm("SPY", 201, 200)
    const stormMs = stopwatch()
    await storm("QQQ", 409)
    await stored
    const tookMs = stormMs()
    agent.destroy()
    const critical = Array.from({ length: 10 }, (_, n) => `storm ${100 * n + 50}`)
    const all = await told(
      "a thousand alerts",
      before,
      ({ counts, critical: named }) => named.length >= 10 && (counts.get("signal.conflict") ?? 0) >= 1_000
    )
    assert.deepStrictEqual([all.counts.get("signal.conflict"), all.critical], [1_000, critical])
    // On a slow machine they come over several looks.
    assert.isAtMost(all.texts.length, 20 + (2 * tookMs) / telegramLimits.alertsEveryMs)
    const lines = await waitUntil("the file", () => {
      const found = world.lines("signal.conflict")
      return found.reduce((sum, { more }) => sum + 1 + more, 0) >= 1_000 ? found : undefined
    })
    assert.strictEqual(
      lines.reduce((sum, { more }) => sum + 1 + more, 0),
      1_000
    )
    assert.isAtMost(lines.length, 60 + tookMs / 1_000)
    assert.deepStrictEqual(
      world
        .lines("position.unprotected")
        .slice(linesBefore)
        .flatMap(({ also, message }) => [message, ...also.map((one) => one.message)]),
      critical
    )
    assert.strictEqual((await service.get("/health")).body.can_trade, true)
  }, 300_000)
})

describe("a bot with a webhook", () => {
  it("is posted to, falls back to polling when that fails, and returns", async () => {
    const port = await freePort()
    const webhookUrl = `http://127.0.0.1:${port}/telegram`
    const world = await TelegramWorld.open({ webhookRetryMs: 500 }, { webhookUrl })
    const [first = 0, second = 0] = operators
    const { service, telegram } = world
    try {
      await service.start({ PORT: String(port) }, 90_000)
      await world.state("WebhookSet")
      assert.match((await telegram.ask(first, first, "/version")).text, /^holdfast/)
      assert.isUndefined(telegram.bot.calls.get("getupdates"))
      world.killAt("telegram-taken", String(telegram.bot.updates.next))
      telegram.bot.say(desk, first, "/halt@holdfast_stand_in_bot global")
      await world.dead()
      service.spawn({ PORT: String(port) })
      await service.ready()
      assert.match((await telegram.next(desk, 0, 60_000)).text, /^HALTED for global/)
      const forged = await fetch(webhookUrl, { method: "POST", body: '{"update_id":1}' })
      assert.strictEqual(forged.status, 401)
      telegram.faults({ on: "webhook", times: null, do: { type: "reset" } })
      const answer = await telegram.ask(second, second, "/version", 90_000)
      assert.match(answer.text, /Late: you asked \d+ s ago/)
      const { detail } = (await world.state("Polling")) as { readonly detail: { readonly fallback: boolean } }
      assert.isTrue(detail.fallback)
      telegram.faults()
      await world.state("WebhookSet", 400_000)
    } finally {
      await world.dispose()
    }
  }, 600_000)
})
