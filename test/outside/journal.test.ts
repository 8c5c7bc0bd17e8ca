/**
 * The journal of a running service, as a console and as curl see it: everything that happens, once, numbered without a gap,
 * through a killed database, a killed process and a stop.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import {
  gapIn,
  type HandshakeRefused,
  type JournalViewer,
  type Message,
  watchEvents,
  watchLive
} from "../support/journal-viewer.ts"
import { alertBody, databaseProcesses, Service } from "./service.ts"

const service = new Service()
beforeAll(() => service.start(), 180_000)
afterAll(() => service.dispose(), 150_000)

const port = (): number => Number(new URL(service.url).port)
const viewers: Array<JournalViewer> = []
afterAll(() => viewers.forEach((viewer) => viewer.leave()))
const enter = async (watch: typeof watchLive, query = "", headers = {}): Promise<JournalViewer> => {
  const viewer = await watch({ port: port(), query, headers: { ...service.bearer(), ...headers } })
  viewers.push(viewer)
  return viewer
}

const ofType = (viewer: JournalViewer, type: string): ReadonlyArray<Message> =>
  viewer.entries().filter((entry) => entry.type === type)
const detailOf = (entry: Message | undefined) =>
  entry?.["detail"] as Readonly<Record<string, unknown>> | undefined
const events = (entries: ReadonlyArray<Message>): ReadonlyArray<unknown> => entries.map(({ event }) => event)

/** Every entry after a number, by the list. */
const listed = async (since: number): Promise<ReadonlyArray<Message>> => {
  const items: Array<Message> = []
  for (let page = ""; ;) {
    const { body, status, text } = await service.get(`/api/v1/events?limit=500&since=${since}${page}`)
    assert.strictEqual(status, 200, text)
    items.push(...(body.items as ReadonlyArray<Message>))
    if (body.next_cursor === null) return items
    page = `&cursor=${body.next_cursor as string}`
  }
}

