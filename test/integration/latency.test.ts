import { randomUUID } from "node:crypto"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type PgWorld, startPgWorld } from "./http-world.pg.ts"

let world: PgWorld
beforeAll(async () => {
  world = await startPgWorld()
  await world.sql(
    "INSERT INTO accounts (id, venue, starting_cash) VALUES ('paper-1', 'practice', 1), ('canary', 'canary', 1)"
  )
})
afterAll(() => world.dispose())

const minute = Date.parse("2026-03-02T14:30:00Z")
const at = (ms: number): string => new Date(minute + ms).toISOString()

interface Way {
  readonly receivedMs: number
  /** Null: it has not happened. */
  readonly sentMs: number | null
  readonly filledMs: number | null
  readonly side?: "buy" | "sell"
  readonly price?: string
  readonly barEnds?: boolean
  readonly source?: string
}

/** A signal whose order went this way, as the components write it; received, decided 4 ms later, acknowledged 10 ms after it was sent. */
const order = async (way: Way): Promise<{ readonly signal: string; readonly order: string }> => {
  const [signal, id] = [randomUUID(), randomUUID()]
  const { filledMs, price = "100.10", receivedMs, sentMs, side = "buy", source = "webhook" } = way
  const account = source === "canary" ? "canary" : "paper-1"
  await world.sql(
    `INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, symbol, request_id, answer, status, fired_at, expires_from,
      received_at, decided_at) VALUES ($1::uuid, 'signal', $2, $1::text, 'explicit', 'h', '{}', 'SPY', 'r', '{}', 'done', $3, $4, $5, $6)`,
    [signal, source, at(0), way.barEnds === true ? at(60_000) : at(0), at(receivedMs), at(receivedMs + 4)]
  )
  await world.sql(
    "INSERT INTO enriched_signals (signal_id, symbol, bid, ask, last) VALUES ($1::uuid, 'SPY', 99.9, 100, 99.95)",
    [signal]
  )
  await world.sql(
    `INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, symbol, side, type, quantity, time_in_force, status, source,
      venue, filled_quantity, average_price, created_at) VALUES ($1::uuid, $1::text, $2::uuid, $3, 'default', 'entry', 'SPY', $4, 'market', 1,
      'day', $5, $6, 'practice', $7, $8, $9)`,
    [
      id,
      signal,
      account,
      side,
      filledMs === null ? "acked" : "filled",
      source,
      filledMs === null ? "0" : "1",
      filledMs === null ? null : price,
      at(receivedMs + 4)
    ]
  )
  const event = (status: string, ms: number) =>
    world.sql(
      "INSERT INTO order_events (order_id, event, from_status, to_status, at) VALUES ($1::uuid, 'e', 'intended', $2, $3)",
      [id, status, at(ms)]
    )
  if (sentMs !== null) {
    await event("submitting", sentMs)
    await event("acked", sentMs + 10)
    // Sent once more: its latency counts from the first time.
    await event("submitting", sentMs + 500)
  }
  if (filledMs !== null)
    await world.sql(
      `INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, order_id, side, quantity, price, source, order_time, recorded_at)
        VALUES ($1::uuid, 'practice', $2, 'SPY', 'v', $1::text, $3::uuid, $4, 1, $5, $6, $7, $7)`,
      [randomUUID(), account, id, side, price, source, at(filledMs)]
    )
  return { signal, order: id }
}

interface Ledger {
  readonly items: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly summary: Readonly<
    Record<string, { readonly p50: number | null; readonly p99: number | null; readonly count: number }>
  >
}
const ledger = async (query: string): Promise<Ledger> => {
  const { body, status } = await world.send("GET", `/api/v1/latency${query}`)
  assert.strictEqual(status, 200)
  return body as unknown as Ledger
}

describe("GET /api/v1/latency", () => {
  it("has the instants of each order, its cost against the quote, and how all of them are distributed", async () => {
    const first = await order({ receivedMs: 100, sentMs: 120, filledMs: 150 })
    const second = await order({
      receivedMs: 61_000,
      sentMs: 61_014,
      filledMs: 61_324,
      side: "sell",
      price: "100",
      barEnds: true
    })
    await order({ receivedMs: 200, sentMs: 220, filledMs: 230, source: "canary" })
    const waiting = await order({ receivedMs: 120_000, sentMs: null, filledMs: null })
    const body = await ledger("")
    assert.deepStrictEqual(
      body.items.map((row) => row["order_id"]),
      [waiting.order, second.order, first.order],
      "newest first, without the canary"
    )
    assert.deepInclude(body.items[2], {
      bar: null,
      fired: at(0),
      received: at(100),
      decided: at(104),
      sent: at(120),
      acked: at(130),
      filled: at(150),
      quoted_price: "100",
      slippage: "0.1"
    })
    // A sale above the bid is a gain; a bar counts from its end.
    assert.deepInclude(body.items[1], {
      bar: at(60_000),
      fired: null,
      quoted_price: "99.9",
      slippage: "-0.1"
    })
    assert.deepInclude(body.items[0], {
      sent: null,
      acked: null,
      filled: null,
      average_price: null,
      slippage: null
    })
    assert.deepInclude(body.summary, {
      received_to_decided_ms: { p50: 4, p99: 4, count: 3 },
      decided_to_sent_ms: { p50: 13, p99: 15.94, count: 2 },
      sent_to_acked_ms: { p50: 10, p99: 10, count: 2 }
    })
    assert.strictEqual(body.summary["fired_to_received_ms"]?.count, 3)
    assert.closeTo(body.summary["slippage_bps"]?.p50 ?? Number.NaN, 0, 0.01)

    const span = await ledger(`?from=${at(60_000)}&to=${at(119_000)}`)
    assert.strictEqual(span.items.length, 1)
    assert.deepStrictEqual(span.summary["received_to_filled_ms"], { p50: 324, p99: 324, count: 1 })
    assert.strictEqual((await ledger("?strategy=none")).summary["slippage_bps"]?.count, 0)

    const trace = await world.send("GET", `/api/v1/signals/${first.signal}`)
    assert.deepStrictEqual(trace.body.times, {
      bar: null,
      fired: at(0),
      received: at(100),
      decided: at(104),
      sent: at(120),
      acked: at(130),
      filled: at(150)
    })
  })
})
