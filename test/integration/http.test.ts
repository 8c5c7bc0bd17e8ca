import { randomUUID } from "node:crypto"
import { Agent } from "node:http"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Effect } from "effect"
import { z } from "zod"
import { endpoints } from "../../src/wire/endpoints.ts"
import { alert, bearer } from "../layers/api/http-world.ts"
import { waitUntil } from "../support/exchange.ts"
import { type PgWorld, startPgWorld } from "./http-world.pg.ts"

/** The words of a closed list. */
const wordsOf = (schema: unknown): ReadonlyArray<string> =>
  schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodEnum
    ? (schema.unwrap() as z.ZodEnum).options.map(String)
    : []

let world: PgWorld
beforeAll(async () => {
  world = await startPgWorld()
})
afterAll(() => world.dispose())

const get = (path: string) => world.send("GET", path)

/** One signal that went the whole way, written as the components write it. */
const trade = async (): Promise<{ signal: string; order: string; snapshot: string }> => {
  const signal = (await world.post(alert({ symbol: "SPY" }))).body.signal_id
  const metadata = (
    await world.post({
      snapshot_id: randomUUID(),
      score: { "Buy Score": 2, "Sell Score": 1 },
      trigger: "t",
      pair: "SPY"
    })
  ).body.signal_id
  const [order, position, fill, snapshot] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
  const run = (text: string, values: ReadonlyArray<unknown>) => world.sql(text, values)
  await run(
    "INSERT INTO accounts (id, venue, starting_cash) VALUES ('paper-1', 'practice', 100000) ON CONFLICT DO NOTHING",
    []
  )
  await run(
    `INSERT INTO decisions (signal_id, engine, experiment_id, variant, outcome, checks)
      VALUES ($1::uuid, 'A', 'default', 'A', 'ordered', '[{"check":"calendar","ok":true,"code":"open","numbers":{}}]')`,
    [signal]
  )
  await run(
    `INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, symbol, side, type, quantity, time_in_force,
      status, source, venue, filled_quantity, average_price, fence)
      VALUES ($1::uuid, $2, $3::uuid, 'paper-1', 'default', 'entry', 'SPY', 'buy', 'market', 1.5, 'day', 'filled', 'webhook', 'practice',
      1.5, 401.123456789, 9007199254740993)`,
    [order, order, signal]
  )
  await run(
    "INSERT INTO order_events (order_id, event, from_status, to_status) VALUES ($1::uuid, 'order.acked', 'submitting', 'acked')",
    [order]
  )
  await run(
    `INSERT INTO positions (id, account, symbol, quantity, average_price) VALUES ($1::uuid, 'paper-1', 'SPY', 1.5, 401.123456789)
      ON CONFLICT DO NOTHING`,
    [position]
  )
  await run(
    `INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, order_id, side, quantity, price, source, order_time)
      VALUES ($1::uuid, 'practice', 'paper-1', 'SPY', 'v-1', $2, $3::uuid, 'buy', 1.5, 401.123456789, 'webhook', now())`,
    [fill, fill, order]
  )
  await run(
    `INSERT INTO signal_metadata (snapshot_id, signal_id, pair, trigger, buy_score, sell_score) VALUES ($1::uuid, $2::uuid, 'SPY', 't', 2, 1)`,
    [snapshot, metadata]
  )
  await run(
    `INSERT INTO trade_strategy_link (trade_record_id, order_id, signal_id, strategy, snapshot_id, linked_by)
      VALUES ($1::uuid, $2::uuid, $3::uuid, 'default', $4::uuid, 'client_order_id')`,
    [fill, order, signal, snapshot]
  )
  return { signal, order, snapshot: metadata }
}

