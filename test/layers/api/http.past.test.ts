/** A moment of the past over HTTP: from memory, from the table, from a picture of a former process, and where nothing tells. */
import { Effect } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { nothingKnown } from "../../../src/domain/health/past.ts"
import { journalFact, type JournalFact } from "../../../src/domain/platform/journal.ts"
import type { KeptPicture } from "../../../src/layers/health/pictures.port.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"
import { makeMemoryJournalStore } from "../../support/journal-store.memory.ts"
import { type Reply, startWorld, type World } from "./http-world.ts"

const boot = "c0000000-0000-4000-8000-000000000000"
const former = "a0000000-0000-4000-8000-000000000000"
const base = 1_000
const t0 = Date.parse("2026-01-01T00:00:00Z")

let world: World
afterEach(() => world.dispose())

const kept: KeptPicture = {
  after: 10,
  number: 12,
  picture: { ...nothingKnown(former, t0), orders: [], positions: [] }
}
const position = { quantity: "2", average_price: "9", realised_pnl: "0" }
const filled = (at: number): JournalFact =>
  journalFact({
    type: "order",
    at,
    path: "root/trading/accounts/a",
    event: "order.fill",
    to: "filled",
    detail: {
      order_id: "o",
      account: "a",
      symbol: "S",
      side: "buy",
      quantity: "2",
      filled_quantity: "2",
      position
    }
  })
const moved = (at: number, to: string): JournalFact =>
  journalFact({ type: "transition", at, path: "root/x", event: "go", from: "?", to, incarnation: 1 })

const stage = async (isPictured = true, held: KeptPicture = kept) => {
  const journal = makeJournal(boot, base, 4)
  const journalStore = makeMemoryJournalStore()
  world = await startWorld({
    journal,
    journalStore,
    pictures: {
      before: (number) => Effect.succeed(isPictured && number >= held.number ? held : null)
    }
  })
  const flush = async () => {
    await Effect.runPromise(journalStore.store(boot, journal.take(100)))
    journal.settle(journal.head())
  }
  const at = (moment: string): Promise<Reply> =>
    world.send("GET", `/api/v1/past?at=${encodeURIComponent(moment)}`)
  return { journal, journalStore, flush, at }
}
const stateOf = ({ body }: Reply): unknown =>
  (body["components"] as ReadonlyArray<Record<string, unknown>>)[0]?.["state"]

describe("a moment of the past", () => {
  it("is folded from the picture of a former process, the table and memory, up to the entry and no further", async () => {
    const { at, flush, journal, journalStore } = await stage()
    await Effect.runPromise(
      journalStore.store(former, [
        { ...moved(t0 + 1, "Old"), seq: 11 },
        { ...filled(t0 + 2), seq: 13 }
      ])
    )
    for (let index = 1; index <= 6; index += 1) {
      journal.record(moved(t0 + 1_000 * index, `S${index}`))
      await flush()
    }
    const inFormer = await at("13")
    assert.deepInclude(inFormer.body, { seq: 13, boot: former, missing: 1, folded: 2 })
    assert.strictEqual(stateOf(inFormer), "Old")
    const then = await at(String(base + 1))
    assert.strictEqual(stateOf(then), "S1")
    assert.deepStrictEqual(then.body["positions"], [{ account: "a", symbol: "S", ...position }])
    assert.strictEqual(stateOf(await at(String(base + 6))), "S6")
    // Of an instant: the last entry that is not younger.
    const instant = await at("2026-01-01T00:00:02.500Z")
    assert.deepInclude(instant.body, { seq: base + 2 })
    assert.strictEqual(stateOf(instant), "S2")
    journalStore.setAway(true)
    assert.strictEqual(
      (await at(String(base + 6))).status,
      503,
      "its picture needs entries that only the table has"
    )
  })

  it("is told from the beginning of the journal where no picture was kept, and says what it does not know", async () => {
    const { at, journal, journalStore } = await stage(false)
    await Effect.runPromise(journalStore.store(former, [{ ...moved(t0 - 1, "Of before"), seq: 7 }]))
    assert.strictEqual(stateOf(await at("7")), "Of before")
    journal.record(moved(t0, "First"))
    const reply = await at(String(base + 1))
    assert.strictEqual(stateOf(reply), "First")
    assert.deepInclude(reply.body, { orders: null, positions: null, health: null })
  })

  it("is the picture itself at the entry at which it was taken", async () => {
    const { at, journalStore } = await stage(true, { ...kept, after: 12 })
    await Effect.runPromise(journalStore.store(former, [{ ...filled(t0 + 2), seq: 13 }]))
    const then = await at("12")
    assert.strictEqual(then.status, 200, then.text)
    assert.deepInclude(then.body, { seq: 12, boot: former, folded: 0, positions: [] })
    assert.deepInclude((await at("13")).body, { seq: 13, folded: 1 })
  })

  it("is 404 before anything that is kept, and 400 where it is no moment", async () => {
    const { at } = await stage()
    assert.strictEqual((await at("5")).status, 404)
    assert.strictEqual((await at("2020-01-01T00:00:00Z")).status, 404)
    assert.strictEqual((await at("yesterday")).status, 400)
    assert.strictEqual((await world.send("GET", "/api/v1/past")).status, 400)
  })
})
