/** What is shown of components: their errors and details repeat peers, and a peer may repeat what it was given. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ComponentRow, HealthFacts } from "../../../src/domain/health/health.ts"
import { makeMask } from "../../../src/domain/kernel/redaction.ts"
import {
  type ActorRow,
  makeHealthSource,
  maskedHealth
} from "../../../src/layers/health/health-source.port.ts"

const row: ComponentRow = {
  path: "root/feeds/feed:hunter22",
  type: "worker",
  phase: "running",
  state: "BackingOff",
  ready: false,
  readiness: "optional",
  tags: [],
  since: 0,
  restarts: 0,
  lastError: "cannot reach ws://u:p@h/?token=t: hunter22 is wrong",
  detail: { url: "ws://h/?token=t", close_reason: "hunter22?", deep: [{ said: "hunter22" }], attempt: 2 }
}
const actor: ActorRow = {
  ...row,
  machine: "feed",
  incarnation: 1,
  budget: { used: 0, max: 1, withinMs: 1 },
  mailbox: null,
  nextAt: null
}

const trader = { id: "paper-1", canTrade: true, reason: null }
const facts: HealthFacts = {
  nowMs: 0,
  version: "1",
  commit: "c",
  mode: "PRACTICE",
  stopping: false,
  startup: { step: "ready", n: 1, of: 1, sinceMs: 0, done: true },
  database: "ready",
  spool: "none",
  spooled: 0,
  tradingState: "ACTIVE",
  queue: null,
  takesPosts: true,
  trades: false,
  accounts: [],
  breakers: [],
  unprotected: [],
  canary: null,
  switchedOff: [],
  calendars: [],
  linkage: null,
  components: [row]
}

const plain = makeHealthSource({
  facts: () => facts,
  ping: () => Effect.void,
  actors: () => [actor],
  timers: () => [],
  handEvents: () => [],
  send: () => Effect.void,
  control: () => Effect.succeed({ unprotected: [] })
})

describe("health as it is shown", () => {
  const source = maskedHealth(plain, makeMask(["hunter22"]))
  it("keeps secrets out of errors and details, and paths and states as they are", () => {
    for (const shown of [
      Object.entries(source.health().document.components)[0],
      source.actors().map((it) => [it.path, it])[0]
    ]) {
      const [path, component] = shown ?? []
      assert.strictEqual(path, row.path)
      const text = JSON.stringify({ ...Object(component), path: "" })
      assert.notMatch(text, /hunter22|u:p|token=t/)
      assert.include(text, "BackingOff")
      assert.include(text, '"attempt":2')
    }
  })
  it("is the source itself in everything else", () => {
    const { components: _masked, ...shown } = source.health().document
    const { components: _plain, ...whole } = plain.health().document
    assert.deepStrictEqual(shown, whole)
  })
})

describe("a change of the status", () => {
  it("is told once, in both directions, with what it was before", () => {
    let database: "ready" | "away" = "ready"
    const told: Array<unknown> = []
    const source = makeHealthSource({
      facts: () => ({ ...facts, components: [], database, trades: true, accounts: [trader] }),
      ping: () => Effect.void,
      actors: () => [],
      timers: () => [],
      handEvents: () => [],
      send: () => Effect.void,
      control: () => Effect.succeed({ unprotected: [] }),
      changed: (now, before) =>
        told.push([before?.status ?? null, now.status, now.reasons, before?.reasons ?? []])
    })
    const look = (state: "ready" | "away") => {
      database = state
      source.health()
      source.health()
    }
    look("ready")
    look("away")
    look("ready")
    assert.deepStrictEqual(told, [
      [null, "healthy", [], []],
      ["healthy", "unhealthy", ["the database is away"], []],
      ["unhealthy", "healthy", [], ["the database is away"]]
    ])
  })
})

describe("what is told of changes", () => {
  it("is every change of what health says, and none of a figure in it; a change of the status is told apart", () => {
    const now = { ...facts, trades: true, accounts: [trader], components: [] as ReadonlyArray<ComponentRow> }
    let current: HealthFacts = now
    const [turned, changed] = [[] as Array<string>, [] as Array<string>]
    const source = makeHealthSource({
      facts: () => current,
      ping: () => Effect.void,
      actors: () => [],
      timers: () => [],
      handEvents: () => [],
      send: () => Effect.void,
      control: () => Effect.succeed({ unprotected: [] }),
      turned: (document) => turned.push(`${document.status} ${document.trading_state}`),
      changed: ({ status }) => changed.push(status)
    })
    const look = (more: Partial<HealthFacts>): void => {
      current = { ...now, ...more }
      source.health()
    }
    look({})
    look({})
    look({ tradingState: "HALTED" })
    look({ queue: { open: 5, oldestMs: 90_000, expired: 0 } })
    look({ queue: { open: 6, oldestMs: 91_000, expired: 0 } })
    assert.deepStrictEqual(turned, ["healthy ACTIVE", "healthy HALTED", "degraded ACTIVE"])
    assert.deepStrictEqual(changed, ["healthy", "degraded"])
  })
})
