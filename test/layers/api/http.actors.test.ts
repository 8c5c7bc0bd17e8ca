/** One component over HTTP: its timers, its last transitions, its restarts, also while the database is away. */
import { afterEach, assert, describe, it } from "vitest"
import { Effect } from "effect"
import { journalFact, type JournalType } from "../../../src/domain/platform/journal.ts"
import type { ActorRow } from "../../../src/layers/health/health-source.port.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"
import { makeMemoryJournalStore } from "../../support/journal-store.memory.ts"
import { startWorld, type World } from "./http-world.ts"

const boot = "c0000000-0000-4000-8000-000000000000"
const former = "a0000000-0000-4000-8000-000000000000"
const base = 1_000
const dueAt = Date.parse("2026-01-01T00:01:00Z")
const rowOf = (path: string, type: ActorRow["type"]): ActorRow => ({
  path,
  type,
  machine: type === "worker" ? "feed" : null,
  phase: "running",
  state: "BackingOff",
  ready: false,
  readiness: "optional",
  since: dueAt - 60_000,
  incarnation: 3,
  restarts: 2,
  budget: { used: 1, max: 5, withinMs: 60_000 },
  mailbox: null,
  nextAt: null,
  tags: [],
  detail: {}
})

const opened: Array<World> = []
afterEach(async () => {
  for (const world of opened.splice(0)) await world.dispose()
})

const stage = async () => {
  const journal = makeJournal(boot, base, 256)
  const store = makeMemoryJournalStore()
  const fact = (type: JournalType, path: string, event: string) =>
    journalFact({ type, at: dueAt - 1_000, path, event, from: "A", to: "B", cause: `cause of ${event}` })
  // What a former process left in the table.
  await Effect.runPromise(
    store.store(former, [
      { ...fact("restart", "root/feeds/feed:a", "old"), seq: 1 },
      { ...fact("restart", "root/feeds", "group"), seq: 2 }
    ])
  )
  const world = await startWorld({
    journal,
    journalStore: store,
    actors: () => [rowOf("root/feeds", "supervisor"), rowOf("root/feeds/feed:a", "worker")],
    timers: (path) =>
      path === "root/feeds/feed:a"
        ? [{ path, event: "xstate.after.backoff.feed.BackingOff", delayMs: 4_000, dueAt }]
        : []
  })
  opened.push(world)
  for (const [type, path, event] of [
    ["transition", "root/feeds/feed:a", "one"],
    ["transition", "root/feeds/feed:a#inner", "inside"],
    ["transition", "root/feeds/feed:ab", "neighbour"],
    ["restart", "root/feeds/feed:a", "new"]
  ] as const)
    journal.record(fact(type, path, event))
  const get = async (path: string) => {
    const { body, status } = await world.send("GET", `/api/v1/actors/${encodeURIComponent(path)}`)
    const events = (name: string) =>
      (body[name] as ReadonlyArray<{ readonly event: string }>).map(({ event }) => event)
    return { body, status, events }
  }
  return { get, store, world }
}

describe("one component", () => {
  it("has what it waits for, its last transitions, and its restarts of all processes with their causes", async () => {
    const { get } = await stage()
    const { body, events, status } = await get("root/feeds/feed:a")
    assert.strictEqual(status, 200)
    assert.deepInclude(body, { path: "root/feeds/feed:a", machine: "feed", state: "BackingOff", restarts: 2 })
    assert.deepStrictEqual(body["pending_timers"], [
      {
        path: "root/feeds/feed:a",
        event: "xstate.after.backoff.feed.BackingOff",
        delay_ms: 4_000,
        due_at: "2026-01-01T00:01:00.000Z"
      }
    ])
    assert.deepStrictEqual(
      events("last_transitions"),
      ["inside", "one"],
      "newest first, a machine inside of it too"
    )
    assert.deepStrictEqual(events("restart_history"), ["new", "old"])
    assert.deepInclude((body["restart_history"] as ReadonlyArray<object>)[1], {
      cause: "cause of old",
      boot: former
    })
    assert.strictEqual(body["history_complete"], true)
  })

  it("that is a supervisor has its own entries and not those of its children", async () => {
    const { get } = await stage()
    const { body, events } = await get("root/feeds")
    assert.deepStrictEqual(
      [body["pending_timers"], events("last_transitions"), events("restart_history")],
      [[], [], ["group"]]
    )
  })

  it("is shown while the database is away, and says that older entries are missing", async () => {
    const { get, store } = await stage()
    store.setAway(true)
    const { body, events, status } = await get("root/feeds/feed:a")
    assert.deepStrictEqual(
      [status, events("restart_history"), body["history_complete"]],
      [200, ["new"], false]
    )
  })

  it("that does not exist is 404", async () => {
    const { get, world } = await stage()
    assert.strictEqual((await get("root/feeds/feed:b")).status, 404)
    assert.strictEqual(
      (await world.send("GET", "/api/v1/actors/root/feeds")).status,
      404,
      "a path is one segment"
    )
  })
})