describe("the journal of a running service", () => {
  it("shows a signal become a filled order, the transitions that made it, and what they did", async () => {
    const live = await enter(watchLive)
    const stream = await enter(watchEvents)
    await live.until("hello", () => live.others("hello").length === 1)
    const { body } = await service.post("/webhook", alertBody())
    const mine = (viewer: JournalViewer) =>
      ofType(viewer, "order").filter((entry) => entry["correlation_id"] === body.signal_id)
    await live.until("the fill", () => mine(live).some(({ event }) => event === "order.fill"))
    const steps = events(mine(live))
    assert.deepStrictEqual(steps.slice(0, 2), ["order.intended", "order.submitted"])
    const filled = mine(live).find(({ to }) => to === "filled")
    assert.deepInclude(detailOf(filled), { account: "paper-1", symbol: "SPY", side: "buy", quantity: "1" })
    assert.isTrue(ofType(live, "transition").some(({ path }) => path === "root/trading/accounts/paper-1"))
    await live.until("an action", () =>
      ofType(live, "transition").some(({ actions }) => Array.isArray(actions) && actions.length > 0)
    )
    await live.until("a context", () => ofType(live, "transition").some(({ context }) => context !== null))
    assert.isFalse(JSON.stringify(live.messages).includes(service.bearer()["authorization"]?.slice(7) ?? "?"))
    await stream.until("the same", () => mine(stream).some(({ event }) => event === "order.fill"))
    assert.deepStrictEqual(events(mine(stream)).slice(0, 2), steps.slice(0, 2))
    for (const viewer of [live, stream]) assert.isNull(gapIn(viewer.seqs()))
    live.leave()
    stream.leave()
  })

  it("shows restarts, alerts and health changes, and the list agrees with the stream", async () => {
    const live = await enter(watchLive)
    await live.until("hello", () => live.others("hello").length === 1)
    await service.post(`/api/v1/actors/${encodeURIComponent("root/trading/exits")}/restart`, {})
    await live.until("the restart", () =>
      ofType(live, "restart").some(
        ({ event, path }) => path === "root/trading/exits" && event === "component.restarted"
      )
    )
    await service.post("/api/v1/trading-state", { state: "HALTED", reason: "to be seen" })
    await live.until("the alert", () =>
      ofType(live, "alert").some((entry) => detailOf(entry)?.["kind"] === "trading_state.changed")
    )
    await service.post("/api/v1/trading-state", { state: "ACTIVE", reason: "seen" })
    // A start that is slow is degraded for reasons of its own, and the pause would be no change.
    await waitUntil(
      () => `health to be well${service.tail()}`,
      async () => ((await service.get("/health")).body.status === "healthy" ? true : undefined)
    )
    const pause = encodeURIComponent("root/operators/retention")
    await service.post(`/api/v1/actors/${pause}/pause`, {})
    await live.until("the change of health", () => ofType(live, "health").some(({ to }) => to === "degraded"))
    await service.post(`/api/v1/actors/${pause}/resume`, {})
    await live.until("the end of it", () => ofType(live, "health").some(({ to }) => to === "healthy"))
    const [first, last] = [live.seqs()[0] ?? 0, live.seqs().at(-1) ?? 0]
    live.leave()
    const rows = (await listed(first - 1)).filter(({ seq }) => (seq ?? 0) <= last)
    assert.deepStrictEqual(rows, live.entries())
    const newest = await service.get("/api/v1/events?limit=1&type=health")
    assert.strictEqual((newest.body.items as ReadonlyArray<Message>)[0]?.type, "health")
  })

  it("loses nothing while the database is killed, to no viewer and in no table", async () => {
    const live = await enter(watchLive)
    await live.until("hello", () => live.others("hello").length === 1)
    const [postmaster] = databaseProcesses(service.dataDir)
    assert.isDefined(postmaster)
    process.kill(postmaster ?? 0, "SIGKILL")
    await live.until("the outage", () =>
      ofType(live, "transition").some(
        ({ path, to }) => path === "root/journal" && to === "WaitingForDatabase"
      )
    )
    await service.trading()
    const seen = live.seqs().at(-1) ?? 0
    const journal = async () => (await service.get("/health")).body.components["root/journal"]?.detail
    await waitUntil(
      () => "the journal to be stored",
      async () => (Number((await journal())?.["waiting"]) < 20 ? true : undefined)
    )
    assert.strictEqual((await journal())?.["lost"], 0)
    const from = live.seqs()[0] ?? 0
    const rows = (await listed(from - 1)).filter(({ seq }) => (seq ?? 0) <= seen)
    assert.deepStrictEqual([rows.length, gapIn(rows.map(({ seq }) => seq ?? 0))], [seen - from + 1, null])
    assert.isNull(gapIn(live.seqs()))
    live.leave()
  })

  it(
    "goes on over a kill: a viewer gets the rest of the former process, and all of the next",
    { timeout: 120_000 },
    async () => {
      const before = await enter(watchEvents)
      await before.until("a few", () => before.seqs().length > 20)
      before.leave()
      const last = before.seqs()[10] ?? 0
      const boot = before.entries()[0]?.["boot"]
      await service.post("/webhook", alertBody())
      // What a kill may cost is what was not stored yet, half a second of it.
      await waitUntil(
        () => "a table beyond the viewer",
        async () => {
          const { stored, recorded } =
            (await service.get("/health")).body.components["root/journal"]?.detail ?? {}
          return Number(recorded) - Number(stored) < 5 ? true : undefined
        }
      )
      await service.kill()
      await service.start()
      const after = await enter(watchEvents, "", { "last-event-id": String(last) })
      await after.until("the next process", () => after.entries().some((entry) => entry["boot"] !== boot))
      await after.until("its orders", () => after.seqs().length > 100)
      const former = after.entries().filter((entry) => entry["boot"] === boot)
      const next = after.entries().filter((entry) => entry["boot"] !== boot)
      assert.strictEqual(former[0]?.seq, last + 1)
      assert.isAtLeast(former.length, 5, "what was not stored yet is all that a kill may take")
      for (const part of [former, next]) assert.isNull(gapIn(part.map(({ seq }) => seq ?? 0)))
      assert.deepInclude(next[0], { type: "component", event: "component.starting", path: "root/http" })
      assert.strictEqual(after.others("process").length, 1)
      assert.isEmpty(after.others("gap"))
      after.leave()
    }
  )

  it("tells of any moment what was then, also of a process that was killed", async () => {
    const { signal_id } = (await service.post("/webhook", alertBody({ symbol: "AAPL" }))).body
    const isFill = (entry: Message): boolean =>
      entry.event === "order.fill" && entry["correlation_id"] === signal_id
    const entries = await waitUntil(
      () => `the fill in the journal${service.tail()}`,
      async () => {
        const all = await listed(0)
        return all.some(isFill) ? all : undefined
      }
    )
    const past = async (seq: unknown) => {
      const { body, status, text } = await service.get(`/api/v1/past?at=${String(seq)}`)
      assert.strictEqual(status, 200, text)
      return body
    }
    const fill = entries.find(isFill)
    if (fill === undefined) return assert.fail("it was waited for")
    const [then, before] = [await past(fill.seq), await past(Number(fill.seq) - 1)]
    const position = detailOf(fill)?.["position"] as object
    const held = (at: Readonly<Record<string, unknown>>) =>
      (at["positions"] as ReadonlyArray<Record<string, unknown>>).filter(({ symbol }) => symbol === "AAPL")
    assert.deepStrictEqual(held(then), [{ account: "paper-1", symbol: "AAPL", ...position }])
    assert.deepStrictEqual(held(before), [])
    const orders = before["orders"] as ReadonlyArray<Record<string, unknown>>
    assert.include(
      orders.map(({ id }) => id),
      detailOf(fill)?.["order_id"]
    )
    const moves = entries.filter(
      ({ path, to, type }) => type === "transition" && to !== null && !String(path).includes("#")
    )
    assert.isAbove(new Set(moves.map(({ boot }) => boot)).size, 1, "two processes")
    for (let index = 0; index < moves.length; index += Math.ceil(moves.length / 12)) {
      const entry = moves[index]
      const body = await past(entry?.seq)
      const part = (body["components"] as ReadonlyArray<Record<string, unknown>>).find(
        ({ path }) => path === entry?.["path"]
      )
      assert.deepInclude(body, { seq: entry?.seq, boot: entry?.["boot"] })
      assert.strictEqual(part?.["state"], entry?.["to"], `${String(entry?.seq)} ${String(entry?.["path"])}`)
    }
    const judged = entries.filter(({ type }) => type === "health")
    const worse = judged.find(({ from, to }) => from === "healthy" && to === "degraded")
    assert.deepInclude((await past(worse?.seq))["health"], { status: "degraded", ready: true })
    assert.deepInclude((await past(Number(worse?.seq) - 1))["health"], { status: "healthy", ready: true })
  })

  it("is for callers who may read, and is no door for pages of others", async () => {
    const foreign = await watchLive({
      port: port(),
      headers: { ...service.bearer(), origin: "https://evil.example" }
    }).catch((error: unknown) => error)
    assert.strictEqual((foreign as HandshakeRefused).status, 403)
    const proxied = await watchLive({ port: port(), headers: { "x-forwarded-for": "192.0.2.1" } }).catch(
      (error: unknown) => error
    )
    assert.strictEqual((proxied as HandshakeRefused).status, 401)
    const login = await service.post("/api/v1/session", {})
    const cookie = String(login.headers["set-cookie"]).split(";")[0] ?? ""
    const page = await watchLive({
      port: port(),
      headers: {
        cookie,
        origin: service.url,
        "sec-fetch-site": "same-origin",
        "x-forwarded-for": "192.0.2.1"
      }
    })
    await page.until("hello", () => page.others("hello").length === 1)
    page.leave()
  })

  it("does not hold up a stop, and says that it comes", async () => {
    const [live, stream] = [await enter(watchLive), await enter(watchEvents)]
    await stream.until("something", () => stream.seqs().length > 0)
    const stopped = await service.stop()
    assert.strictEqual(stopped.code, 0, service.tail())
    await live.until("the end", () => live.ended() !== undefined)
    assert.deepStrictEqual([live.ended()?.code, live.others("bye").length], [1001, 1])
    assert.strictEqual(stream.others("bye").length, 1)
    assert.isTrue(
      ofType(live, "transition").some(({ path, to }) => path === "root/http" && to === "Serving.Draining"),
      "the stop is seen"
    )
  })
})