describe("an answered post", () => {
  it("is in the table as it was sent, with its answer", async () => {
    const sent = alert({
      symbol: "QQQ",
      quantity: "2.50",
      price: 401.25,
      strike: 400,
      expiration: "2027-01-15",
      intent: "target",
      position_size: "+2.50",
      prev_market_position: "flat",
      extra: { a: [1, null] }
    })
    const { body, status } = await world.post(sent, { "x-request-id": "trace-1" })
    assert.strictEqual(status, 201)
    const [row] = await world.sql<Record<string, unknown>>("SELECT * FROM signals WHERE id = $1::uuid", [
      body.signal_id
    ])
    assert.deepInclude(row, {
      source: "default",
      kind: "signal",
      identity_kind: "hash",
      symbol: "QQQ",
      direction: "LONG",
      timeframe: "5m",
      request_id: "trace-1",
      status: "received",
      experiment_id: "default",
      variant: "A",
      intent: "target",
      position_size: "2.5",
      market_position: null,
      prev_market_position: "flat",
      market_position_size: null
    })
    assert.deepStrictEqual(row?.["body"], sent)
    const { processing_time_ms: _took, ...answer } = body
    assert.deepStrictEqual(row?.["answer"], answer)
    assert.strictEqual(Number(row?.["quantity"]), 2.5)
  })

  it("keeps every digit of every number, in the row, in the trace and in what makes it another body", async () => {
    const fields = JSON.stringify(alert({ symbol: "WEI", id: "digits-1" })).slice(0, -1)
    const send = (quantity: string, extra: string) =>
      world.send("POST", "/webhook", {
        body: `${fields},"quantity":${quantity},"extra":[${extra}]}`,
        headers: { "content-type": "application/json" }
      })
    const first = await send("9007199254740993", "12345678901234567890.123456789")
    assert.strictEqual(first.status, 201)
    const id = String(JSON.parse(first.text).signal_id)
    const [row] = await world.sql<Record<string, unknown>>(
      "SELECT quantity::text AS quantity, body->>'quantity' AS sent, body->'extra'->>0 AS extra FROM signals WHERE id = $1::uuid",
      [id]
    )
    assert.deepStrictEqual(row, {
      quantity: "9007199254740993",
      sent: "9007199254740993",
      extra: "12345678901234567890.123456789"
    })
    const trace = await get(`/api/v1/signals/${id}`)
    assert.include(trace.text, '"extra":[12345678901234567890.123456789]')
    assert.include(trace.text, '"quantity":9007199254740993')
    assert.strictEqual(
      (await send("9007199254740993.0", "1.2345678901234567890123456789e19")).status,
      200,
      "the same"
    )
    assert.strictEqual((await send("9007199254740992", "12345678901234567890.123456789")).status, 409)
    assert.strictEqual((await send("9007199254740993", "12345678901234567890.123456788")).status, 409)
  })

  it("sent 200 times at once over 64 connections is one row", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 64 })
    const body = JSON.stringify(alert({ symbol: "IWM" }))
    const answers = await Promise.all(
      Array.from({ length: 200 }, () =>
        world.send("POST", "/webhook", { agent, body, headers: { "content-type": "application/json" } })
      )
    )
    agent.destroy()
    const count = (status: number): number => answers.filter((answer) => answer.status === status).length
    assert.deepStrictEqual([count(201), count(200)], [1, 199])
    assert.lengthOf(await world.sql("SELECT 1 FROM signals WHERE symbol = 'IWM'"), 1)
  })

  it("of metadata without identity and time is one row per minute", async () => {
    const about = {
      snapshot_id: randomUUID(),
      score: { "Buy Score": 2, "Sell Score": 1 },
      trigger: "roc_momo",
      pair: "ZRX-USD"
    }
    const answers = await Promise.all(Array.from({ length: 5 }, () => world.post(about)))
    assert.deepStrictEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 200, 200, 200, 201]
    )
    const [row] = await world.sql<{ kind: string }>("SELECT kind FROM signals WHERE symbol = 'ZRX-USD'")
    assert.strictEqual(row?.kind, "metadata")
  })

  it("is a duplicate for another process on the same database", async () => {
    const body = alert({ id: "evt-77" })
    const first = await world.post(body)
    const other = await world.post({ ...body, n: 0 })
    assert.strictEqual(other.status, 409)
    assert.strictEqual(other.body.signal_id, first.body.signal_id)
    assert.strictEqual((await world.post(body)).status, 200)
  })
})

