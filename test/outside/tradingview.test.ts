/** docs/tradingview.md: every alert text of the page, posted as TradingView posts it, is followed to its fill. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { filled, sections } from "../support/alert-texts.ts"
import type { Row } from "./service.ts"
import { World } from "./world.ts"

const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const page = sections()
let world: World

beforeAll(async () => {
  world = await World.open({
    database: "external",
    env: { TV_SECRET: secret },
    settings: {
      trustedProxies: ["127.0.0.1"],
      sources: Object.fromEntries(page.map(({ name, source }) => [name, source])),
      strategies: Object.fromEntries(
        page.map(({ name }) => [name, { sources: [name], accounts: ["paper-1"] }])
      )
    }
  })
  await world.service.start()
}, 150_000)
afterAll(() => world.dispose(), 150_000)

const headers = { "content-type": "text/plain", "x-forwarded-for": "52.89.214.238" }

describe("the alert texts of docs/tradingview.md", () => {
  it("are at least twenty, each with its own source", () => {
    assert.isAtLeast(page.length, 20)
    for (const { source, texts, title } of page) {
      assert.strictEqual(source["preset"], "tradingview", title)
      assert.isNotEmpty(texts, title)
    }
  })

  it.each(page)("$title is read as it is, and traced to its order", async ({ name, texts }) => {
    for (const text of texts) {
      const body = filled(text, secret, Date.now())
      const taken = await world.service.post(`/webhook/${name}`, body, { headers })
      assert.strictEqual(taken.status, 201, taken.text)
      const trace = await world.service.settled(String(taken.body.signal_id))
      const orders = trace.orders as ReadonlyArray<Row>
      assert.lengthOf(orders, 1, JSON.stringify(trace))
      assert.deepInclude(orders[0], { status: "filled", strategy: name, account: "paper-1", quantity: "1" })
      const signal = trace.signal as unknown as {
        readonly mapped: Readonly<Record<string, string>> | null
        readonly body: unknown
      }
      assert.notInclude(JSON.stringify(signal.body), secret)
      if ("fields" in (page.find((section) => section.name === name)?.source ?? {}))
        assert.isNotEmpty(signal.mapped)
    }
  })

  it("are refused from any other address, and with another secret", async () => {
    const [first] = page
    const body = filled(first?.texts[0] ?? "", secret, Date.now())
    const from = (address: string, text = body) =>
      world.service.post("/webhook/text-1", text, { headers: { ...headers, "x-forwarded-for": address } })
    assert.strictEqual((await from("203.0.113.7")).status, 401)
    assert.strictEqual((await from("52.32.178.7", body.replace(secret, "another"))).status, 401)
  })
})
