/** Engines compared over HTTP on a real database: what each decided, and what a shadow would have kept of its profit. */
import { randomUUID } from "node:crypto"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type PgWorld, startPgWorld } from "./http-world.pg.ts"

let world: PgWorld
beforeAll(async () => {
  world = await startPgWorld()
  await world.sql("INSERT INTO accounts (id, venue, starting_cash) VALUES ('paper-1', 'practice', 1)")
})
afterAll(() => world.dispose())

interface Given {
  readonly engine: "A" | "B"
  readonly ordered: boolean
  /** What the shadow would have done; absent: there is none. */
  readonly would?: "order" | "deny" | "unknown"
  readonly shadow?: "A" | "B" | "C"
  /** Profit of the close of what it opened. */
  readonly profit?: string
  readonly source?: string
  readonly strategy?: string
  readonly at?: string
}

const decision = async ({
  at,
  engine,
  ordered,
  profit,
  shadow: other,
  source = "webhook",
  strategy = "s1",
  would
}: Given) => {
  const [signal, order, close, trade, venue] = [
    randomUUID(),
    randomUUID(),
    randomUUID(),
    randomUUID(),
    randomUUID()
  ]
  await world.sql(
    `INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, symbol, request_id, answer, status, received_at)
      VALUES ($1::uuid, 'signal', $2, $1::text, 'explicit', 'h', '{}', 'SPY', 'r', '{}', 'done', coalesce($3::timestamptz, hf_now()))`,
    [signal, source, at ?? null]
  )
  const shadow = JSON.stringify([
    { engine: other ?? (engine === "A" ? "B" : "A"), strategy, account: "paper-1", leg: 0, would }
  ])
  await world.sql(
    `INSERT INTO decisions (signal_id, engine, experiment_id, variant, outcome, checks, shadow)
      VALUES ($1, $2, $3, $2, $4, '[]', $5::jsonb)`,
    [signal, engine, strategy, ordered ? "ordered" : "denied", would === undefined ? null : shadow]
  )
  const insertOrder = (id: string, ofSignal: string | null, side: string, intent: string, status: string) =>
    world.sql(
      `INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, symbol, side, type, quantity, time_in_force, status,
        source, venue) VALUES ($1::uuid, $1::text, $2::uuid, 'paper-1', $3, $4, 'SPY', $5, 'market', 1, 'day', $6, 'webhook', 'practice')`,
      [id, ofSignal, strategy, intent, side, status]
    )
  await insertOrder(order, signal, "buy", "entry", ordered ? "filled" : "denied")
  if (profit === undefined) return
  await insertOrder(close, null, "sell", "reduce", "filled")
  await world.sql(
    `INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, order_id, side, quantity, price, source, order_time)
      VALUES ($1::uuid, 'practice', 'paper-1', 'SPY', $2, $2, $3::uuid, 'sell', 1, 1, 'exit_monitor', hf_now())`,
    [trade, venue, close]
  )
  await world.sql(
    `INSERT INTO trade_strategy_link (trade_record_id, order_id, strategy, linked_by, opened_by) VALUES ($1, $2, $3, 'order_id', $4)`,
    [trade, close, strategy, signal]
  )
  await world.sql(
    "INSERT INTO closes (cause, strategy, account, symbol, profit) VALUES ($1, $2, 'paper-1', 'SPY', $3)",
    [close, strategy, profit]
  )
}

const experiments = async (query = "") => {
  const { body, status } = await world.send("GET", `/api/v1/experiments${query}`)
  assert.strictEqual(status, 200)
  return (body as { readonly items: ReadonlyArray<Readonly<Record<string, unknown>>> }).items
}

describe("[D9] GET /api/v1/experiments", () => {
  it("has signals, orders and profit by strategy and engine, and how often a shadow agreed", async () => {
    for (const profit of ["10", "-4", "6", "2.50", "1"])
      await decision({ engine: "A", ordered: true, would: "order", profit })
    await decision({ engine: "A", ordered: true, would: "deny", profit: "-20" })
    await decision({ engine: "A", ordered: true, would: "unknown" })
    await decision({ engine: "B", ordered: false, would: "order" })
    await decision({ engine: "B", ordered: true, profit: "3" })
    await decision({ engine: "A", ordered: true, source: "canary" })
    const [a, b, ...more] = await experiments()
    assert.deepStrictEqual(more, [])
    assert.deepInclude(a, {
      experiment_id: "s1",
      engine: "A",
      signals: 7,
      ordered: 7,
      denied: 0,
      orders: 7,
      closes: 6,
      pnl: "-4.5"
    })
    assert.closeTo(Number(a?.["pnl_mean"]), -0.75, 1e-9)
    assert.isTrue(Number(a?.["pnl_low"]) < -0.75 && Number(a?.["pnl_high"]) > -0.75)
    assert.deepStrictEqual(a?.["shadow"], {
      engine: "B",
      orders: 6,
      agreed: 5,
      agreement: 5 / 6,
      only_deciding: 1,
      only_shadow: 0,
      unknown: 1,
      pnl: "15.5"
    })
    assert.deepInclude(b, {
      engine: "B",
      signals: 2,
      ordered: 1,
      denied: 1,
      orders: 1,
      closes: 1,
      pnl: "3",
      pnl_low: null
    })
    assert.deepInclude(b?.["shadow"], { engine: "A", orders: 1, agreed: 0, only_shadow: 1, pnl: "0" })
  })

  it("has each shadow of an engine by itself, with the profit that this one would have kept", async () => {
    const strategy = "s3"
    await decision({ engine: "A", ordered: true, would: "order", profit: "5", strategy })
    await decision({ engine: "A", ordered: true, would: "deny", profit: "-7", strategy })
    await decision({ engine: "A", ordered: true, would: "order", profit: "-2", strategy, shadow: "C" })
    const found = await experiments(`?strategy=${strategy}`)
    assert.deepStrictEqual(
      found.map(({ engine, pnl, shadow }) => {
        const { agreed, engine: name, orders, pnl: kept } = shadow as Readonly<Record<string, unknown>>
        return [engine, pnl, name, orders, agreed, kept]
      }),
      [
        ["A", "-4", "B", 2, 1, "5"],
        ["A", "-4", "C", 1, 1, "-2"]
      ]
    )
  })

  it("is of a strategy and of a span", async () => {
    await decision({ engine: "A", ordered: true, strategy: "s2", at: "2026-01-05T10:00:00Z" })
    const one = await experiments("?strategy=s2")
    assert.deepStrictEqual([one.length, one[0]?.["shadow"]], [1, null])
    assert.lengthOf(await experiments("?from=2026-01-05T00:00:00Z&to=2026-01-06T00:00:00Z"), 1)
    assert.deepStrictEqual(await experiments("?strategy=s2&from=2026-01-06T00:00:00Z"), [])
  })
})
