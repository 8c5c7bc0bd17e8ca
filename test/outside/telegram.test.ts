/** The Telegram bot from outside: who may do what, and that each update has its effect once. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { stopwatch } from "../support/stopwatch.ts"
import { desk, lobby, operators, pager, TelegramWorld, viewers } from "./telegram-world.ts"

let world: TelegramWorld
let free: Array<number> = []
beforeAll(async () => {
  world = await TelegramWorld.open()
  free = [...operators]
  await world.service.start({}, 90_000)
  await world.state("Polling")
}, 240_000)
afterAll(() => world.dispose(), 150_000)

/** A chat of an operator in which nothing was asked yet. */
const chat = (): number => free.shift() ?? assert.fail("no chat is left")

const reads = [
  "/start /help /status /health /version /logs /accounts /positions /orders /trades /pnl /equity /waves",
  "/feeds /signals /why /alerts /deadletters /unknown /approvals /experiments /replay"
]
  .join(" ")
  .split(" ")
const controls =
  "/halt /reduce /resume /close /flatten /cancel /resolve /pause /restart /ack /selftest".split(" ")

describe("who may do what", () => {
  it("an operator is answered every command, within five seconds, and a control only asks", async () => {
    const { telegram } = world
    const asked = [...reads, "/signals missed", "/price BTC-USDT", ...controls]
    const first = chat()
    const alone = performance.now()
    await telegram.ask(first, first, "/version")
    const aloneMs = performance.now() - alone
    const tookMs = stopwatch()
    const answers = await Promise.all(
      asked.map(async (text) => {
        const to = chat()
        return [text, (await telegram.ask(to, to, text)).text] as const
      })
    )
    assert.isBelow(tookMs(), Math.max(15_000, asked.length * aloneMs))
    for (const [text, answer] of answers) {
      assert.notMatch(answer, /failed here|no command|Late/, text)
      assert.isAbove(answer.length, 5, text)
    }
    const price = answers.find(([text]) => text === "/price BTC-USDT")?.[1] ?? ""
    assert.match(price, /of BTC-USDT-PERP:\nopen interest \d+, 24 h [▲▼=] \d.*\nfunding \d/)
    assert.deepStrictEqual(await world.audit(), [], "nothing took effect without a button")
  }, 150_000)

  it("a viewer reads, and is refused every control, which the audit has with the number of the account", async () => {
    const { telegram } = world
    const [reader = 0, ...others] = viewers
    assert.match((await telegram.ask(reader, reader, "/status")).text, /mode +PRACTICE/)
    const answers = await Promise.all(
      controls.map(async (text, at) => {
        const viewer = others[at] ?? 0
        return (await telegram.ask(viewer, viewer, `${text} global`)).text
      })
    )
    assert.deepStrictEqual([...new Set(answers)], ["That is for operators: here you may look."])
    const rows = await waitUntil("the audit", async () => {
      const all = await world.audit("result=refused")
      return all.length === controls.length ? all : undefined
    })
    assert.isTrue(rows.every(({ by, means }) => /^telegram:2\d\d$/.test(String(by)) && means === "telegram"))
  }, 150_000)

  it("a stranger gets one neutral sentence and nothing else, alone and in a group of strangers", async () => {
    const { telegram } = world
    for (const [id, user] of [
      [999, 999],
      [-999, 101]
    ] as const) {
      const answer = await telegram.ask(id, user, "/status")
      assert.strictEqual(answer.text, "This bot answers only people it knows.")
      telegram.bot.say(id, user, "/halt global")
    }
    const probe = chat()
    await telegram.ask(probe, probe, "/version")
    assert.deepStrictEqual([telegram.written(999).length, telegram.written(-999).length], [1, 1])
    await waitUntil("all of them to be counted", async () => {
      const detail = (await world.component())["detail"] as { readonly strangers: number }
      return detail.strangers >= 4 ? true : undefined
    })
  }, 150_000)

  it("in a group everybody reads, talk is no command, and a control takes an operator by their own number", async () => {
    const { telegram } = world
    telegram.bot.say(lobby, 777, "lunch?")
    assert.match((await telegram.ask(lobby, 777, "/version")).text, /^holdfast/)
    assert.match((await telegram.ask(desk, 777, "/halt global")).text, /for operators/)
    const question = await telegram.ask(desk, 101, "/halt@holdfast_stand_in_bot global rain")
    assert.match(question.text, /^HALTED for global/)
    assert.match(question.text, /HALTED only what an operator closes/)
    const yes = question.keyboard.flat()[0]?.callback_data ?? ""
    const query = telegram.bot.press(desk, 102, question.message_id, yes) ?? ""
    const said = await waitUntil("an answer", () => telegram.bot.answerTo(query) ?? undefined)
    assert.strictEqual(said, "Only who asked may answer.")
    assert.deepStrictEqual(await world.audit("result=accepted"), [])
  }, 150_000)
})

