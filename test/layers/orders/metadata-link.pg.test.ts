import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { DatabaseService } from "../../../src/layers/database/database.port.ts"
import { linkMetadataForOrder } from "../../../src/layers/orders/metadata-link.pg.ts"
import type { SignalsStoreService } from "../../../src/layers/decision/signals-store.port.ts"
import {
  insertMetadata,
  insertSignals,
  plannerOf,
  preparedStore,
  rows,
  storeOn
} from "../../support/decisions.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const score = { "Buy Score": 2.5, "Sell Score": -1 }
const body = (given: Record<string, unknown> = {}) => ({
  snapshot_id: randomUUID(),
  score,
  trigger: "roc_momo",
  pair: "ZRX-USD",
  ...given
})

interface Fill {
  readonly venueOrderId: string
  readonly tradeId?: string
  readonly clientOrderId?: string | null
  readonly orderId?: string | null
  readonly signalId?: string | null
  readonly symbol?: string
  readonly side?: "buy" | "sell"
  readonly at?: Date
  /** Runs between the rows and the link, inside the transaction. */
  readonly before?: Effect.Effect<unknown>
}

/** A fill as the fills store writes it: trade, link row when it is ours, metadata. */
const fill = (database: DatabaseService, given: Fill) => {
  const {
    at = new Date(),
    before = Effect.void,
    clientOrderId = null,
    orderId = null,
    side = "buy",
    signalId = null,
    symbol = "ZRX-USD",
    tradeId = "1",
    venueOrderId
  } = given
  const id = randomUUID()
  return database.transact("test.fill", (sql) =>
    Effect.gen(function* () {
      yield* sql`INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, client_order_id, order_id, side, quantity, price, source, order_time)
      VALUES (${id}, 'practice', 'paper-1', ${symbol}, ${venueOrderId}, ${tradeId}, ${clientOrderId}, ${orderId}, ${side}, 1, 100, 'webhook', ${at})`
      if (orderId !== null) {
        yield* sql`INSERT INTO trade_strategy_link (trade_record_id, order_id, signal_id, strategy, linked_by) VALUES (${id}, ${orderId}, ${signalId}, 'default', 'client_order_id')`
      }
      yield* before
      const match = yield* linkMetadataForOrder(sql, {
        tradeRecordId: id,
        venue: "practice",
        account: "paper-1",
        symbol,
        side,
        orderTime: at,
        venueOrderId,
        clientOrderId
      })
      return { id, match }
    })
  )
}

/** What the pipeline does with a metadata row. */
const record = (store: SignalsStoreService) =>
  Effect.gen(function* () {
    const claim = yield* store.claim(1)
    const [claimed] = claim.signals
    if (claimed?.kind !== "metadata") return assert.fail(JSON.stringify(claimed))
    return yield* store.recordMetadata(claim.token, claimed.id, claimed.metadata, claimed.atMs)
  })

const post = (
  database: DatabaseService,
  store: SignalsStoreService,
  given: Record<string, unknown>,
  at: Date | null = null
) => Effect.andThen(insertMetadata(database, given, at), record(store))

const links = (database: DatabaseService) =>
  rows<Record<string, unknown>>(
    database,
    "SELECT t.venue_order_id AS venue_order, t.trade_id AS trade, l.strategy, l.snapshot_id AS snapshot, l.linked_by AS by FROM trade_strategy_link l JOIN trade_records t ON t.id = l.trade_record_id ORDER BY t.seq"
  )

/** An order of ours, decided from a signal. */
const ordered = (database: DatabaseService, store: SignalsStoreService) =>
  Effect.gen(function* () {
    const [signalId = ""] = yield* insertSignals(database, [{ symbol: "ZRX-USD" }])
    const claim = yield* store.claim(1)
    const [outcome] = yield* store.decide(claim.token, claim.signals, ["paper-1"], plannerOf(settingsFrom()))
    const order = outcome?._tag === "Decided" ? outcome.decision.orders[0] : undefined
    return { signalId, orderId: order?.id ?? "", clientOrderId: order?.clientOrderId ?? "" }
  })

