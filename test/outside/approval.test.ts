/** Approval from outside: a phone is asked, a press takes effect once however the process dies, and what nobody answers is not sent (G9). */
import { afterAll, assert, beforeAll, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { TelegramWorld } from "./telegram-world.ts"

const phone = 101
let world: TelegramWorld
beforeAll(async () => {
  world = await TelegramWorld.open(
    {},
    { chats: { [phone]: { role: "operator", alerts: true } } },
    {
      sources: { default: {}, hasty: {} },
      strategies: {
        default: {
          sources: ["default"],
          accounts: ["paper-1"],
          approval: { deadlineMs: 60_000 }
        },
        hasty: {
          sources: ["hasty"],
          accounts: ["paper-1"],
          // Long enough that the bot asks on a busy machine: what lapsed unasked is not asked about.
          approval: { deadlineMs: 10_000, otherwise: "deny" }
        }
      }
    }
  )
  await world.service.start({}, 90_000)
  await world.state("Polling")
}, 240_000)
afterAll(() => world.dispose(), 150_000)

const post = (path: string, symbol: string) =>
  world.service.post(path, {
    symbol,
    direction: "long",
    timeframe: "5m",
    timestamp: new Date().toISOString(),
    quantity: 2
  })
const question = (symbol: string) =>
  waitUntil(
    () => `a question about ${symbol}${world.service.tail()}`,
    () => world.telegram.written(phone).find(({ text }) => text.includes(` ${symbol} `)),
    20_000
  )
const order = async (symbol: string) => (await world.service.list("orders", `symbol=${symbol}`))[0] ?? {}

it("a press lets an entry out once, also when the process dies between the press and its answer", async () => {
  const { service, telegram } = world
  await post("/webhook", "SPY")
  const asked = await question("SPY")
  assert.match(
    asked.text,
    /^Approve\? buy 2 SPY in paper-1 for default\nAt [\d.]+, worth [\d.]+\. The position goes from 0 to 2\./
  )
  assert.strictEqual((await order("SPY"))["status"], "held")
  const [row] = await service.list("approvals", "status=waiting")
  assert.deepInclude(row, { symbol: "SPY", otherwise: "deny", order_status: "held" })
  world.killAt("telegram-done", String(telegram.bot.updates.next))
  telegram.bot.press(phone, phone, asked.message_id, asked.keyboard.flat()[0]?.callback_data ?? "")
  await world.dead()
  service.spawn()
  await service.ready()
  const filled = await waitUntil(
    () => `the fill${service.tail()}`,
    async () => {
      const found = await order("SPY")
      return found["status"] === "filled" ? found : undefined
    },
    120_000
  )
  const edited = await waitUntil(
    () => `the end of the question${service.tail()}`,
    () => {
      const now = telegram.bot.chats.find(phone, asked.message_id)
      return now !== undefined && now.edits > 0 ? now.text : undefined
    },
    120_000
  )
  assert.match(edited, /Approved by telegram:101 at [\d.]+\.$/)
  assert.strictEqual(filled["filled_quantity"], "2")
  const given = (await world.audit("result=accepted")).filter(({ command }) => command === "order.approve")
  assert.lengthOf(given, 1)
  assert.lengthOf(await service.list("fills", "symbol=SPY"), 1)
}, 240_000)

it("nobody answers in time: it is not sent, a late press changes nothing, and it is an alert", async () => {
  const { service, telegram } = world
  await post("/webhook/hasty", "QQQ")
  const asked = await question("QQQ")
  await waitUntil(
    () => `the deadline${service.tail()}`,
    async () => ((await order("QQQ"))["reason"] === "approval_lapsed" ? true : undefined),
    30_000
  )
  telegram.bot.press(phone, phone, asked.message_id, asked.keyboard.flat()[0]?.callback_data ?? "")
  const edited = await waitUntil("an answer", () => {
    const now = telegram.bot.chats.find(phone, asked.message_id)
    return now !== undefined && now.edits > 0 ? now.text : undefined
  })
  assert.match(edited, /Not done: it was declined before, by deadline\.$/)
  assert.strictEqual((await order("QQQ"))["status"], "denied")
  await waitUntil("the alert", async () =>
    (await service.list("monitoring/alerts")).find(({ kind }) => kind === "order.approval_lapsed")
  )
}, 180_000)