describe("while the database is away", () => {
  it("posts and reads are 503, and both work when it is back", async () => {
    world.database.availability.mark("unavailable")
    const body = alert()
    assert.strictEqual((await world.post(body)).status, 503)
    assert.strictEqual((await get("/webhook/test")).status, 503)
    world.database.availability.mark("available")
    assert.strictEqual((await world.post(body)).status, 201)
  })
})

describe("a list", () => {
  it("is paged by position, newest first, and never repeats or skips", async () => {
    const ids: Array<string> = []
    for (let n = 0; n < 7; n += 1) ids.push((await world.post(alert({ symbol: "PAGED" }))).body.signal_id)
    const seen: Array<string> = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof get>> = await get(
        `/api/v1/signals?symbol=PAGED&limit=3${cursor === null ? "" : `&cursor=${cursor}`}`
      )
      assert.strictEqual(page.status, 200, page.text)
      seen.push(...page.body.items.map((item) => String(item["id"])))
      cursor = page.body.next_cursor
      // A row that comes between two pages moves nothing.
      await world.post(alert({ symbol: "PAGED" }))
    } while (cursor !== null)
    assert.deepStrictEqual(seen, ids.toReversed())
  })

  it.each([
    "/api/v1/signals",
    "/api/v1/orders",
    "/api/v1/fills",
    "/api/v1/positions",
    "/api/v1/accounts",
    "/api/v1/equity",
    "/api/v1/waves",
    "/api/v1/settings/changes",
    "/api/v1/monitoring/alerts",
    "/api/v1/monitoring/circuit-breakers",
    "/api/v1/dead-letters",
    "/api/v1/monitoring/transactions",
    "/api/v1/monitoring/locks/status",
    "/api/v1/actors"
  ])("%s is {items, next_cursor}", async (path) => {
    const { body, status, text } = await get(path)
    assert.strictEqual(status, 200, text)
    assert.isArray(body.items)
    assert.isTrue(body.next_cursor === null || typeof body.next_cursor === "string")
  })

  it("filters by the columns it names", async () => {
    const { body } = await get("/api/v1/signals?status=received&source=default&symbol=QQQ&kind=signal")
    assert.lengthOf(body.items, 1)
    assert.lengthOf((await get("/api/v1/signals?status=done")).body.items, 0)
    assert.lengthOf((await get("/api/v1/signals?symbol='%20OR%20true%20--")).body.items, 0)
  })

  it("finds signals by any field of their bodies, and takes a wildcard as a character", async () => {
    const noted = alert({ symbol: "SPY", note: "100% Sure_thing", nested: { ids: [7, 8] } })
    const id = (await world.post(noted)).body.signal_id
    const found = async (payload: string): Promise<ReadonlyArray<unknown>> => {
      const { body, status, text } = await get(`/api/v1/signals?payload=${encodeURIComponent(payload)}`)
      assert.strictEqual(status, 200, text)
      return body.items.map((row) => row["id"])
    }
    const only = ["sure_THING", "100%", '{"nested": {"ids": [8]}}', '{ "note": "100% Sure_thing" }']
    for (const payload of only) assert.deepStrictEqual(await found(payload), [id], payload)
    const none = [
      "100_",
      '{"nested": {"ids": [9]}}',
      '{"note": "sure"}',
      '{"note": "\\u0000"}',
      '{"n": 1e999999}'
    ]
    for (const payload of none) assert.deepStrictEqual(await found(payload), [], payload)
    assert.include(await found("{"), id, "what is no object is a text")
    assert.strictEqual((await get("/api/v1/signals?payload=")).status, 400)
  })

  it("of equity is cut at two instants, and its newest row stands in the account", async () => {
    await world.sql(
      `INSERT INTO accounts (id, venue, starting_cash, venue_cash, buying_power, balance_at)
        VALUES ('other-rich', 'v8', 100, 9.5, 5, hf_now())`,
      []
    )
    await world.sql(
      `INSERT INTO equity (account, at, cash, realised_pnl, fees, unrealised_pnl, equity, day_pnl, drawdown)
        SELECT 'other-rich', at, 7.5, 3, 1, at_no, 102 + at_no, at_no - 2, 2 - at_no
        FROM (VALUES ('2026-11-23T00:00Z'::timestamptz, 0), ('2026-11-23T00:01Z', 1), ('2026-11-23T00:02Z', 2)) AS v (at, at_no)`,
      []
    )
    const path = "/api/v1/equity?account=other-rich&from=2026-11-23T00:00:30Z&to=2026-11-23T01:02:00%2B01:00"
    const { body } = await get(path)
    assert.deepStrictEqual(body.items, [
      {
        account: "other-rich",
        at: "2026-11-23T00:01:00.000Z",
        cash: "7.5",
        realised_pnl: "3",
        fees: "1",
        unrealised_pnl: "1",
        equity: "103",
        day_pnl: "-1",
        drawdown: "1"
      }
    ])
    // The venue has reported other cash since: it belongs to the next sample.
    assert.deepInclude((await get("/api/v1/accounts?venue=v8")).body.items[0], {
      cash: "7.5",
      buying_power: "5",
      equity: "104",
      day_pnl: "0",
      drawdown: "0",
      equity_at: "2026-11-23T00:02:00.000Z"
    })
    assert.strictEqual((await get("/api/v1/equity?from=yesterday")).status, 400)
  })

  it("of positions is that of the open ones, where these are asked for", async () => {
    await world.sql("INSERT INTO accounts (id, venue, starting_cash) VALUES ('holder', 'v7', 1)", [])
    await world.sql(
      `INSERT INTO positions (id, account, symbol, quantity)
        SELECT gen_random_uuid(), 'holder', 'S' || n, CASE WHEN n % 5 = 0 THEN -n ELSE 0 END FROM generate_series(1, 10) AS n`,
      []
    )
    const symbols = async (query: string) =>
      (await get(`/api/v1/positions?account=holder${query}`)).body.items.map(({ symbol }) => symbol)
    assert.deepStrictEqual(await symbols("&open=true"), ["S5", "S10"])
    assert.lengthOf(await symbols("&open=false"), 8)
    assert.lengthOf(await symbols(""), 10)
    assert.strictEqual((await get("/api/v1/positions?open=yes")).status, 400)
  })

  it("gives null for an instant that has no end", async () => {
    await world.sql(
      "INSERT INTO accounts (id, venue, starting_cash, lease_until) VALUES ('endless', 'v9', 1, 'infinity')",
      []
    )
    const { body } = await get("/api/v1/accounts?venue=v9")
    assert.deepInclude(body.items[0], { id: "endless", lease_until: null })
  })

  it("has a column for every filter of every list", async () => {
    for (const { answers, path, query } of endpoints) {
      // A stream is asked for in another way (http.live.test.ts); what has no limit is no list.
      if (101 in answers || query === undefined || !("limit" in query.shape)) continue
      for (const [name, schema] of Object.entries(query.shape)) {
        if (name === "limit" || name === "cursor") continue
        const isInstant = name === "from" || name === "to" || name === "since"
        // A comma list of words is no list of options to zod.
        const journal: Record<string, ReadonlyArray<string>> = { type: ["order", "health"], before: ["5"] }
        const listed = (path === "/api/v1/events" ? journal[name] : undefined) ?? wordsOf(schema)
        const [word = isInstant ? "2026-11-23T00:00:00Z" : randomUUID()] = listed
        const { status, text } = await get(`${path}?${name}=${word}`)
        assert.strictEqual(status, 200, `${path} ${name}: ${text}`)
      }
    }
  })

  it("filters by the id of another row, and refuses one that is none", async () => {
    const { signal } = await trade()
    assert.lengthOf((await get(`/api/v1/orders?signal_id=${signal}`)).body.items, 1)
    assert.lengthOf((await get(`/api/v1/orders?signal_id=${randomUUID()}`)).body.items, 0)
    const bad = await get("/api/v1/orders?signal_id=7")
    assert.strictEqual(bad.status, 400)
    assert.strictEqual(bad.body.errors[0]?.path, "query.signal_id")
  })

  it.each([
    "zzz",
    "LTE",
    Buffer.from("1\u00002").toString("base64url"),
    Buffer.from("x").toString("base64url")
  ])("refuses the cursor %s", async (cursor) => {
    const { body, status } = await get(`/api/v1/signals?cursor=${cursor}`)
    assert.strictEqual(status, 400)
    assert.strictEqual(body.errors[0]?.path, "query.cursor")
  })
})