describe("metadata of an order of ours", () => {
  it.live("posted before the fill is linked by the fill, in its transaction (by client order id)", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const order = yield* ordered(database, store)
        const metadata = body({ order_id: order.clientOrderId })
        assert.deepStrictEqual((yield* post(database, store, metadata)).linked, [])
        const { match } = yield* fill(database, { venueOrderId: "V1", ...order })
        assert.deepStrictEqual(match, { _tag: "Linked", snapshotId: metadata.snapshot_id, by: "order_id" })
        assert.deepStrictEqual(yield* links(database), [
          {
            venue_order: "V1",
            trade: "1",
            strategy: "default",
            snapshot: metadata.snapshot_id,
            by: "client_order_id"
          }
        ])
      })
    )
  )

  it.live(
    "posted after the fill is linked when it comes (by the venue's order id), every trade of the order",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { database, store } = yield* preparedStore
          const order = yield* ordered(database, store)
          yield* fill(database, { venueOrderId: "V1", tradeId: "1", ...order })
          const { match } = yield* fill(database, { venueOrderId: "V1", tradeId: "2", ...order })
          assert.strictEqual(match._tag, "NoMetadata")
          const metadata = body({ order_id: "V1" })
          const recorded = yield* post(database, store, metadata)
          assert.deepStrictEqual(
            recorded.linked.map(({ by, orderId }) => [by, orderId]),
            [
              ["order_id", order.orderId],
              ["order_id", order.orderId]
            ]
          )
          assert.deepStrictEqual(
            (yield* links(database)).map(({ snapshot }) => snapshot),
            [metadata.snapshot_id, metadata.snapshot_id]
          )
          const third = yield* fill(database, { venueOrderId: "V1", tradeId: "3", ...order })
          assert.deepStrictEqual(third.match, {
            _tag: "Linked",
            snapshotId: metadata.snapshot_id,
            by: "order_id"
          })
        })
      )
  )

  it.live("keeps its trades against what names the same order later", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* fill(database, { venueOrderId: "V1" })
        const first = body({ order_id: "V1" })
        yield* post(database, store, first)
        const second = yield* post(database, store, body({ order_id: "V1" }))
        assert.deepInclude(second, { linked: [], known: false, taken: true })
        // Received earlier, and spooled until now: the order keeps what it has.
        yield* insertMetadata(database, body({ order_id: "V1" }))
        yield* database.run(
          "test.earlier",
          (sql) =>
            sql`UPDATE signals SET received_at = received_at - interval '1 minute' WHERE status = 'received'`
        )
        assert.isTrue((yield* record(store)).taken)
        const { match } = yield* fill(database, { venueOrderId: "V1", tradeId: "2" })
        assert.deepStrictEqual(match, { _tag: "Linked", snapshotId: first.snapshot_id, by: "order_id" })
        assert.deepStrictEqual(
          (yield* links(database)).map(({ snapshot }) => snapshot),
          [first.snapshot_id, first.snapshot_id]
        )
        assert.deepStrictEqual(
          yield* rows(
            database,
            `SELECT m.linked_at IS NOT NULL AS linked, s.status, s.reason
              FROM signal_metadata m JOIN signals s ON s.id = m.signal_id ORDER BY s.seq`
          ),
          [
            { linked: true, status: "done", reason: null },
            { linked: false, status: "done", reason: "order_has_metadata" },
            { linked: false, status: "done", reason: "order_has_metadata" }
          ]
        )
      })
    )
  )

  it.live("is linked when fill and metadata commit at the same moment, whoever is first [20 rounds]", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        for (let round = 0; round < 20; round += 1) {
          const venueOrderId = `V${round}`
          yield* insertMetadata(database, body({ order_id: venueOrderId }))
          // Both have written their row and not committed it before either looks for the other.
          const [, recorded] = yield* Effect.all(
            [
              fill(database, { venueOrderId, before: Effect.sleep(round % 2 === 0 ? 8 : 0) }),
              Effect.andThen(Effect.sleep(round % 3), record(store))
            ],
            { concurrency: 2 }
          )
          assert.isFalse(recorded.known)
        }
        const unlinked = yield* rows(
          database,
          "SELECT snapshot_id FROM signal_metadata WHERE linked_at IS NULL"
        )
        assert.deepStrictEqual(unlinked, [])
        assert.strictEqual((yield* links(database)).length, 20)
      })
    )
  )
})

