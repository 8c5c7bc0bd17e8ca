import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "node:net"
import { WebSocket } from "ws"
import { callVenue, connectTo, startVenue, venueVerbs } from "../contracts/broker-paper-world.ts"
import { eventually, fillsCount, listen, marketOrder } from "../contracts/broker.contract.ts"

const body = {
  client_order_id: "c1",
  account: "paper-1",
  symbol: "SPY",
  side: "buy",
  type: "market",
  quantity: "1",
  time_in_force: "gtc"
}

/** Status and text of a POST /orders, or "cut" when the connection ended without an answer. */
const post = (url: string, text: string) =>
  Effect.promise(async () => {
    try {
      const reply = await fetch(`${url}/orders`, { method: "POST", body: text })
      return { status: reply.status, text: await reply.text() }
    } catch {
      return { status: "cut" as const, text: "" }
    }
  })

describe("paper venue: fault switches", () => {
  const faults: ReadonlyArray<readonly [mode: string, status: number | "cut", created: number]> = [
    ["delay_before", 201, 1],
    ["delay_after", 201, 1],
    ["drop_before", "cut", 0],
    ["drop_after", "cut", 1],
    ["error_before", 500, 0],
    ["error_after", 500, 1],
    ["garbage_after", 200, 1],
    ["refuse", 403, 0]
  ]
  for (const [mode, status, orders] of faults) {
    it.live(
      `${mode}: the answer is ${status}, the request is counted, ${orders} order is made, and only once`,
      () =>
        Effect.gen(function* () {
          const { url } = yield* startVenue()
          yield* callVenue(url, "POST", "/admin/faults", { create: { mode, times: 1, delayMs: 10 } })
          assert.strictEqual((yield* post(url, JSON.stringify(body))).status, status)
          assert.deepStrictEqual(yield* venueVerbs(url).creates("c1"), { requests: 1, orders })
          const again = yield* post(url, JSON.stringify({ ...body, client_order_id: "c2" }))
          assert.strictEqual(again.status, 201)
        })
    )
  }

  it.live("a switch that is not known is refused with its path, and nothing changes", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      const reply = yield* Effect.promise(() =>
        fetch(`${url}/admin/faults`, { method: "POST", body: '{"create":{"mode":"explode"},"lunch":true}' })
      )
      assert.strictEqual(reply.status, 400)
      assert.match(yield* Effect.promise(() => reply.text()), /mode/)
      assert.deepInclude(yield* callVenue(url, "GET", "/admin/faults"), { create: null, holdFills: false })
    })
  )

  it.live("held fills stay held until they are released, then happen once", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      const connection = yield* connectTo(url)
      yield* venueVerbs(url).holdFills(true)
      yield* connection.create(marketOrder())
      yield* Effect.sleep("400 millis")
      assert.deepStrictEqual(yield* connection.fillsSince("paper-1", null), [])
      yield* venueVerbs(url).holdFills(false)
      assert.strictEqual((yield* fillsCount(connection, 1)).length, 1)
    })
  )

  it.live("an order split in parts fills in that many trades that add up", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      yield* callVenue(url, "POST", "/admin/faults", { fillParts: 3 })
      const connection = yield* connectTo(url)
      yield* connection.create(marketOrder({ quantity: "1" }))
      const fills = yield* fillsCount(connection, 3)
      assert.deepStrictEqual(
        fills.map((f) => f.quantity),
        ["0.333333", "0.333333", "0.333334"]
      )
    })
  )

  it.live("a refused handshake and a silent stream are what a client sees as an end", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      const connection = yield* connectTo(url)
      yield* callVenue(url, "POST", "/admin/faults", { streamStatus: 503 })
      const refused = yield* listen(connection)
      assert.match((yield* refused.ended).reason, /503/)
      yield* callVenue(url, "POST", "/admin/faults", { streamStatus: null })
      const greeted = yield* listen(connection)
      assert.strictEqual((yield* greeted.take)._tag, "Connected")
      yield* callVenue(url, "POST", "/admin/faults", { streamSilent: true })
      yield* connection.create(marketOrder({ clientOrderId: "unheard" }))
      yield* fillsCount(connection, 1)
      yield* callVenue(url, "POST", "/admin/faults", { streamSilent: false })
      yield* connection.create(marketOrder({ clientOrderId: "heard" }))
      assert.match((yield* greeted.ended).reason, /came where 2 was due/)
    })
  )
})

