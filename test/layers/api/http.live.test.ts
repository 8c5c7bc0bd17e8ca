/** The live streams and the list of the journal, over real sockets: resuming, keeping up, leaving, and who may look. */
import { afterEach, assert, describe, it } from "vitest"
import { journalFact } from "../../../src/domain/platform/journal.ts"
import { liveLimits } from "../../../src/layers/platform/http-limits.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"
import type { JournalService } from "../../../src/layers/platform/journal.port.ts"
import { SeededRandom } from "../../../src/runtime/backoff.ts"
import { makeMemoryJournalStore, type MemoryJournalStore } from "../../support/journal-store.memory.ts"
import {
  gapIn,
  HandshakeRefused,
  type JournalViewer,
  watchEvents,
  watchLive
} from "../../support/journal-viewer.ts"
import { Effect } from "effect"
import { bearer, startWorld, until, type World, type WorldOptions } from "./http-world.ts"
import { stopwatch } from "../../support/stopwatch.ts"

const boot = "c0000000-0000-4000-8000-000000000000"
const former = "a0000000-0000-4000-8000-000000000000"

interface Stage {
  readonly world: World
  readonly journal: JournalService
  readonly store: MemoryJournalStore
  readonly record: (count: number, path?: string) => void
  /** Records so many and stores them, never more at once than memory holds. */
  readonly recordStored: (count: number) => Promise<void>
  /** Stores what waits, as the component does. */
  readonly flush: () => Promise<void>
}

const opened: Array<World> = []
const viewers: Array<JournalViewer> = []
afterEach(async () => {
  for (const viewer of viewers.splice(0)) viewer.leave()
  for (const world of opened.splice(0)) await world.dispose()
})

const stage = async (
  { base = 0, capacity = 256 }: { readonly base?: number; readonly capacity?: number } = {},
  options: WorldOptions = {}
): Promise<Stage> => {
  const journal = makeJournal(boot, base, capacity)
  const store = makeMemoryJournalStore()
  const world = await startWorld({ journal, journalStore: store, ...options })
  opened.push(world)
  let at = Date.parse("2026-01-01T00:00:00Z")
  const record = (count: number, path = "root/x"): void => {
    for (let index = 0; index < count; index += 1)
      journal.record(
        journalFact({
          type: "transition",
          at: (at += 1),
          path,
          event: "go",
          from: "A",
          to: "B",
          cause: "ünïcode"
        })
      )
  }
  const flush = async (): Promise<void> => {
    const batch = journal.take(100_000)
    const last = batch.at(-1)
    if (last === undefined) return
    await Effect.runPromise(store.store(journal.boot, batch))
    journal.settle(last.seq)
  }
  return {
    world,
    journal,
    store,
    record,
    flush,
    recordStored: async (count) => {
      for (let left = count; left > 0; left -= capacity) {
        record(Math.min(left, capacity))
        await flush()
      }
    }
  }
}

const ways = [
  ["WebSocket", watchLive],
  ["server-sent events", watchEvents]
] as const

const enter = async (
  watch: typeof watchLive,
  { world }: Stage,
  query = "",
  headers: Readonly<Record<string, string>> = {}
): Promise<JournalViewer> => {
  const viewer = await watch({ port: world.port, query, headers })
  viewers.push(viewer)
  return viewer
}