describe("metadata without an order id", () => {
  const at = new Date("2026-11-23T15:00:00Z")
  const later = (ms: number) => new Date(at.getTime() + ms)

  it.live(
    "is matched by pair in any spelling, side and time, and gives an external trade its link (A2, A3)",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { database, store } = yield* preparedStore
          const metadata = body({ side: "sell", pair: "ZRX-USD" })
          yield* post(database, store, metadata, at)
          assert.strictEqual(
            (yield* fill(database, { venueOrderId: "B", side: "buy", at })).match._tag,
            "NoMetadata"
          )
          const { match } = yield* fill(database, {
            venueOrderId: "S",
            symbol: "zrx/usd",
            side: "sell",
            at: later(60_000)
          })
          assert.deepStrictEqual(match, { _tag: "Linked", snapshotId: metadata.snapshot_id, by: "window" })
          assert.deepStrictEqual(yield* links(database), [
            {
              venue_order: "S",
              trade: "1",
              strategy: "roc_momo",
              snapshot: metadata.snapshot_id,
              by: "window"
            }
          ])
        })
      )
  )

  it.live("is not matched outside the window, nor to another pair", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* post(database, store, body(), at)
        for (const given of [{ at: later(300_001) }, { at: later(-300_001) }, { at, symbol: "ZRX-USDT" }]) {
          assert.strictEqual(
            (yield* fill(database, { venueOrderId: randomUUID(), ...given })).match._tag,
            "NoMetadata"
          )
        }
        assert.strictEqual(
          (yield* fill(database, { venueOrderId: "edge", at: later(300_000) })).match._tag,
          "Linked"
        )
      })
    )
  )

  it.live("goes to the nearest order, once, and to all trades of it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* fill(database, { venueOrderId: "far", at: later(-9_000) })
        yield* fill(database, { venueOrderId: "near", at: later(-1_000) })
        yield* fill(database, { venueOrderId: "near", tradeId: "2", at: later(-2_000) })
        const metadata = body()
        assert.deepStrictEqual(
          (yield* post(database, store, metadata, at)).linked.map(({ by }) => by),
          ["window", "window"]
        )
        assert.deepStrictEqual(
          (yield* links(database)).map(({ venue_order }) => venue_order),
          ["near", "near"]
        )
        const more = yield* fill(database, { venueOrderId: "near", tradeId: "3", at: later(3_000) })
        assert.deepStrictEqual(more.match, {
          _tag: "Linked",
          snapshotId: metadata.snapshot_id,
          by: "same_order"
        })
        assert.strictEqual((yield* fill(database, { venueOrderId: "other", at })).match._tag, "NoMetadata")
      })
    )
  )

  it.live("gives way to metadata that names the order, and waits again for its own", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const guess = body({ trigger: "guess" })
        const named = body({ trigger: "named", order_id: "V1" })
        yield* post(database, store, guess, at)
        yield* fill(database, { venueOrderId: "V1", at })
        yield* post(database, store, named, at)
        assert.deepStrictEqual(yield* links(database), [
          { venue_order: "V1", trade: "1", strategy: "named", snapshot: named.snapshot_id, by: "order_id" }
        ])
        const { match } = yield* fill(database, { venueOrderId: "V2", at: later(1_000) })
        assert.deepStrictEqual(match, { _tag: "Linked", snapshotId: guess.snapshot_id, by: "window" })
      })
    )
  )

  it.live("that names an order is never matched to another one", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* post(database, store, body({ order_id: "V1" }), at)
        assert.strictEqual((yield* fill(database, { venueOrderId: "V2", at })).match._tag, "NoMetadata")
      })
    )
  )
})

describe("recording metadata", () => {
  it.live("stores scores, trigger and times, and never an order", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const metadata = body({ order_id: "V9", side: "buy" })
        yield* post(database, store, metadata)
        assert.deepStrictEqual(
          yield* rows(
            database,
            `SELECT m.snapshot_id, m.pair, m.trigger, m.buy_score, m.sell_score, m.order_id, m.side, m.linked_at, s.status,
        m.received_at = s.received_at AS at FROM signal_metadata m JOIN signals s ON s.id = m.signal_id`
          ),
          [
            {
              snapshot_id: metadata.snapshot_id,
              pair: "ZRX-USD",
              trigger: "roc_momo",
              buy_score: 2.5,
              sell_score: -1,
              order_id: "V9",
              side: "buy",
              linked_at: null,
              status: "done",
              at: true
            }
          ]
        )
        assert.deepStrictEqual(yield* rows(database, "SELECT id FROM orders"), [])
      })
    )
  )

  it.live("rejects a snapshot that is stored already, and changes nothing of it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const metadata = body()
        yield* post(database, store, metadata)
        const second = yield* post(database, store, { ...metadata, trigger: "other" })
        assert.isTrue(second.known)
        assert.deepStrictEqual(yield* rows(database, "SELECT trigger FROM signal_metadata"), [
          { trigger: "roc_momo" }
        ])
        assert.deepStrictEqual(yield* rows(database, "SELECT status, reason FROM signals ORDER BY seq"), [
          { status: "done", reason: null },
          { status: "rejected", reason: "snapshot_known" }
        ])
      })
    )
  )

  it.live("writes nothing when the claim was taken over", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertMetadata(database, body())
        const claim = yield* store.claim(1)
        const [claimed] = claim.signals
        if (claimed?.kind !== "metadata") return assert.fail("metadata")
        yield* database.run(
          "test.expire",
          (sql) => sql`UPDATE signals SET lease_until = now() - interval '1 second'`
        )
        yield* (yield* storeOn(database)).claim(1)
        const error = yield* Effect.flip(
          store.recordMetadata(claim.token, claimed.id, claimed.metadata, claimed.atMs)
        )
        assert.strictEqual(error._tag, "ClaimLost")
        assert.deepStrictEqual(yield* rows(database, "SELECT snapshot_id FROM signal_metadata"), [])
      })
    )
  )

  it.live("cannot be read back when the stored body is none, which is a failure and not a crash", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertMetadata(database, { snapshot_id: "no uuid" })
        const [claimed] = (yield* store.claim(1)).signals
        assert.strictEqual(claimed?.kind, "unreadable")
      })
    )
  )
})