describe("paper venue: bad input", () => {
  const bad: ReadonlyArray<readonly [what: string, text: string, status: number, code: string]> = [
    ["garbage", "{nonsense", 400, "invalid_request"],
    ["no body", "", 422, "invalid_order"],
    ["a list", "[]", 422, "invalid_order"],
    ["a key nobody knows", JSON.stringify({ ...body, colour: "red" }), 422, "invalid_order"],
    ["a quantity of zero", JSON.stringify({ ...body, quantity: "0.000" }), 422, "invalid_order"],
    ["a number instead of a decimal string", JSON.stringify({ ...body, quantity: 1 }), 422, "invalid_order"],
    ["an exponent", JSON.stringify({ ...body, quantity: "1e3" }), 422, "invalid_order"],
    ["a limit order without a limit", JSON.stringify({ ...body, type: "limit" }), 422, "invalid_order"],
    ["a market order with a limit", JSON.stringify({ ...body, limit_price: "5" }), 422, "invalid_order"],
    [
      "a quantity with 19 digits after the point",
      JSON.stringify({ ...body, quantity: `0.${"1".repeat(19)}` }),
      422,
      "invalid_order"
    ],
    ["a symbol that begins with a space", JSON.stringify({ ...body, symbol: " SPY" }), 422, "invalid_order"],
    ["a symbol that ends with a space", JSON.stringify({ ...body, symbol: "SPY " }), 422, "invalid_order"],
    ["a symbol with a line break", JSON.stringify({ ...body, symbol: "SPY\nQQQ" }), 422, "invalid_order"],
    [
      "a symbol with half a character",
      JSON.stringify({ ...body, symbol: "SPY\ud800" }),
      422,
      "invalid_order"
    ],
    [
      "an id with a zero byte",
      JSON.stringify({ ...body, client_order_id: "a\u0000b" }),
      422,
      "invalid_order"
    ],
    [
      "an id that is too long",
      JSON.stringify({ ...body, client_order_id: "x".repeat(200) }),
      422,
      "invalid_order"
    ],
    ["20 KB", JSON.stringify({ ...body, symbol: "x".repeat(20_000) }), 413, "body_too_large"]
  ]
  it.live(`each is a refusal with a code and makes no order [${bad.map(([what]) => what).join(", ")}]`, () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      for (const [what, text, status, code] of bad) {
        const reply = yield* post(url, text)
        assert.deepStrictEqual([what, reply.status], [what, status])
        assert.strictEqual((JSON.parse(reply.text) as { code: string }).code, code, what)
      }
      const orders = yield* (yield* connectTo(url)).recentOrders("paper-1", new Date(0))
      assert.deepStrictEqual(orders, [])
    })
  )

  it.live("a path nobody knows, a cursor that is no number and a time that is none are refused", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      for (const [path, status] of [
        ["/lunch", 404],
        ["/orders/1/2", 404],
        ["/fills?after_sequence=-1", 400],
        ["/orders?after=x", 400],
        ["/orders?updated_since=yesterday", 400],
        ["/orders?limit=0", 400],
        ["/positions", 400],
        ["/positions?account=a%00b", 404]
      ] as const) {
        const reply = yield* Effect.promise(() => fetch(`${url}${path}`))
        assert.deepStrictEqual([path, reply.status], [path, status])
      }
    })
  )

  it.live("a page of a browser on this machine is refused, for orders and for streams", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      const reply = yield* Effect.promise(() =>
        fetch(`${url}/orders`, {
          method: "POST",
          body: JSON.stringify(body),
          headers: { origin: "https://example.org" }
        })
      )
      assert.strictEqual(reply.status, 403)
      const refused = yield* Effect.callback<string>((resume) => {
        const socket = new WebSocket(`${url.replace("http", "ws")}/stream`, { origin: "https://example.org" })
        socket.on("error", (error) => resume(Effect.succeed(error.message)))
      })
      assert.match(refused, /403/)
      assert.deepStrictEqual(yield* venueVerbs(url).creates("c1"), { requests: 0, orders: 0 })
    })
  )

  it.live("a client that leaves in the middle of a body costs nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      yield* Effect.callback<void>((resume) => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1", () => {
          socket.write("POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{", () =>
            socket.destroy()
          )
        })
        socket.on("close", () => resume(Effect.void))
      })
      assert.strictEqual((yield* post(url, JSON.stringify(body))).status, 201)
    })
  )
})