describe.each(ways)("a viewer by %s", (_, watch) => {
  it("gets what comes from now on, in order, once", async () => {
    const s = await stage({ capacity: 512 })
    s.record(5)
    const viewer = await enter(watch, s)
    await viewer.until("hello", () => viewer.others("hello").length === 1)
    s.record(300)
    await viewer.until("300 entries", () => viewer.seqs().length >= 300)
    assert.deepStrictEqual([viewer.seqs()[0], viewer.seqs().at(-1), gapIn(viewer.seqs())], [6, 305, null])
    assert.deepInclude(viewer.entries()[0], {
      boot,
      path: "root/x",
      from: "A",
      to: "B",
      cause: "ünïcode",
      guard: null,
      context: null
    })
  })

  it("resumes at random points without a gap, from memory and from the table, while entries come", async () => {
    const seed = 7
    const random = new SeededRandom(seed)
    const s = await stage({ capacity: 128 })
    const seen: Array<number> = []
    let after = 0
    for (let round = 0; round < 12; round += 1) {
      // Sometimes within memory, sometimes far beyond it.
      for (let burst = 0; burst < random.below(6); burst += 1) {
        s.record(1 + random.below(60))
        await s.flush()
      }
      const viewer = await enter(watch, s, `?since=${after}`)
      s.record(random.below(40))
      await viewer.until(
        "something",
        () => viewer.seqs().length > random.below(60) || viewer.seqs().at(-1) === s.journal.head()
      )
      viewer.leave()
      const got = viewer.seqs().filter((seq) => seq > after)
      assert.strictEqual(got[0] ?? after + 1, after + 1, `seed ${seed}, round ${round}`)
      seen.push(...got)
      after = seen.at(-1) ?? after
    }
    assert.isNull(gapIn(seen), `seed ${seed}`)
    assert.isAbove(s.store.pages(), 0, "the table was read")
    assert.isAbove(seen.length, 300)
  })

  it("misses nothing of a burst that went through memory in one turn", async () => {
    const s = await stage({ capacity: 32 })
    const viewer = await enter(watch, s)
    await viewer.until("hello", () => viewer.others("hello").length === 1)
    await s.recordStored(500)
    await viewer.until("the head", () => viewer.seqs().at(-1) === 500)
    assert.deepStrictEqual([viewer.seqs().length, gapIn(viewer.seqs())], [500, null])
    assert.isEmpty(viewer.others("gap"))
  })

  it("resumes over a restart: the former process to its end, then this one from its beginning", async () => {
    const s = await stage({ base: 1_000 })
    for (const seq of [10, 11, 12])
      s.store.rows.push({
        ...journalFact({ type: "alert", at: 1, path: "root", event: "x" }),
        seq,
        boot: former
      })
    s.record(3)
    const viewer = await enter(watch, s, "?since=10")
    await viewer.until("all", () => viewer.seqs().length >= 5)
    assert.deepStrictEqual(viewer.seqs(), [11, 12, 1_001, 1_002, 1_003])
    assert.deepStrictEqual(viewer.others("process"), [{ type: "process", boot, after: 12 }])
    assert.isEmpty(viewer.others("gap"))
  })

  it("is told which entries are nowhere", async () => {
    const s = await stage({ capacity: 16 })
    s.record(10)
    await s.flush()
    // The database is away for longer than memory lasts.
    s.record(40)
    await s.flush()
    s.record(12)
    const viewer = await enter(watch, s, "?since=5")
    await viewer.until("the end", () => viewer.seqs().at(-1) === 62)
    assert.deepStrictEqual(viewer.others("gap"), [{ type: "gap", from: 11, to: 34, reason: "lost" }])
    const expected = [6, 7, 8, 9, 10, ...Array.from({ length: 28 }, (_one, index) => 35 + index)]
    assert.deepStrictEqual(viewer.seqs(), expected)
    assert.strictEqual(s.journal.counts().lost, 24)
  })

  it("is told what retention removed", async () => {
    const s = await stage({ capacity: 8 })
    await s.recordStored(30)
    s.store.rows.splice(0, s.store.rows.length)
    s.record(8)
    await s.flush()
    s.record(4)
    const viewer = await enter(watch, s, "?since=3")
    await viewer.until("the end", () => viewer.seqs().at(-1) === 42)
    assert.deepStrictEqual(viewer.others("gap"), [{ type: "gap", from: 4, to: 30, reason: "removed" }])
    assert.strictEqual(viewer.seqs()[0], 31)
  })

  it("begins with all of this process when its number is of another one", async () => {
    const s = await stage()
    s.record(3)
    const viewer = await enter(watch, s, "?since=999999")
    await viewer.until("all", () => viewer.seqs().length === 3)
    assert.deepStrictEqual(viewer.others("reset"), [{ type: "reset", after: 0 }])
  })

  it("gets what its filter names, and what is below", async () => {
    const s = await stage()
    const viewer = await enter(watch, s, "?path=root/a&type=transition,alert&since=0")
    s.record(1, "root/a")
    s.record(1, "root/ab")
    s.record(1, "root/a/b")
    s.record(1, "root/a#child")
    s.journal.record(journalFact({ type: "order", at: 1, path: "root/a", event: "order.acked" }))
    s.record(1, "root/a")
    await viewer.until("the last", () => viewer.seqs().at(-1) === 6)
    assert.deepStrictEqual(viewer.seqs(), [1, 3, 4, 6])
  })

  it("gets an entry without what JSON cannot write", async () => {
    const s = await stage()
    const viewer = await enter(watch, s)
    await viewer.until("hello", () => viewer.others("hello").length === 1)
    s.journal.record(journalFact({ type: "alert", at: 1, path: "root", event: "x", detail: { big: 1n } }))
    await viewer.until("it", () => viewer.seqs().length === 1)
    assert.deepInclude(viewer.entries()[0], { event: "x", detail: null })
  })

  it("is dropped when it does not read, and loses nothing by it", { timeout: 180_000 }, async () => {
    const s = await stage({ capacity: 2_048 })
    const slow = await enter(watch, s)
    const quick = await enter(watch, s)
    await slow.until("hello", () => slow.others("hello").length === 1)
    await quick.until("hello", () => quick.others("hello").length === 1)
    slow.pause()
    // Kernel buffers take megabytes; memory must move on beyond what they hold.
    for (
      let round = 0;
      round < 400 && s.world.lines.every(({ event }) => event !== "live.viewer_dropped");
      round += 1
    ) {
      s.record(512)
      await s.flush()
      await quick.until("the head", () => quick.seqs().at(-1) === s.journal.head())
      quick.messages.splice(0, quick.messages.length - 1)
    }
    const [line] = s.world.lines.filter(({ event }) => event === "live.viewer_dropped")
    assert.deepInclude(line, { reason: "too_slow", component: "root/http" })
    assert.isBelow(Number(line?.["buffered_bytes"]), liveLimits.bufferedBytesMax + 256 * 1_024)
    slow.resume()
    await slow.until("the end", () => slow.ended() !== undefined)
    const last = slow.seqs().at(-1) ?? 0
    const again = await enter(watch, s, `?since=${last}`)
    await again.until("the head", () => again.seqs().at(-1) === s.journal.head())
    assert.deepStrictEqual([again.seqs()[0], gapIn(again.seqs())], [last + 1, null])
    assert.isEmpty(again.others("gap"))
  })

  it("is refused while there are as many as may be, and taken when one left", async () => {
    const s = await stage()
    const all = await Promise.all(Array.from({ length: liveLimits.viewersMax }, () => enter(watch, s)))
    const refused = await watch({ port: s.world.port }).catch((error: unknown) => error)
    assert.instanceOf(refused, HandshakeRefused)
    assert.strictEqual(refused.status, 503)
    all[0]?.leave()
    await until("room", () => s.world.socket.load().exchanges < liveLimits.viewersMax)
    await enter(watch, s)
  })

  it("needs what the rest of the API needs", async () => {
    const s = await stage({}, { environment: { ADMIN_TOKEN: "k".repeat(40) } })
    const stranger = await watch({ port: s.world.port }).catch((error: unknown) => error)
    assert.strictEqual((stranger as HandshakeRefused).status, 401)
    const wrong = await watch({ port: s.world.port, headers: { authorization: "Bearer no" } }).catch(
      (error: unknown) => error
    )
    assert.strictEqual((wrong as HandshakeRefused).status, 401)
    const query = await watch({ port: s.world.port, query: `?token=${"k".repeat(40)}` }).catch(
      (error: unknown) => error
    )
    assert.strictEqual((query as HandshakeRefused).status, 401)
    const viewer = await enter(watch, s, "", { authorization: `Bearer ${"k".repeat(40)}` })
    await viewer.until("hello", () => viewer.others("hello").length === 1)
  })

  it("refuses a query that it does not know, naming it", async () => {
    const s = await stage()
    for (const query of ["?since=yesterday", "?type=nonsense", "?limit=5&since=1", "?x=1"]) {
      const refused = await watch({ port: s.world.port, query }).catch((error: unknown) => error)
      assert.strictEqual((refused as HandshakeRefused).status, 400, query)
    }
  })

  it("ends when the listener closes", async () => {
    const s = await stage()
    const viewer = await enter(watch, s)
    await viewer.until("hello", () => viewer.others("hello").length === 1)
    const closed = await Effect.runPromise(s.world.socket.close(2_000))
    await viewer.until("the end", () => viewer.ended() !== undefined)
    assert.deepStrictEqual(viewer.others("bye"), [{ type: "bye", reason: "stopping", after: 0 }])
    assert.strictEqual(closed.cut, 0)
  })

  it("costs nothing when nobody looks: capture is on for as long as somebody does", async () => {
    const s = await stage()
    const changes: Array<boolean> = []
    s.journal.onWatched((watched) => changes.push(watched))
    const [one, other] = [await enter(watch, s), await enter(watch, s)]
    one.leave()
    await until("one to be gone", () => s.world.socket.load().exchanges === 1)
    assert.deepStrictEqual(changes, [false, true])
    other.leave()
    await until("both to be gone", () => changes.length === 3)
    assert.deepStrictEqual(changes, [false, true, false])
  })

  it("is ended when the table it must read is away", async () => {
    const s = await stage({ capacity: 8 })
    await s.recordStored(30)
    s.store.setAway(true)
    const viewer = await enter(watch, s, "?since=1")
    await viewer.until("the end", () => viewer.ended() !== undefined)
    assert.deepStrictEqual(viewer.others("bye"), [{ type: "bye", reason: "unavailable", after: 1 }])
    // What is in memory needs no table.
    const recent = await enter(watch, s, "?since=25")
    await recent.until("the rest", () => recent.seqs().length === 5)
  })
})

