import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Random, Redacted, Scope } from "effect"
import { socketFile, urlOf } from "../../src/layers/database/database-target.ts"
import { callVenue, connectTo, venueVerbs } from "../contracts/broker-paper-world.ts"
import { eventually, fillsCount, marketOrder } from "../contracts/broker.contract.ts"
import { emptyDatabase, openFreshDatabase } from "../support/postgres.ts"
import { relayTo, runToEnd, startProcess, waitUntil } from "./venue-process.ts"
import { stopwatch } from "../support/stopwatch.ts"

const serving = (url: string) =>
  waitUntil(
    "the venue to serve",
    Effect.map(callVenue(url, "GET", "/health"), (health) =>
      (health as { state: string }).state === "serving" ? true : undefined
    )
  )

const start = (args: ReadonlyArray<string>) => Effect.tap(startProcess(args), ({ url }) => serving(url))

const statusOf = (url: string, path: string, body?: unknown) =>
  Effect.promise(async () => {
    const reply = await fetch(`${url}${path}`, {
      method: body === undefined ? "GET" : "POST",
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    await reply.text()
    return reply.status
  })

const wireOrder = {
  client_order_id: "c1",
  account: "paper-1",
  symbol: "SPY",
  side: "buy",
  type: "market",
  quantity: "1",
  time_in_force: "gtc"
}

const rounds = process.env["TEST_SIZE"] === "long" ? 20 : 2

describe("paper venue as a process", () => {
  it.live(
    `${rounds} random SIGKILLs under load: every order it ever confirmed is in its book once, filled once`,
    () =>
      Effect.gen(function* () {
        const { url: database } = yield* emptyDatabase
        const confirmed = new Map<string, string>()
        let sent = 0
        for (let round = 0; round < rounds; round++) {
          const scope = yield* Scope.make()
          yield* Effect.gen(function* () {
            const venue = yield* start(["--database-url", database])
            const connection = yield* connectTo(venue.url)
            let settled = 0
            const create = (id: string) =>
              connection.create(marketOrder({ clientOrderId: id, quantity: "0.1" }))
            const ids = Array.from({ length: 12 }, () => `k${(sent += 1)}`)
            const burst = Effect.forEach(
              ids,
              (id) =>
                Effect.map(Effect.option(create(id)), (placed) => {
                  settled += 1
                  if (Option.isSome(placed)) confirmed.set(id, placed.value.venueOrderId)
                }),
              { concurrency: 4 }
            )
            // In the middle of the burst, at a point of its own in every round, however fast this machine is.
            const killAfter = yield* Random.nextIntBetween(1, 11)
            const killAfterMs = yield* Random.nextIntBetween(0, 12)
            const reached = Effect.sync(() => (settled >= killAfter ? true : undefined))
            const kill = waitUntil("some answers", reached, 1).pipe(
              Effect.andThen(Effect.sleep(killAfterMs)),
              Effect.andThen(venue.kill("SIGKILL"))
            )
            yield* Effect.all([burst, kill], { concurrency: 2 })
            yield* venue.exited
          }).pipe(Scope.provide(scope))
          yield* Scope.close(scope, yield* Effect.exit(Effect.void))
        }
        const venue = yield* start(["--database-url", database])
        const connection = yield* connectTo(venue.url)
        yield* eventually(connection.openOrders("paper-1"), (orders) => orders.length === 0)
        const orders = yield* connection.recentOrders("paper-1", new Date(0))
        const fills = yield* connection.fillsSince("paper-1", null)
        assert.isTrue(confirmed.size > 0)
        for (const [id, venueOrderId] of confirmed) {
          assert.deepStrictEqual(
            orders.filter((o) => o.clientOrderId === id).map((o) => o.venueOrderId),
            [venueOrderId]
          )
        }
        // One fill per order, numbered without a gap, and the count of creates tells exactly the orders.
        assert.deepStrictEqual(
          fills.map((f) => f.venueOrderId).toSorted(),
          orders.map((o) => o.venueOrderId).toSorted()
        )
        assert.deepStrictEqual(
          fills.map((f) => Number(f.cursor)),
          fills.map((_, i) => i + 1)
        )
        const { creates } = (yield* callVenue(venue.url, "GET", "/admin/creates")) as {
          creates: ReadonlyArray<{ client_order_id: string; received: number; created: number }>
        }
        assert.strictEqual(
          creates.reduce((sum, c) => sum + c.created, 0),
          orders.length
        )
        for (const c of creates) assert.isTrue(c.created <= c.received && c.received === 1)
      }),
    300_000
  )

  it.live("an order that was accepted and not yet filled is filled after a SIGKILL, once", () =>
    Effect.gen(function* () {
      const { url: database } = yield* emptyDatabase
      const first = yield* start(["--database-url", database])
      yield* venueVerbs(first.url).holdFills(true)
      const placed = yield* (yield* connectTo(first.url)).create(marketOrder())
      yield* first.kill("SIGKILL")
      yield* first.exited
      const second = yield* start(["--database-url", database])
      const [fill, ...more] = yield* fillsCount(yield* connectTo(second.url), 1)
      assert.strictEqual(fill?.venueOrderId, placed.venueOrderId)
      assert.deepStrictEqual(more, [])
    })
  )

  it.live("a price that was set and what was counted survive a SIGKILL", () =>
    Effect.gen(function* () {
      const { url: database } = yield* emptyDatabase
      const first = yield* start(["--database-url", database, "--rule", "R"])
      yield* venueVerbs(first.url).setPrice("SPY", "12.5")
      yield* venueVerbs(first.url).loseNextCreate(false)
      yield* Effect.flip((yield* connectTo(first.url)).create(marketOrder()))
      yield* first.kill("SIGKILL")
      yield* first.exited
      const second = yield* start(["--database-url", database, "--rule", "R"])
      assert.deepStrictEqual(yield* venueVerbs(second.url).creates("c1"), { requests: 1, orders: 0 })
      assert.deepInclude(yield* callVenue(second.url, "GET", "/quotes/SPY"), { bid: "12.5", ask: "12.5" })
    })
  )

  it.live("it starts without its database, says so, and serves when the database comes", () =>
    Effect.gen(function* () {
      const { target } = yield* emptyDatabase
      const relay = yield* relayTo(socketFile(target.directory, target.port))
      const venue = yield* startProcess([
        "--database-url",
        `postgres://${target.user}@127.0.0.1:${relay.port}/${target.database}`
      ])
      assert.deepInclude(yield* callVenue(venue.url, "GET", "/health"), { state: "waiting_for_database" })
      assert.strictEqual(yield* statusOf(venue.url, "/orders", wireOrder), 503)
      yield* relay.open
      yield* serving(venue.url)
      assert.strictEqual(yield* statusOf(venue.url, "/orders", wireOrder), 201)
    })
  )

  for (const how of ["cut", "frozen"] as const) {
    it.live(`a database that is ${how} is a 503 in bounded time, and the venue heals by itself`, () =>
      Effect.gen(function* () {
        const { target } = yield* emptyDatabase
        const relay = yield* relayTo(socketFile(target.directory, target.port))
        yield* relay.open
        const venue = yield* start([
          "--database-url",
          `postgres://${target.user}@127.0.0.1:${relay.port}/${target.database}`
        ])
        assert.strictEqual(yield* statusOf(venue.url, "/orders", wireOrder), 201)
        yield* how === "cut" ? relay.cut : relay.freeze
        const tookMs = stopwatch()
        assert.strictEqual(yield* statusOf(venue.url, "/accounts/paper-1"), 503)
        assert.isBelow(tookMs(), 6_000)
        yield* relay.open
        yield* waitUntil(
          "an answer again",
          Effect.map(statusOf(venue.url, "/accounts/paper-1"), (status) =>
            status === 200 ? true : undefined
          )
        )
        assert.strictEqual(
          yield* statusOf(venue.url, "/orders", { ...wireOrder, client_order_id: "c2" }),
          201
        )
        // The matcher's last statement may have been swallowed too: it heals after the silence of one socket.
        const connection = yield* connectTo(venue.url)
        yield* waitUntil(
          "both fills",
          connection.fillsSince("paper-1", null).pipe(
            Effect.map((fills) => (fills.length === 2 ? true : undefined)),
            // A pooled connection that the relay swallowed answers 503 once more before it is replaced.
            Effect.catchTag("BrokerUnavailable", () => Effect.succeed(undefined))
          )
        )
      })
    )
  }

  it.live("it keeps to its own schema, beside holdfast's tables in one database", () =>
    Effect.gen(function* () {
      const { database, target } = yield* openFreshDatabase()
      yield* start(["--database-url", Redacted.value(urlOf(target))])
      const rows = yield* database.run(
        "test.tables",
        (sql) => sql<{ table_schema: string; table_name: string }>`SELECT table_schema, table_name
          FROM information_schema.tables WHERE table_name IN ('venue_migrations', 'create_requests', 'fills')`
      )
      assert.deepStrictEqual(rows.map((row) => `${row.table_schema}.${row.table_name}`).toSorted(), [
        "paper_venue.create_requests",
        "paper_venue.fills",
        "paper_venue.venue_migrations"
      ])
    })
  )

  it.live("wrong options end with 78 and the reason, a taken port with 69, SIGTERM with 0", () =>
    Effect.gen(function* () {
      const { url: database } = yield* emptyDatabase
      const wrong = yield* runToEnd(["--database-url", database, "--rule", "X", "--port", "99999"])
      assert.strictEqual(wrong.code, 78)
      assert.match(wrong.lastLine, /rule/)
      assert.match(wrong.lastLine, /port/)
      assert.strictEqual((yield* runToEnd(["--database-url", database, "--colour", "red"])).code, 78)
      const venue = yield* start(["--database-url", database])
      const taken = yield* runToEnd(["--database-url", database, "--port", new URL(venue.url).port])
      assert.strictEqual(taken.code, 69)
      assert.match(taken.lastLine, /EADDRINUSE/)
      yield* venue.kill("SIGTERM")
      assert.deepStrictEqual(yield* venue.exited, [0, null])
    })
  )
})
