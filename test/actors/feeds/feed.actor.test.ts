import { assert, describe, it } from "@effect/vitest"
import { feedBell } from "../../../src/layers/platform/bells.ts"
import { Clock, Deferred, Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { feedLimits } from "../../../src/domain/kernel/limits-feeds.ts"

import { signal, types, world } from "./feed-world.ts"

describe("feed actor: the way to live", () => {
  it.effect("authenticates with its token, then asks for the signals at once, and is ready", () =>
    Effect.gen(function* () {
      const { child, goLive, settle, wire } = yield* world()
      assert.deepStrictEqual([child().state, child().ready], ["Connecting", false])
      wire().listener.opened()
      yield* settle
      assert.strictEqual(child().state, "Authenticating")
      assert.deepStrictEqual(wire().sent, ['{"type":"auth","token":"token"}'])
      yield* goLive([signal("a")])
      assert.deepStrictEqual([child().state, child().ready], ["Live", true])
      assert.deepStrictEqual(types(wire()), ["auth", "get_signals"])
    })
  )

  it.effect(
    "a connection that hangs is given up at its deadline [10 s], and so is an authentication [10 s]",
    () =>
      Effect.gen(function* () {
        const { child, settle, wire, wires } = yield* world()
        yield* TestClock.adjust(9_999)
        assert.strictEqual(child().state, "Connecting")
        yield* TestClock.adjust(1)
        assert.strictEqual(child().detail["end_kind"], "no_handshake")
        assert.isTrue(wires[0]?.closed)
        yield* TestClock.adjust(1_000)
        wire().listener.opened()
        yield* settle
        yield* TestClock.adjust(10_000)
        assert.strictEqual(child().detail["end_kind"], "no_auth")
      })
  )
})

describe("feed actor: backoff", () => {
  it.effect("never gives up, and waits at random below a ceiling that doubles from 1 s to 30 s", () =>
    Effect.gen(function* () {
      const { child, end, wires } = yield* world()
      const delays: Array<number> = []
      for (let attempt = 1; attempt <= 200; attempt += 1) {
        const before = yield* Clock.currentTimeMillis
        yield* end({ kind: "refused", code: null, reason: "ECONNREFUSED" })
        assert.strictEqual(child().state, "BackingOff")
        const { attempt: said, next_at: nextAt } = child().detail as { attempt: number; next_at: string }
        assert.strictEqual(said, attempt)
        const delay = Date.parse(nextAt) - before
        delays.push(delay)
        assert.isBelow(delay, Math.min(30_000, 1_000 * 2 ** (attempt - 1)) + 1)
        yield* TestClock.adjust(delay)
        assert.strictEqual(wires.length, attempt + 1)
      }
      const late = delays.slice(10)
      assert.isAbove(Math.max(...late), 20_000, "the whole range is used")
      assert.isBelow(Math.min(...late), 5_000, "the whole range is used")
    })
  )

  it.effect("starts small again only after 30 s connected and one valid message", () =>
    Effect.gen(function* () {
      // Deadlines of other watches are out of the way: this one is about time and a message.
      const { child, end, goLive, say } = yield* world({ answerMsMax: 900_000, pongMsMax: 900_000 })
      const attempt = () => child().detail["attempt"]
      for (let n = 0; n < 4; n += 1) {
        yield* end()
        yield* TestClock.adjust(9_000)
      }
      yield* goLive(null)
      yield* TestClock.adjust(60_000)
      assert.strictEqual(attempt(), 4, "a minute connected, and nothing valid came")
      yield* say({ type: "signals", signals: [] })
      assert.strictEqual(attempt(), 0)
      yield* end()
      yield* TestClock.adjust(1_000)
      yield* goLive([signal("a")])
      yield* TestClock.adjust(29_999)
      assert.strictEqual(attempt(), 1, "data, and not yet 30 s")
      yield* TestClock.adjust(1)
      assert.strictEqual(attempt(), 0)
    })
  )

  it.effect("says how the last connection ended, and when the next attempt comes", () =>
    Effect.gen(function* () {
      const { child, end, goLive } = yield* world()
      yield* goLive()
      assert.isNotNull(child().detail["connected_since"])
      yield* end({ code: 4_001, reason: "maintenance" })
      const { close_code: code, close_reason: reason, connected_since: since } = child().detail
      assert.deepStrictEqual([code, reason, since], [4_001, "maintenance", null])
      assert.strictEqual(child().lastError, "closed with code 4001: maintenance")
    })
  )

  it.effect("alerts HIGH once when it did not recover in 5 attempts, and again for the next outage", () =>
    Effect.gen(function* () {
      const { end, goLive, kinds, say } = yield* world({
        connectMsMax: 900_000,
        pongMsMax: 900_000,
        statsEveryMs: 900_000
      })
      for (let n = 0; n < 12; n += 1) {
        assert.strictEqual(kinds().length, n < 5 ? 0 : 1)
        yield* end({ kind: "refused", code: null })
        yield* TestClock.adjust(30_000)
      }
      assert.deepStrictEqual(kinds(), ["feed.not_recovered HIGH"])
      yield* goLive()
      yield* TestClock.adjust(30_000)
      yield* say({ type: "pong" })
      for (let n = 0; n < 6; n += 1) {
        yield* end({ kind: "refused", code: null })
        yield* TestClock.adjust(9_999)
      }
      assert.strictEqual(kinds().length, 2)
    })
  )

  it.effect("what a server repeats of the token or the address is not repeated by us", () =>
    Effect.gen(function* () {
      const { child, end, say, settle, wire } = yield* world({
        token: Redacted.make("hunter22"),
        url: "ws://u:retnuh22@test/?key=planted22"
      })
      wire().listener.opened()
      yield* settle
      yield* say({ type: "auth_failed", reason: "hunter22 is no token" })
      assert.strictEqual(child().lastError, "credentials: [redacted] is no token")
      yield* TestClock.adjust(60_000)
      yield* end({ kind: "refused", code: null, reason: "no ws://u:retnuh22@test/?key=planted22, planted22" })
      assert.notMatch(JSON.stringify(child()), /hunter22|retnuh22|planted22/)
    })
  )

  it.effect("a refused credential is tried once a minute, with a HIGH alert", () =>
    Effect.gen(function* () {
      const { child, goLive, kinds, say, settle, wire, wires } = yield* world()
      wire().listener.opened()
      yield* settle
      yield* say({ type: "auth_failed", reason: "unknown token" })
      assert.deepStrictEqual([child().state, wires.length], ["CredentialRefused", 1])
      assert.deepStrictEqual(kinds(), ["feed.credentials_refused HIGH"])
      assert.strictEqual(child().lastError, "credentials: unknown token")
      yield* TestClock.adjust(59_999)
      assert.strictEqual(wires.length, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(wires.length, 2)
      yield* goLive()
      assert.strictEqual(child().state, "Live")
    })
  )

  it.effect("five connects within five minutes are flapping, alerted once; five in an hour are not", () =>
    Effect.gen(function* () {
      const { child, end, feed, goLive, kinds } = yield* world({
        connectMsMax: 9_000_000,
        statsEveryMs: 9_000_000,
        pingEveryMs: 9_000_000
      })
      for (let n = 0; n < 5; n += 1) {
        yield* goLive()
        yield* TestClock.adjust(700_000)
        yield* end()
        yield* TestClock.adjust(30_000)
      }
      assert.deepStrictEqual(kinds(), [])
      for (let n = 0; n < 8; n += 1) {
        yield* goLive()
        yield* end()
        yield* TestClock.adjust(30_000)
      }
      assert.deepStrictEqual(
        kinds().filter((kind) => kind.startsWith("feed.flapping")),
        ["feed.flapping MEDIUM"]
      )
      assert.isTrue(child().detail["flapping"])
      // Live for a moment is no end of it: it counts as away until a connection has proved good.
      yield* goLive([signal("a")])
      assert.deepStrictEqual([child().state, feed.state()], ["Live.Flapping", "Live"])
      assert.include(child().tags, "degraded")
      yield* TestClock.adjust(29_999)
      assert.include(child().tags, "degraded")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([child().state, child().detail["flapping"]], ["Live", false])
      assert.notInclude(child().tags, "degraded")
    })
  )
})

describe("feed actor: watches", () => {
  it.effect("pings every 20 s by frame and by message, and gives up when either stays away for 10 s", () =>
    Effect.gen(function* () {
      for (const missing of ["frame", "message"] as const) {
        const { child, goLive, say, wire } = yield* world()
        yield* goLive()
        yield* TestClock.adjust(19_999)
        assert.strictEqual(wire().pings, 0)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual([wire().pings, types(wire()).at(-1)], [1, "ping"])
        wire().listener.pong()
        yield* say({ type: "pong" })
        yield* TestClock.adjust(20_000)
        assert.strictEqual(wire().pings, 2)
        if (missing === "message") wire().listener.pong()
        else yield* say({ type: "pong" })
        yield* TestClock.adjust(9_999)
        assert.strictEqual(child().state, "Live")
        yield* TestClock.adjust(1)
        assert.strictEqual(child().detail["end_kind"], "no_pong")
      }
    })
  )

  it.effect("asks for stats every 60 s; pongs and signals are no answer to that", () =>
    Effect.gen(function* () {
      const { child, goLive, say, wire } = yield* world({ pingEveryMs: 900_000 })
      yield* goLive()
      yield* TestClock.adjust(60_000)
      assert.strictEqual(types(wire()).at(-1), "get_stats")
      yield* say({ type: "stats" })
      yield* TestClock.adjust(60_000)
      wire().listener.pong()
      yield* say({ type: "pong" })
      yield* say({ type: "signal", signal: signal("late") })
      yield* TestClock.adjust(9_999)
      assert.strictEqual(child().state, "Live")
      yield* TestClock.adjust(1)
      assert.strictEqual(child().detail["end_kind"], "no_stats")
    })
  )

  it.effect("a request for signals that nobody answers ends the connection after 10 s", () =>
    Effect.gen(function* () {
      const { child, goLive } = yield* world()
      yield* goLive(null)
      yield* TestClock.adjust(10_000)
      assert.strictEqual(child().detail["end_kind"], "no_signals")
    })
  )

  it.effect("a server that pings is answered at once, each time, before it accepts us as well", () =>
    Effect.gen(function* () {
      const { child, say, settle, wire, wires } = yield* world()
      wire().listener.opened()
      yield* settle
      yield* say({ type: "ping" })
      const pongs = () => types(wire()).filter((type) => type === "pong").length
      assert.strictEqual(pongs(), 1)
      yield* say({ type: "auth_success" })
      yield* say({ type: "signals", signals: [] })
      wire().listener.text('{"type":"ping","at":1}')
      // Not even the machine was run in between.
      assert.strictEqual(pongs(), 2)
      assert.deepStrictEqual([child().state, child().detail["ignored"], wires.length], ["Live", 0, 1])
    })
  )

  it.effect("garbage, unknown types and frames that are not UTF-8 are counted and end nothing", () =>
    Effect.gen(function* () {
      const { buffer, child, goLive, kinds, say, settle, wire } = yield* world()
      yield* goLive()
      for (const text of ["{", "null", "[]", '"x"', '{"type":1}', '{"type":"signals","signals":1}']) {
        wire().listener.text(text)
      }
      wire().listener.unreadable()
      yield* say({ type: "news" })
      yield* say({ type: "signals", signals: [signal("good"), { id: "bad" }] })
      yield* settle
      const { ignored, stored, unusable } = child().detail
      assert.deepStrictEqual([child().state, ignored, stored, unusable], ["Live", 8, 1, 1])
      // What claims to be a signal and cannot be traded is told and written down besides.
      assert.deepStrictEqual([kinds(), buffer.dead.size], [["feed.signals_unusable MEDIUM"], 1])
      yield* say({ type: "signals", signals: [signal("good"), { id: "bad" }] })
      assert.deepStrictEqual([kinds().length, child().detail["unusable"]], [1, 2])
    })
  )
})

describe("feed actor: storing", () => {
  it.effect(
    "a reconnect repeats what is stored and brings what was missed: stored once, repeats counted",
    () =>
      Effect.gen(function* () {
        const { buffer, child, end, goLive } = yield* world()
        yield* goLive([signal("a"), signal("b")])
        yield* end()
        yield* TestClock.adjust(1_000)
        yield* goLive([signal("a"), signal("b"), signal("c")])
        assert.deepStrictEqual([...buffer.rows.keys()], ["a", "b", "c"])
        assert.deepStrictEqual([child().detail["stored"], child().detail["duplicates"]], [3, 2])
      })
  )

  it.effect(
    "keeps the connection and the signals while the database is away, and stores and asks again when it is back",
    () =>
      Effect.gen(function* () {
        const { availability, buffer, child, goLive, say, settle, wire, wires } = yield* world({}, false)
        yield* goLive([signal("a")])
        assert.deepStrictEqual([child().state, child().ready], ["Live.WaitingForDatabase", false])
        assert.deepStrictEqual([buffer.rows.size, child().detail["waiting"]], [0, 1])
        const asked = types(wire()).filter((type) => type === "get_signals").length
        availability.mark("available")
        yield* settle
        assert.strictEqual(types(wire()).filter((type) => type === "get_signals").length, asked + 1)
        yield* say({ type: "signals", signals: [signal("a")] })
        assert.deepStrictEqual([child().state, child().ready, wires.length], ["Live", true, 1])
        assert.deepStrictEqual([...buffer.rows.keys()], ["a"])
        assert.strictEqual(child().restarts, 0)
      })
  )

  it.effect(
    "stops reading while the backlog is full, holds its own deadlines meanwhile, and loses nothing",
    () =>
      Effect.gen(function* () {
        const { buffer, child, goLive, say, settle, wire } = yield* world()
        yield* goLive()
        const gate = yield* Deferred.make<void>()
        buffer.hold(gate)
        const batch = (from: number) =>
          Array.from({ length: 1_000 }, (_, index) => signal(`s-${from * 1_000 + index}`))
        for (let frame = 0; frame < 4; frame += 1) yield* say({ type: "signals", signals: batch(frame) })
        assert.deepStrictEqual([wire().paused, child().detail["paused"]], [true, true])
        // Pongs and stats wait behind what we do not read: not the peer's fault.
        yield* TestClock.adjust(120_000)
        assert.strictEqual(child().state, "Live")
        buffer.hold(null)
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.repeat(settle, { times: 4 })
        assert.deepStrictEqual(
          [wire().paused, child().detail["paused"], buffer.rows.size],
          [false, false, 4_000]
        )
      })
  )

  it.effect("rings the feed's bell when signals are stored", () =>
    Effect.gen(function* () {
      const { goLive, say, wake } = yield* world()
      yield* goLive()
      const woken = yield* Effect.forkChild(wake.wait(feedBell("north"), 1), { startImmediately: true })
      yield* TestClock.adjust(1)
      yield* Fiber.join(woken)
      const rung = yield* Effect.forkChild(wake.wait(feedBell("north"), 60_000), { startImmediately: true })
      yield* say({ type: "signal", signal: signal("a") })
      assert.isDefined(rung.pollUnsafe())
    })
  )
})

describe("feed actor: what others ask", () => {
  it.effect("a request ends when its answer is stored, not when it came", () =>
    Effect.gen(function* () {
      const { buffer, feed, goLive, say, settle, wire } = yield* world()
      yield* goLive()
      const request = yield* Effect.forkChild(feed.requestSignals(60_000), { startImmediately: true })
      yield* settle
      assert.strictEqual(types(wire()).at(-1), "get_signals")
      const gate = yield* Deferred.make<void>()
      buffer.hold(gate)
      yield* say({ type: "signals", signals: [signal("a")] })
      assert.isUndefined(request.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.isDefined(request.pollUnsafe())
    })
  )

  it.effect("a request whose answer takes more than one statement ends with the last of them", () =>
    Effect.gen(function* () {
      const { buffer, feed, goLive, say, settle } = yield* world()
      yield* goLive()
      const request = yield* Effect.forkChild(feed.requestSignals(60_000), { startImmediately: true })
      yield* settle
      const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
      buffer.hold(gates[0])
      const many = feedLimits.storeRowsMax + 1
      yield* say({ type: "signals", signals: Array.from({ length: many }, (_, n) => signal(`many-${n}`)) })
      buffer.hold(gates[1])
      yield* Deferred.succeed(gates[0], undefined)
      yield* settle
      assert.strictEqual(buffer.rows.size, feedLimits.storeRowsMax)
      assert.isUndefined(request.pollUnsafe())
      yield* Deferred.succeed(gates[1], undefined)
      yield* settle
      assert.isDefined(request.pollUnsafe())
    })
  )

  it.effect(
    "a request to a feed that is not live fails at once, and a silent one at the caller's deadline",
    () =>
      Effect.gen(function* () {
        const { feed, goLive } = yield* world()
        assert.strictEqual((yield* Effect.flip(feed.requestSignals(1_000))).reason, "it is Connecting")
        yield* goLive()
        const request = yield* Effect.forkChild(Effect.flip(feed.requestSignals(1_000)))
        yield* TestClock.adjust(1_000)
        assert.strictEqual((yield* Fiber.join(request)).reason, "no answer within 1000 ms")
      })
  )

  it.effect("a reconnect asked for is made at once, and its reason is the last end", () =>
    Effect.gen(function* () {
      const { child, feed, goLive, settle, wires } = yield* world()
      yield* goLive()
      feed.reconnect("three waves were empty")
      yield* settle
      assert.deepStrictEqual([child().state, wires.length, wires[0]?.closed], ["Connecting", 2, true])
      assert.strictEqual(child().detail["close_reason"], "three waves were empty")
      yield* goLive()
      assert.strictEqual(feed.state(), "Live")
    })
  )

  it.effect("a stop that we asked for closes the connection and is followed by no attempt", () =>
    Effect.gen(function* () {
      const { feed, goLive, tree, wire, wires } = yield* world()
      yield* goLive()
      yield* tree.stop
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([wire().closed, wires.length, feed.state()], [true, 1, "Absent"])
    })
  )

  it.effect("a parked or stopped feed says so to who asks", () =>
    Effect.gen(function* () {
      const { feed, tree } = yield* world()
      yield* tree.stop
      assert.strictEqual(
        (yield* Effect.flip(feed.requestSignals(1_000))).reason,
        "it does not run in this process"
      )
    })
  )
})