describe("the WebSocket", () => {
  it("is opened for pages of this service and of listed origins only", async () => {
    const s = await stage({}, { file: { corsOrigins: ["https://desk.example"] } })
    const origin = (value: string) => ({ ...bearer, origin: value })
    const own = await enter(watchLive, s, "", origin(`http://127.0.0.1:${s.world.port}`))
    await own.until("hello", () => own.others("hello").length === 1)
    await enter(watchLive, s, "", origin(`https://127.0.0.1:${s.world.port}`))
    await enter(watchLive, s, "", origin("https://desk.example"))
    for (const foreign of ["https://evil.example", "null", `http://127.0.0.1:${s.world.port}.evil.example`]) {
      const refused = await watchLive({ port: s.world.port, headers: origin(foreign) }).catch(
        (error: unknown) => error
      )
      assert.strictEqual((refused as HandshakeRefused).status, 403, foreign)
      assert.include((refused as HandshakeRefused).body, "headers.origin")
    }
  })

  it("answers a ping and ignores what it does not know", async () => {
    const s = await stage()
    const viewer = await enter(watchLive, s)
    for (const text of ["nonsense", "[]", "null", `{"type":"ping"}`]) viewer.say(text)
    await viewer.until("a pong", () => viewer.others("pong").length === 1)
    s.record(1)
    await viewer.until("an entry", () => viewer.seqs().length === 1)
  })

  it("gives a sign of life every two seconds, so that nothing for five is the end of a line", async () => {
    const s = await stage()
    const viewer = await enter(watchLive, s)
    const tookMs = stopwatch()
    await viewer.until("two signs of life", () => viewer.others("heartbeat").length >= 2)
    assert.isBelow(tookMs(), 6_000)
    assert.deepInclude(viewer.others("hello")[0], { heartbeat_ms: 2_000 })
    assert.deepInclude(viewer.others("heartbeat")[1], { head: s.journal.head() })
  })

  it("ends a viewer that sends more than a ping can be", async () => {
    const s = await stage()
    const viewer = await enter(watchLive, s)
    viewer.say("x".repeat(liveLimits.frameBytesMax + 1))
    await viewer.until("the end", () => viewer.ended() !== undefined)
    assert.strictEqual(viewer.ended()?.code, 1009)
  })

  it("is asked for by its name: without the upgrade it is 426, with a broken one 400", async () => {
    const s = await stage()
    const plain = await s.world.send("GET", "/api/v1/live")
    assert.deepStrictEqual([plain.status, plain.headers["upgrade"]], [426, "websocket"])
    const broken = await s.world.raw(
      `GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:${s.world.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n\r\n`
    )
    assert.match(broken, /^HTTP\/1\.1 400 /)
    assert.include(broken, "headers.sec-websocket-key")
    const elsewhere = await s.world.raw(
      `GET /health HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
      300
    )
    assert.match(elsewhere, /^HTTP\/1\.1 200 /)
  })
})

describe("the list of the journal", () => {
  it("is newest first without `since` and oldest first with it, over memory and table", async () => {
    const s = await stage({ capacity: 16 })
    await s.recordStored(40)
    const walk = async (query: string): Promise<ReadonlyArray<number>> => {
      const seqs: Array<number> = []
      let cursor: string | null = null
      do {
        const from: string = cursor === null ? "" : `&cursor=${cursor}`
        const { body, status } = await s.world.send("GET", `/api/v1/events?limit=7${query}${from}`)
        assert.strictEqual(status, 200)
        seqs.push(...body.items.map(({ seq }) => Number(seq)))
        cursor = body.next_cursor
      } while (cursor !== null)
      return seqs
    }
    const all = Array.from({ length: 40 }, (_one, index) => index + 1)
    assert.deepStrictEqual(await walk(""), all.toReversed())
    assert.deepStrictEqual(await walk("&since=0"), all)
    assert.deepStrictEqual(await walk("&since=30"), all.slice(30))
    assert.deepStrictEqual(await walk("&since=2026-01-01T00:00:00.011Z"), all.slice(10))
    assert.deepStrictEqual(await walk("&path=root/y"), [])
  })

  it("shows what memory has while the database is away", async () => {
    const s = await stage({ capacity: 16 })
    s.record(40)
    s.store.setAway(true)
    const recent = await s.world.send("GET", "/api/v1/events?limit=50")
    assert.deepStrictEqual([recent.status, recent.body.items.length], [200, 16])
    const older = await s.world.send("GET", "/api/v1/events?since=1")
    assert.strictEqual(older.status, 503)
  })

  it("refuses a cursor, a type or an instant that it does not know", async () => {
    const s = await stage()
    for (const query of ["cursor=x", "type=x", "since=x", "limit=0"])
      assert.strictEqual((await s.world.send("GET", `/api/v1/events?${query}`)).status, 400, query)
  })
})

describe("the statecharts", () => {
  it("are served as they are drawn", async () => {
    const s = await stage()
    const list = await s.world.send("GET", "/api/v1/machines")
    assert.include(
      list.body.items.map(({ name }) => name),
      "journal"
    )
    const { body } = await s.world.send("GET", "/api/v1/machines/paper-venue")
    const states = body["states"] as ReadonlyArray<{
      readonly id: string
      readonly description: string | null
    }>
    assert.isAbove(states.length, 3)
    assert.isTrue(states.every(({ description, id }) => id === "" || description !== null))
    assert.strictEqual((await s.world.send("GET", "/api/v1/machines/nothing")).status, 404)
  })
})