describe("paper venue: its own rules", () => {
  it.live(
    "an entry beyond the funds is refused with the numbers; what reduces is never refused for money",
    () =>
      Effect.gen(function* () {
        const { url } = yield* startVenue({ startingCash: "100", accounts: { rich: "1000" } })
        const connection = yield* connectTo(url)
        yield* venueVerbs(url).setPrice("SPY", "60")
        yield* connection.create(marketOrder({ clientOrderId: "a", quantity: "1" }))
        yield* fillsCount(connection, 1)
        const poor = yield* Effect.flip(connection.create(marketOrder({ clientOrderId: "b", quantity: "1" })))
        assert.deepInclude(poor, { code: "insufficient_funds", message: "needs 60, has 40" })
        yield* connection.create(marketOrder({ clientOrderId: "c", side: "sell", quantity: "1" }))
        yield* fillsCount(connection, 2)
        assert.deepStrictEqual(yield* connection.positions("paper-1"), [])
        yield* connection.create(marketOrder({ clientOrderId: "d", account: "rich", quantity: "16" }))
        assert.strictEqual((yield* fillsCount(connection, 1, "rich")).length, 1)
      })
  )

  it.live("open orders tie up money, and a cancel frees it", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue({ startingCash: "100" })
      const connection = yield* connectTo(url)
      yield* venueVerbs(url).setPrice("SPY", "60")
      const resting = yield* connection.create(
        marketOrder({ clientOrderId: "a", type: "limit", limitPrice: "40" })
      )
      assert.strictEqual((yield* connection.balance("paper-1")).buyingPower, "20")
      yield* connection.cancel("paper-1", resting.venueOrderId)
      assert.strictEqual((yield* connection.balance("paper-1")).buyingPower, "100")
    })
  )

  it.live("an `ioc` limit that cannot trade is cancelled at once", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue()
      const connection = yield* connectTo(url)
      yield* venueVerbs(url).setPrice("SPY", "60")
      yield* connection.create(marketOrder({ type: "limit", limitPrice: "40", timeInForce: "ioc" }))
      const orders = yield* eventually(
        connection.recentOrders("paper-1", new Date(0)),
        ([order]) => order?.status === "cancelled"
      )
      assert.strictEqual(orders[0]?.filledQuantity, "0")
    })
  )

  it.live("100 creates at once with one id under each rule: U and R make one order", () =>
    Effect.gen(function* () {
      for (const rule of ["U", "R"] as const) {
        const { url } = yield* startVenue({ rule })
        const connection = yield* connectTo(url, rule)
        // The account exists: the first insert of it would serialise what the venue has to serialise itself.
        yield* connection.create(marketOrder({ clientOrderId: "c0" }))
        yield* Effect.forEach(
          Array.from({ length: 100 }),
          () => Effect.exit(connection.create(marketOrder())),
          {
            concurrency: 100
          }
        )
        assert.deepStrictEqual(yield* venueVerbs(url).creates("c1"), { requests: 100, orders: 1 })
      }
    })
  )

  it.live("an option contract ties up the money of its hundred units, bought, short and resting", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue({ startingCash: "1000" })
      const connection = yield* connectTo(url)
      const contract = (right: string) => `SPY 2099-12-18 ${right} 42`
      for (const right of ["C", "P"])
        yield* callVenue(url, "POST", "/admin/price", { symbol: contract(right), price: "3" })
      const order = { symbol: contract("C"), quantity: "1" }
      const refused = yield* Effect.flip(
        connection.create(marketOrder({ ...order, clientOrderId: "a", quantity: "4" }))
      )
      assert.include(JSON.stringify(refused), "insufficient_funds")
      yield* connection.create(marketOrder({ ...order, clientOrderId: "b" }))
      yield* connection.create(
        marketOrder({ ...order, clientOrderId: "c", symbol: contract("P"), side: "sell" })
      )
      yield* fillsCount(connection, 2)
      yield* connection.create(marketOrder({ ...order, clientOrderId: "d", type: "limit", limitPrice: "2" }))
      const { cash, buyingPower } = yield* connection.balance("paper-1")
      assert.deepStrictEqual({ cash, buyingPower }, { cash: "1000", buyingPower: "200" })
    })
  )

  it.live("a list comes in pages, in order, and the last one says so", () =>
    Effect.gen(function* () {
      const { url } = yield* startVenue({ rule: "N" })
      const connection = yield* connectTo(url, "N")
      for (const id of ["a", "b", "c", "d", "e"]) yield* connection.create(marketOrder({ clientOrderId: id }))
      yield* fillsCount(connection, 5)
      const seen: Array<string> = []
      for (let next: string | null = "0"; next !== null;) {
        const page: { fills: ReadonlyArray<{ client_order_id: string }>; next: string | null } =
          (yield* callVenue(url, "GET", `/fills?account=paper-1&limit=2&after_sequence=${next}`)) as never
        seen.push(page.fills.map((f) => f.client_order_id).join(""))
        next = page.next
      }
      assert.deepStrictEqual(seen, ["ab", "cd", "e"])
      const { next } = (yield* callVenue(url, "GET", "/orders?account=paper-1&limit=3")) as {
        next: string | null
      }
      assert.strictEqual(next, "3")
    })
  )
})