describe("a control", () => {
  it("takes effect by its button, once; the audit names who pressed and why, and it is an alert on a phone", async () => {
    const { service, telegram } = world
    const to = chat()
    const question = await telegram.ask(to, to, "/halt account:paper-2 lunch")
    assert.notStrictEqual((await service.get("/api/v1/audit")).body.items[0]?.result, "accepted")
    const yes = question.keyboard.flat()[0]?.callback_data ?? ""
    telegram.bot.press(to, to, question.message_id, yes)
    const row = await waitUntil("the audit", async () => (await world.audit("result=accepted"))[0])
    assert.deepInclude(row, {
      command: "trading_state.set",
      scope: "account:paper-2",
      by: `telegram:${to}`,
      means: "telegram",
      reason: "lunch"
    })
    // The same button again, as an old phone may send it.
    const again = {
      id: "1",
      from: { id: to },
      data: yes,
      message: { message_id: question.message_id, date: 1, chat: { id: to, type: "private" } }
    }
    telegram.bot.inject({ callback_query: again })
    const probe = chat()
    await telegram.ask(probe, probe, "/version")
    assert.lengthOf(await world.audit("result=accepted"), 1)
    await waitUntil("the alert", () =>
      telegram
        .written(pager)
        .find(({ text: alert }) => alert.endsWith("trading of account:paper-2 is HALTED: lunch"))
    )
    assert.strictEqual(await world.confirm(to, to, "/resume account:paper-2"), "Done.")
  }, 150_000)

  it("tests the path to every chat that gets alerts: Telegram's number of the message is in health, and /status says so", async () => {
    const { telegram } = world
    const to = chat()
    await waitUntil("the one that is made by itself", () =>
      telegram
        .written(pager)
        .find(({ text }) => text.startsWith("Self-test: messages of the bot arrive here."))
    )
    assert.strictEqual(await world.confirm(to, to, "/selftest"), "Done.")
    const test = await waitUntil("the self-test in the chat", () =>
      telegram.written(pager).find(({ text }) => text.startsWith(`Self-test, asked for by telegram:${to}`))
    )
    await waitUntil("the self-test in health", async () => {
      const { self_test: tests } = (await world.component())["detail"] as { self_test: ReadonlyArray<object> }
      return tests.some((one) => "message_id" in one && one.message_id === test.message_id) ? true : undefined
    })
    const reader = chat()
    assert.match(
      (await telegram.ask(reader, reader, "/status")).text,
      /self-test taken by Telegram for 1 of 1 chats/
    )
  }, 60_000)

  it("closes a position that is named by its symbol, and the order's source is telegram (A3)", async () => {
    const { service } = world
    const taken = await service.post("/webhook", {
      symbol: "SPY",
      direction: "long",
      timeframe: "5m",
      timestamp: new Date().toISOString(),
      quantity: 2
    })
    await service.settled(String(taken.body.signal_id))
    const to = chat()
    assert.strictEqual(await world.confirm(to, to, "/close SPY"), "Done: 1 order.")
    const closed = await waitUntil("the close", async () =>
      (await service.list("orders", "symbol=SPY")).find(
        ({ source, status }) => source === "telegram" && status === "filled"
      )
    )
    assert.strictEqual(closed["intent"], "reduce")
  }, 150_000)
})

describe("updates", () => {
  it("[poison] one that cannot be handled dies alone, into a dead letter", async () => {
    const { service, telegram } = world
    const id = telegram.bot.inject({ message: "not a message" })
    const to = chat()
    assert.match((await telegram.ask(to, to, "/version")).text, /^holdfast/)
    const letter = await waitUntil("a dead letter", async () =>
      (await service.list("dead-letters")).find(({ origin }) => origin === "telegram")
    )
    assert.match(String(letter["reference"]), new RegExp(`/${id}$`))
  }, 150_000)

  it("[SIGKILL between effect and reply] a press has its effect once, and its answer", async () => {
    await world.pressAndDie(chat(), "telegram-done")
  }, 180_000)

  it("[SIGKILL between a message and its row] the message may come twice, and nothing is lost", async () => {
    const { service, telegram } = world
    const to = chat()
    world.killAt("telegram-sent", String(to))
    telegram.bot.say(to, to, "/version")
    await world.dead()
    telegram.bot.say(to, to, "/help")
    service.spawn()
    await service.ready()
    const texts = await waitUntil("the answers", () => {
      const all = telegram.written(to).map(({ text }) => text)
      return all.some((text) => text.includes("you are an operator")) ? all : undefined
    })
    assert.lengthOf(texts, 3, texts.join("\n"))
    assert.isTrue(
      texts.slice(0, 2).every((text) => text.includes("PRACTICE")),
      texts.join("\n")
    )
  }, 180_000)

  it("[SIGKILL before a command in a group is handled] it is asked although the name of the bot comes late", async () => {
    const { service, telegram } = world
    const before = telegram.written(desk).length
    world.killAt("telegram-taken", String(telegram.bot.updates.next))
    telegram.bot.say(desk, 101, "/halt@holdfast_stand_in_bot global late name")
    await world.dead()
    telegram.faults({ on: "getMe", times: 1, do: { type: "delay", ms: 4_000 } })
    service.spawn()
    await service.ready()
    const question = await telegram.next(desk, before)
    assert.match(question.text, /^HALTED for global/)
  }, 180_000)

  it("[a restart of the bot by the bot] is for the console", async () => {
    const { telegram } = world
    const to = chat()
    const answer = await telegram.ask(to, to, "/restart operators/telegram")
    assert.match(answer.text, /use the console/)
    assert.deepStrictEqual(answer.keyboard, [])
  }, 150_000)

  it("never shows the token", () => {
    const secret = world.telegram.token.split(":")[1] ?? ""
    assert.notInclude(JSON.stringify(world.service.lines), secret)
    assert.notInclude(world.service.stderr, secret)
  })
})