describe("monitoring", () => {
  it("lists what is under way, the oldest first, and nothing that is over", async () => {
    await world.post(alert({ symbol: "TXN" }))
    await world.sql(
      `INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity, time_in_force, status, source,
        venue, sends, created_at) SELECT gen_random_uuid(), 'tx-' || days, 'paper-1', 'default', 'entry', 'TXN', 'buy', 'market', 2, 'day', status,
        'webhook', 'practice', 3, now() - days * interval '1 day'
       FROM (VALUES ('acked', 1), ('needs_operator', 40), ('filled', 50)) AS v (status, days)`,
      []
    )
    const { body } = await get("/api/v1/monitoring/transactions?symbol=TXN&kind=order")
    assert.deepStrictEqual(
      body.items.map(({ age_ms: age, attempts, quantity, status }) => [
        status,
        attempts,
        quantity,
        Math.round(Number(age) / 86_400_000)
      ]),
      [
        ["needs_operator", 3, "2", 40],
        ["acked", 3, "2", 1]
      ]
    )
    const signals = (await get("/api/v1/monitoring/transactions?kind=signal&limit=500")).body.items
    assert.isNotEmpty(signals)
    assert.isTrue(signals.every(({ account, status }) => account === null && status === "received"))
    const all = (await get("/api/v1/monitoring/transactions?limit=500")).body.items
    assert.notInclude(
      all.map(({ status }) => status),
      "filled"
    )
    const times = all.map(({ since }) => String(since))
    assert.deepStrictEqual(times, times.toSorted())
    const first = await get("/api/v1/monitoring/transactions?limit=1")
    const second = await get(`/api/v1/monitoring/transactions?limit=1&cursor=${first.body.next_cursor}`)
    assert.deepStrictEqual(
      [...first.body.items, ...second.body.items].map(({ id }) => id),
      all.slice(0, 2).map(({ id }) => id)
    )
  })

  it("says who holds an account, until when, and what waits for it", async () => {
    await world.sql(
      `INSERT INTO nodes (node_id, life, pid, process_started, lease_until) VALUES ('n', 'n/b', 1, '1', now() + interval '1 minute')`,
      []
    )
    await world.sql(
      `INSERT INTO accounts (id, venue, starting_cash, owner, fence, lease_until) VALUES ('lock-1', 'v', 1, 'n/b', 7, 'infinity'), ('lock-2', 'v', 1, NULL, 0, NULL)`,
      []
    )
    await world.sql(
      `INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity, time_in_force, status, source, venue)
       SELECT gen_random_uuid(), 'lock-' || status, 'lock-1', 'default', 'entry', 'LCK', 'buy', 'market', 1, 'day', status, 'webhook', 'v'
       FROM unnest(ARRAY['intended', 'held', 'acked']) AS status`,
      []
    )
    const held = (await get("/api/v1/monitoring/locks/account/lock-1")).body as unknown as Record<
      string,
      unknown
    >
    assert.deepInclude(held, {
      account: "lock-1",
      owner: "n/b",
      fence: "7",
      orders_waiting: 2,
      held_here: false,
      standing_by: false,
      turns: null
    })
    assert.closeTo(Number(held["lease_left_ms"]), 60_000, 20_000)
    assert.isString(held["waiting_since"])
    const free = (await get("/api/v1/monitoring/locks/account/lock-2")).body
    assert.deepInclude(free, { owner: null, lease_left_ms: null, orders_waiting: 0, waiting_since: null })
    assert.strictEqual((await get("/api/v1/monitoring/locks/account/nobody")).status, 404)
    const { body } = await get("/api/v1/monitoring/locks/status?owner=n%2Fb")
    assert.deepStrictEqual(
      body.items.map(({ account }) => account),
      ["lock-1"]
    )
  })

  it("says what the process does", async () => {
    const { body, status } = await get("/api/v1/monitoring/worker")
    assert.strictEqual(status, 200)
    const { event_loop: loop, memory, pid } = body as unknown as Record<string, Record<string, number>>
    assert.strictEqual(Number(pid), process.pid)
    assert.isAbove(memory!["rss_bytes"]!, 10_000_000)
    assert.isAtLeast(loop!["delay_max_ms"]!, loop!["delay_p99_ms"]!)
  })

  it("says which statements took longest, what tables weigh, and who waits for a lock of whom", async () => {
    type Row = Readonly<Record<string, unknown>>
    type Look = {
      readonly statements: ReadonlyArray<Row>
      readonly server: { readonly tables: ReadonlyArray<Row> | null; readonly waits: ReadonlyArray<Row> }
    }
    const look = async (query = ""): Promise<Look & Row> => {
      const { body, status } = await get(`/api/v1/monitoring/database${query}`)
      assert.strictEqual(status, 200)
      return body as unknown as Look & Row
    }
    const hold = Promise.withResolvers<void>()
    const holding = Effect.runPromise(
      world.database.transact("test.hold", (sql) =>
        Effect.andThen(
          sql`LOCK TABLE refused_posts`,
          Effect.promise(() => hold.promise)
        )
      )
    )
    // The server ends a wait after two seconds.
    const wait = (): Promise<unknown> => world.sql("SELECT count(*) FROM refused_posts").catch(wait)
    const waiting = wait()
    const { server } = await waitUntil("a session that waits", async () => {
      const found = await look()
      return found.server.waits.length > 0 ? found : undefined
    }).finally(hold.resolve)
    const [held] = server.waits
    assert.lengthOf(held?.["blocked_by"] as ReadonlyArray<number>, 1)
    assert.strictEqual(held?.["waits_for"], "relation")
    assert.isNull(server.tables, "to measure a table would wait for its lock")
    await Promise.all([holding, waiting])
    const { pool, server: free, statements } = await look("?order=total&limit=3")
    const signals = free.tables?.find((one) => one["table"] === "signals")
    assert.isAbove(Number(signals?.["bytes"]), Number(signals?.["index_bytes"]))
    assert.lengthOf(statements, 3)
    const sums = statements.map((one) => Number(one["total_ms"]))
    assert.deepStrictEqual(
      sums,
      sums.toSorted((a, b) => b - a)
    )
    assert.strictEqual((pool as { readonly size: number }).size, 10)
    assert.strictEqual((await get("/api/v1/monitoring/database?order=name")).status, 400)
  })
})

describe("the trace of a signal", () => {
  it("is its whole life, decimals as strings", async () => {
    const { order, signal, snapshot } = await trade()
    const { body, status } = await get(`/api/v1/signals/${signal}`)
    assert.strictEqual(status, 200)
    const trace = JSON.parse(JSON.stringify(body))
    assert.deepInclude(trace.signal, { id: signal, status: "received", source: "default", symbol: "SPY" })
    assert.deepStrictEqual(trace.decision.checks, [
      { check: "calendar", ok: true, code: "open", numbers: {} }
    ])
    assert.deepInclude(trace.decision, { engine: "A", variant: "A" })
    assert.deepInclude(trace.orders[0], {
      id: order,
      account: "paper-1",
      quantity: "1.5",
      average_price: "401.123456789",
      settled_at: null
    })
    assert.deepInclude(trace.fills[0], { price: "401.123456789", source: "webhook" })
    assert.lengthOf(trace.links, 1)
    const why = await get(`/api/v1/signals/${signal}/why`)
    assert.strictEqual(why.headers["content-type"], "text/plain; charset=utf-8")
    assert.match(why.text, /^One order was made: .* in paper-1 for /)
    assert.match(why.text, /\n- calendar, passed with a remark \(open\): /)
    assert.match(
      (await get(`/api/v1/signals/${snapshot}/why`)).text,
      /^Metadata is never an order; 1 fill is linked to it, of the order /
    )
    const about = JSON.parse((await get(`/api/v1/signals/${snapshot}`)).text)
    assert.strictEqual(about.metadata.pair, "SPY")
    assert.lengthOf(about.links, 1)
  })

  it("of nobody is 404", async () => {
    for (const part of ["", "/why"]) {
      assert.strictEqual((await get(`/api/v1/signals/${randomUUID()}${part}`)).status, 404)
      assert.strictEqual((await get(`/api/v1/signals/1'%20OR%20true${part}`)).status, 404)
    }
  })

  it("is reached from its order, with the order's events", async () => {
    const { body } = await get("/api/v1/orders?symbol=SPY")
    const found = await get(`/api/v1/orders/${String(body.items[0]?.["id"])}`)
    assert.deepInclude(JSON.parse(found.text).events[0], {
      event: "order.acked",
      from_status: "submitting",
      to_status: "acked"
    })
  })

  it("counts in the linkage, external fills apart", async () => {
    await world.sql(
      `INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, side, quantity, price, source, order_time)
        VALUES (gen_random_uuid(), 'practice', 'paper-1', 'SPY', 'x', 'x', 'sell', 1, 400, 'external', now())`
    )
    const { body } = await get("/api/v1/linkage")
    assert.deepInclude(body, { ours: 2, linked: 2, rate: 1, external: 1 })
  })

  it("shows in the account and in the position", async () => {
    const { body } = await get("/api/v1/accounts")
    assert.deepInclude(body.items[0], {
      id: "paper-1",
      starting_cash: "100000",
      open_positions: 1,
      fence: "0"
    })
    assert.deepInclude((await get("/api/v1/positions?account=paper-1")).body.items[0], {
      quantity: "1.5",
      last_price: null,
      unrealised_pnl: null
    })
  })

  it("an account that never traded has what it began with; one that did is not known before it is sampled", async () => {
    await world.sql("INSERT INTO accounts (id, venue, starting_cash) VALUES ('fresh', 'practice', 2500)")
    const { body } = await get("/api/v1/accounts")
    const of = (name: string) => {
      const found = body.items.find(({ id }) => id === name) as Readonly<Record<string, unknown>>
      return ["equity", "unrealised_pnl", "day_pnl", "drawdown", "cash"].map((field) => found[field])
    }
    assert.deepStrictEqual(of("fresh"), ["2500", "0", "0", "0", null])
    assert.deepStrictEqual(of("paper-1"), [null, null, null, null, null])
  })
})

describe("the trading state", () => {
  it("is read, changed with its audit line, and read again", async () => {
    assert.deepInclude((await get("/api/v1/trading-state")).body, { state: "ACTIVE", changed_by: "system" })
    const changed = await world.send("POST", "/api/v1/trading-state", {
      body: '{"state":"HALTED","reason":"drill"}',
      headers: bearer
    })
    assert.deepInclude(changed.body, {
      state: "HALTED",
      reason: "drill",
      changed_by: "api:127.0.0.1",
      version: 2
    })
    assert.deepInclude((await get("/api/v1/trading-state")).body, { state: "HALTED" })
    const [line] = await world.sql<{ detail: unknown }>(
      "SELECT detail FROM actor_events WHERE event = 'trading_state.changed'"
    )
    assert.deepInclude(line?.detail, { state: "HALTED", reason: "drill" })
  })
})
