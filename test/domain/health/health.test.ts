/** T2, row by row: what is reported while things are away. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"

import {
  type ComponentRow,
  componentRows,
  deriveHealth,
  type Health,
  type HealthFacts,
  type HealthMemory,
  healthMemoryAt
} from "../../../src/domain/health/health.ts"
import { claimLimits } from "../../../src/domain/kernel/limits-signals.ts"

const t0 = Date.UTC(2025, 9, 21, 22, 45)
const row = (path: string, change: Partial<ComponentRow> = {}): ComponentRow => ({
  path,
  type: "worker",
  phase: "running",
  state: "Ready",
  ready: true,
  readiness: "optional",
  tags: ["ready"],
  since: t0,
  restarts: 0,
  detail: {},
  ...change
})
const rows = (...changed: ReadonlyArray<ComponentRow>): ReadonlyArray<ComponentRow> => {
  return [
    row("root", { type: "supervisor" }),
    row("root/http", { readiness: "required", state: "Listening" }),
    row("root/database", { readiness: "required" }),
    row("root/trading/market"),
    row("root/trading/brokers/practice"),
    row("root/feeds/main")
  ].map((known) => changed.find((change) => change.path === known.path) ?? known)
}
const well: HealthFacts = {
  nowMs: t0,
  version: "0.1.0",
  commit: "abc",
  mode: "PRACTICE",
  stopping: false,
  startup: { step: "ready", n: 9, of: 9, sinceMs: t0, done: true },
  database: "ready",
  spool: "none",
  spooled: 0,
  tradingState: "ACTIVE",
  queue: null,
  takesPosts: true,
  trades: true,
  accounts: [
    { id: "paper-1", canTrade: true, reason: null },
    { id: "paper-2", canTrade: true, reason: null }
  ],
  breakers: [],
  unprotected: [],
  canary: null,
  switchedOff: [],
  calendars: [],
  linkage: null,
  components: rows()
}
const memory: HealthMemory = { status: "healthy", sinceMs: t0 - 1_000, started: true }
const health = (change: Partial<HealthFacts>, before: HealthMemory = memory): Health =>
  deriveHealth({ ...well, ...change }, before)
const said = ({ document, intake, httpStatus }: Health) => ({
  ready: document.ready,
  status: document.status,
  can_trade: document.can_trade,
  intake,
  httpStatus
})
const away = rows(
  row("root/database", { readiness: "required", state: "Unreachable", ready: false, tags: ["backingOff"] }),
  row("root/trading/market", { state: "WaitingForDatabase", ready: false, tags: ["degraded"] })
)
const starting: Partial<HealthFacts> = {
  database: "away",
  tradingState: null,
  startup: { step: "database.migrate", n: 3, of: 9, sinceMs: t0, done: false },
  components: rows(
    row("root/database", {
      readiness: "required",
      phase: "starting",
      state: "Starting",
      ready: false,
      tags: ["starting"]
    })
  )
}

describe("T2", () => {
  it("starting, nothing durable yet: not ready, starting, no trading, posts are refused", () => {
    const first = health(starting, healthMemoryAt(t0))
    assert.deepStrictEqual(said(first), {
      ready: false,
      status: "starting",
      can_trade: false,
      intake: "refuse",
      httpStatus: 503
    })
    assert.deepStrictEqual(first.document.startup, {
      step: "database.migrate",
      n: 3,
      of: 9,
      since: new Date(t0).toISOString(),
      done: false
    })
    assert.include(first.document.reasons, "start-up is in step database.migrate")
  })

  it("all well: ready, healthy, trading, posts are stored", () => {
    const all = health({})
    assert.deepStrictEqual(said(all), {
      ready: true,
      status: "healthy",
      can_trade: true,
      intake: "store",
      httpStatus: 200
    })
    assert.deepStrictEqual(all.document.reasons, [])
  })

  it("database away or hung, spool usable: ready, degraded, no trading, posts are spooled", () => {
    assert.deepStrictEqual(said(health({ database: "away", spool: "usable", components: away })), {
      ready: true,
      status: "degraded",
      can_trade: false,
      intake: "spool",
      httpStatus: 200
    })
  })

  it("the database is back, spooled posts are being stored: ready, degraded, trading; with a full spool not ready until they are", () => {
    assert.strictEqual(health({ spool: "failed" }).intake, "store", "no trouble of a database that is well")
    const draining = health({ spool: "usable", spooled: 7 })
    assert.deepStrictEqual(Object.values(said(draining)), [true, "degraded", true, "spool", 200])
    assert.deepStrictEqual(draining.document.reasons, ["spooled posts are being stored"])
    const full = health({ spool: "full", spooled: 7 })
    assert.deepStrictEqual(Object.values(said(full)), [false, "unhealthy", false, "refuse", 503])
    assert.deepStrictEqual(full.document.reasons, [
      "spooled posts have to be stored first",
      "the spool is full"
    ])
  })

  for (const spool of ["full", "failed", "none"] as const) {
    it(`spool full or disk full [spool ${spool}]: not ready, unhealthy, no trading, posts are refused`, () => {
      const now = said(health({ database: "away", spool, components: away }))
      assert.deepStrictEqual(Object.values(now), [false, "unhealthy", false, "refuse", 503])
    })
  }

  it("halted by an operator: ready, healthy with halted shown, no trading, posts are stored", () => {
    const halted = health({ tradingState: "HALTED" })
    assert.deepStrictEqual(said(halted), {
      ready: true,
      status: "healthy",
      can_trade: false,
      intake: "store",
      httpStatus: 200
    })
    assert.deepInclude(halted.document, { halted: true, trading_state: "HALTED" })
    assert.isFalse(health({}).document.halted)
  })

  it("a breaker that a rule opened: ready, degraded, named without the words of its venue", () => {
    const breaker = {
      id: "broker:practice",
      state: "OPEN",
      byRule: true,
      by: "rule:breaker_probe",
      reason: "a probe failed: status 500: paper-1 has 7 SPY",
      sinceMs: t0,
      untilMs: t0 + 30_000
    }
    const opened = health({ breakers: [breaker] })
    assert.deepStrictEqual(said(opened), {
      ready: true,
      status: "degraded",
      can_trade: true,
      intake: "store",
      httpStatus: 200
    })
    assert.deepStrictEqual(opened.document.breakers, {
      "broker:practice": {
        state: "OPEN",
        by: "rule:breaker_probe",
        reason: breaker.reason,
        since: new Date(t0).toISOString(),
        until: new Date(t0 + 30_000).toISOString()
      }
    })
    assert.deepStrictEqual(opened.outline.reasons, ["the circuit breaker broker:practice is OPEN"])
    const byOperator = health({ breakers: [{ ...breaker, byRule: false, by: "api", untilMs: null }] })
    assert.strictEqual(byOperator.document.status, "healthy")
    assert.isNull(byOperator.document.breakers["broker:practice"]?.until)
  })

  it("halted: every account says why it does not trade", () => {
    const why = (change: Partial<HealthFacts>) =>
      Object.values(health(change).document.accounts).map(({ can_trade, reason }) => [can_trade, reason])
    const all = (reason: string) => [
      [false, reason],
      [false, reason]
    ]
    assert.deepStrictEqual(why({ tradingState: "HALTED" }), all("the trading state is HALTED"))
    assert.deepStrictEqual(why({ tradingState: "REDUCING" }), all("the trading state is REDUCING"))
    assert.deepStrictEqual(why({ tradingState: null }), all("the trading state is not known yet"))
    assert.deepStrictEqual(why({ stopping: true }), all("the process is stopping"))
    assert.deepStrictEqual(why({ database: "away", spool: "usable" }), all("the database is away"))
    assert.deepStrictEqual(
      why({ unprotected: ["paper-1/SPY"] }),
      all("the open position paper-1/SPY is not protected")
    )
    assert.deepStrictEqual(why({}), [
      [true, null],
      [true, null]
    ])
  })

  it("degraded and halted: the document says both", () => {
    const feed = row("root/feeds/main", { state: "BackingOff", ready: false })
    const { document } = health({ tradingState: "HALTED", components: rows(feed) })
    assert.deepStrictEqual(document.reasons, ["root/feeds/main is BackingOff", "the trading state is HALTED"])
    const spooled = health({ database: "away", spool: "usable" }).document.reasons
    assert.deepStrictEqual(spooled, ["the database is away, posts are spooled"])
  })

  it("every calendar of an account closed: ready, healthy, no trading of that account, posts are stored", () => {
    const closed = { id: "paper-1", canTrade: false, reason: "market closed until 2025-10-22T13:30:00.000Z" }
    const none = health({ accounts: [closed] })
    assert.deepStrictEqual(said(none), {
      ready: true,
      status: "healthy",
      can_trade: false,
      intake: "store",
      httpStatus: 200
    })
    assert.deepStrictEqual(none.document.accounts, { "paper-1": { can_trade: false, reason: closed.reason } })
    assert.deepStrictEqual(none.document.reasons, [`paper-1: ${closed.reason}`])
    const one = health({ accounts: [closed, { id: "paper-2", canTrade: true, reason: null }] })
    assert.deepInclude(said(one), { status: "healthy", can_trade: true })
  })

  it("reducing: as halted, and shown as what it is", () => {
    const reducing = health({ tradingState: "REDUCING" })
    assert.deepStrictEqual(said(reducing), said(health({ tradingState: "HALTED" })))
    assert.deepInclude(reducing.document, { halted: false, trading_state: "REDUCING" })
  })

  for (const path of ["root/trading/brokers/practice", "root/feeds/main"]) {
    it(`a broker or a feed away [${path}]: ready, degraded, trading per account, posts are stored`, () => {
      const change = {
        components: rows(
          row(path, { state: "BackingOff", ready: false, tags: ["backingOff"], lastError: "closed 1000" })
        )
      }
      const one = health({
        ...change,
        accounts: [
          { id: "paper-1", canTrade: false, reason: "its broker is away" },
          { id: "paper-2", canTrade: true, reason: null }
        ]
      })
      assert.deepStrictEqual(said(one), {
        ready: true,
        status: "degraded",
        can_trade: true,
        intake: "store",
        httpStatus: 200
      })
      assert.deepStrictEqual(one.document.accounts, {
        "paper-1": { can_trade: false, reason: "its broker is away" },
        "paper-2": { can_trade: true, reason: null }
      })
      assert.deepStrictEqual(one.document.reasons, [`${path} is BackingOff`])
      assert.strictEqual(one.document.components[path]?.last_error, "closed 1000")
      const none = health({
        ...change,
        accounts: [{ id: "paper-1", canTrade: false, reason: "its broker is away" }]
      })
      assert.isFalse(none.document.can_trade)
      assert.strictEqual(none.document.status, "degraded")
    })
  }

  it("an open position cannot be protected: ready, unhealthy, no trading, posts are stored", () => {
    const open = health({ unprotected: ["paper-1 SPY"] })
    assert.deepStrictEqual(said(open), {
      ready: true,
      status: "unhealthy",
      can_trade: false,
      intake: "store",
      httpStatus: 503
    })
    assert.include(open.document.reasons[0], "paper-1 SPY")
  })

  it("a parked child that readiness does not need: ready, degraded, trading, posts are stored", () => {
    assert.deepStrictEqual(
      said(
        health({
          components: rows(row("root/feeds/main", { phase: "failed", state: "failed", ready: false }))
        })
      ),
      {
        ready: true,
        status: "degraded",
        can_trade: true,
        intake: "store",
        httpStatus: 200
      }
    )
  })

  it("stopping: not ready, stopping, no trading, posts are refused", () => {
    assert.deepStrictEqual(said(health({ stopping: true })), {
      ready: false,
      status: "stopping",
      can_trade: false,
      intake: "refuse",
      httpStatus: 503
    })
  })

  it("the canary older than three periods: degraded, never 503 by itself", () => {
    const canary = {
      state: "ok",
      stage: null,
      lastOkMs: t0 - 30_000,
      latencyMs: 12,
      periodMs: 10_000,
      watchedSinceMs: t0 - 60_000
    } as const
    assert.strictEqual(health({ canary }).document.status, "healthy")
    assert.deepStrictEqual(health({ canary }).document.canary, {
      state: "ok",
      last_ok: new Date(t0 - 30_000).toISOString(),
      latency_ms: 12,
      stage: null
    })
    assert.deepStrictEqual(said(health({ canary, nowMs: t0 + 1 })), {
      ready: true,
      status: "degraded",
      can_trade: true,
      intake: "store",
      httpStatus: 200
    })
    const never = { ...canary, state: null, lastOkMs: null, latencyMs: null, watchedSinceMs: t0 }
    assert.strictEqual(health({ canary: never, nowMs: t0 + 30_000 }).document.status, "healthy")
    assert.isNull(health({ canary: never }).document.canary, "nothing is claimed before the first has ended")
    assert.strictEqual(health({ canary: never, nowMs: t0 + 30_001 }).document.status, "degraded")
    const late = { ...canary, state: "late", stage: "sent" } as const
    assert.deepInclude(health({ canary: late }).document.canary, { state: "late", stage: "sent" })
    assert.strictEqual(health({ canary: late }).document.status, "healthy", "not before its three periods")
    assert.include(
      health({ canary: late, nowMs: t0 + 1 }).document.reasons,
      "the canary was last seen 30 s ago: its order is not sent"
    )
  })
  it.each(["HALTED", "REDUCING"] as const)(
    "[T9] while trading is %s no canary is missing, however long it lasts",
    (tradingState) => {
      const canary = {
        state: "late",
        stage: "sent",
        lastOkMs: t0 - 900_000,
        latencyMs: 12,
        periodMs: 10_000,
        watchedSinceMs: t0 - 900_000
      } as const
      const { document } = health({ canary, tradingState })
      assert.deepInclude(document.canary, { state: "halted", stage: null })
      assert.strictEqual(document.status, "healthy")
    }
  )
  it("[T9] after a halt a canary is old only three periods after the resume", () => {
    const canary = {
      state: "halted",
      stage: null,
      lastOkMs: t0 - 900_000,
      latencyMs: 12,
      periodMs: 10_000,
      watchedSinceMs: t0
    } as const
    assert.strictEqual(health({ canary, nowMs: t0 + 30_000 }).document.status, "healthy")
    assert.strictEqual(health({ canary, nowMs: t0 + 30_001 }).document.status, "degraded")
  })
})

describe("what a stranger is told", () => {
  it("is how it stands and why, without a name of an account or a symbol", () => {
    const accounts = [
      { id: "paper-1", canTrade: false, reason: "root/trading/accounts/paper-1 is BackingOff" },
      { id: "paper", canTrade: true, reason: null }
    ]
    const { outline } = health({
      accounts,
      unprotected: ["paper-1/BRK.B", "paper-1/SPY"],
      components: rows(row("root/trading/market", { ready: false, state: "BackingOff" })).concat(
        row("root/trading/accounts/paper-1", { ready: false, state: "BackingOff" })
      )
    })
    assert.deepStrictEqual(outline, {
      status: "unhealthy",
      ready: true,
      can_trade: false,
      reasons: [
        "the open position */* is not protected",
        "root/trading/market is BackingOff",
        "root/trading/accounts/* is BackingOff"
      ]
    })
  })

  it("keeps reasons that name nobody, and words that only contain a name", () => {
    const accounts = [{ id: "http", canTrade: false, reason: "held by another process" }]
    assert.deepStrictEqual(health({ accounts }).outline.reasons, ["*: held by another process"])
    const mild = health({ accounts: [], components: rows(row("root/feeds/main", { ready: false })) })
    assert.deepStrictEqual(mild.outline.reasons, mild.document.reasons)
    const inside = [{ id: "feed", canTrade: true, reason: null }]
    const other = health({ accounts: inside, components: rows(row("root/feeds/main", { ready: false })) })
    assert.deepStrictEqual(other.outline.reasons, ["root/feeds/main is Ready"])
  })
})

describe("a process that takes no webhooks", () => {
  it("says so, and is as ready and as healthy as its work", () => {
    const now = health({ takesPosts: false })
    assert.deepInclude(now.document, { ready: true, status: "healthy", can_trade: true })
    assert.deepStrictEqual(
      [now.httpStatus, now.document.reasons],
      [200, ["this process does not have the role http: it takes no webhooks"]]
    )
  })
  it("starts when its work can be done durably, and is unhealthy when it cannot", () => {
    const before = healthMemoryAt(t0)
    assert.strictEqual(health({ takesPosts: false, database: "away" }, before).document.status, "starting")
    assert.isTrue(health({ takesPosts: false }, before).memory.started)
    const away = health({ takesPosts: false, database: "away" }).document
    assert.deepStrictEqual([away.ready, away.status], [false, "unhealthy"])
  })
})

describe("health", () => {
  it("that needs a component which is not ready refuses posts and says which", () => {
    const down = health({
      components: rows(
        row("root/database", {
          readiness: "required",
          phase: "backingOff",
          state: "backingOff",
          ready: false
        })
      )
    })
    assert.deepStrictEqual(said(down), {
      ready: false,
      status: "unhealthy",
      can_trade: false,
      intake: "refuse",
      httpStatus: 503
    })
    assert.include(down.document.reasons, "root/database is backingOff")
  })

  it("does not start over once it was ready: losing the database is unhealthy then, not starting", () => {
    const up = health({}, healthMemoryAt(t0))
    assert.strictEqual(up.document.status, "healthy")
    assert.strictEqual(health({ ...starting, startup: well.startup }, up.memory).document.status, "unhealthy")
  })

  it("is ready as soon as posts can be made durable, while the rest of start-up goes on", () => {
    const early = health(
      { startup: { step: "accounts.reconcile", n: 7, of: 9, sinceMs: t0, done: false } },
      healthMemoryAt(t0)
    )
    assert.deepInclude(said(early), { ready: true, status: "degraded" })
  })

  it("does not trade before the trading state was read", () => {
    assert.isFalse(health({ tradingState: null }).document.can_trade)
  })

  it("is healthy while another process holds its accounts, and says that it trades none itself", () => {
    const elsewhere = { canTrade: false, reason: "held by another process" }
    const components = [
      ...rows(),
      row("root/trading/accounts/paper-1", { state: "Standby", tags: ["ready", "standby"] })
    ]
    const standby = health({ components, accounts: [{ id: "paper-1", ...elsewhere }] })
    assert.deepStrictEqual(said(standby), {
      ready: true,
      status: "healthy",
      can_trade: false,
      intake: "store",
      httpStatus: 200
    })
    assert.deepStrictEqual(standby.document.accounts, {
      "paper-1": { can_trade: false, reason: "held by another process" }
    })
    assert.deepStrictEqual(standby.document.reasons, ["paper-1: held by another process"])
    const shared = health({
      components,
      accounts: [
        { id: "paper-1", ...elsewhere },
        { id: "paper-2", canTrade: true, reason: null }
      ]
    })
    assert.deepInclude(said(shared), { status: "healthy", can_trade: true })
  })

  it("says why nothing trades where there is nothing to trade with", () => {
    const none = health({ accounts: [] })
    assert.deepInclude(said(none), { status: "healthy", can_trade: false })
    assert.deepStrictEqual(none.document.reasons, ["no account is configured"])
    assert.deepStrictEqual(health({ tradingState: "HALTED" }).document.reasons, [
      "the trading state is HALTED"
    ])
    const elsewhere = health({ accounts: [], trades: false })
    assert.deepInclude(said(elsewhere), { status: "healthy", can_trade: false })
    assert.deepStrictEqual(elsewhere.document.reasons, ["this process does not have the role accounts"])
  })

  it("is degraded by a backlog, with the age of the oldest, and takes posts and trades all the same", () => {
    const queue = (change: Partial<NonNullable<HealthFacts["queue"]>>) =>
      health({ queue: { open: 12, oldestMs: 0, expired: 0, ...change } })
    assert.strictEqual(queue({ oldestMs: claimLimits.queueAgeMsMax }).document.status, "healthy")
    const late = queue({ oldestMs: claimLimits.queueAgeMsMax + 73_000 })
    assert.deepStrictEqual(said(late), {
      ready: true,
      status: "degraded",
      can_trade: true,
      intake: "store",
      httpStatus: 200
    })
    assert.deepStrictEqual(late.document.reasons, ["12 signals are undecided, the oldest for 83 s"])
    // Those that are too old are ended within a second, unless there are more than that.
    assert.strictEqual(queue({ expired: claimLimits.expireMax - 1 }).document.status, "healthy")
    assert.deepStrictEqual(queue({ open: 10_000, expired: claimLimits.expireMax }).document.reasons, [
      "10000 or more signals are undecided, the oldest for 0 s; 1000 or more are too old to trade"
    ])
  })

  it("does not count a component that is switched off or ended by design", () => {
    assert.strictEqual(
      health({
        components: rows(row("root/feeds/main", { phase: "stopped", state: "stopped", ready: false }))
      }).document.status,
      "healthy"
    )
  })

  it("counts a supervisor for itself only while it is not running", () => {
    const supervisor = (change: Partial<ComponentRow>): ComponentRow =>
      row("root", { type: "supervisor", ready: false, ...change })
    assert.strictEqual(health({ components: rows(supervisor({})) }).document.status, "healthy")
    assert.strictEqual(
      health({ components: rows(supervisor({ phase: "backingOff" })) }).document.status,
      "degraded"
    )
  })

  it("says since when its status is what it is", () => {
    const degraded = health({ nowMs: t0 + 5_000, components: rows(row("root/feeds/main", { ready: false })) })
    assert.strictEqual(degraded.document.since, new Date(t0 + 5_000).toISOString())
    const still = health(
      { nowMs: t0 + 9_000, components: rows(row("root/feeds/main", { ready: false })) },
      degraded.memory
    )
    assert.strictEqual(still.document.since, new Date(t0 + 5_000).toISOString())
  })

  it("lists every component of a tree, parents first", () => {
    const leaf = { ...row("root/a/b"), children: [] }
    const tree = {
      ...row("root"),
      children: [
        { ...row("root/a"), children: [leaf] },
        { ...row("root/c"), children: [] }
      ]
    }
    assert.deepStrictEqual(
      componentRows(tree).map(({ path }) => path),
      ["root", "root/a", "root/a/b", "root/c"]
    )
  })

  const facts = Arbitrary.schema(
    Schema.Struct({
      stopping: Schema.Boolean,
      database: Schema.Literals(["ready", "away"]),
      spool: Schema.Literals(["none", "usable", "full", "failed"]),
      spooled: Schema.Literals([0, 7]),
      tradingState: Schema.Literals(["ACTIVE", "REDUCING", "HALTED"]),
      takesPosts: Schema.Boolean,
      unprotected: Schema.Array(Schema.String).check(Schema.isMaxLength(1)),
      done: Schema.Boolean,
      started: Schema.Boolean,
      httpReady: Schema.Boolean,
      feedReady: Schema.Boolean,
      canTrade: Schema.Boolean
    })
  )
  it.prop(
    "never contradicts itself, whatever the facts",
    [facts],
    ([{ done, started, httpReady, feedReady, canTrade, ...fact }]) => {
      const now = health(
        {
          ...fact,
          startup: { ...well.startup, done },
          accounts: [{ id: "a", canTrade, reason: null }],
          components: rows(
            row("root/http", { readiness: "required", ready: httpReady }),
            row("root/feeds/main", { ready: feedReady })
          )
        },
        { ...memory, started }
      )
      const { ready, status, can_trade, reasons } = now.document
      assert.strictEqual(ready, now.intake !== "refuse")
      assert.strictEqual(now.httpStatus === 200, status === "healthy" || status === "degraded")
      if (can_trade) assert.isTrue(ready && fact.tradingState === "ACTIVE" && fact.database === "ready")
      if (!ready) assert.isTrue(status === "starting" || status === "unhealthy" || status === "stopping")
      if (status === "healthy") assert.strictEqual(reasons.length === 0, can_trade && fact.takesPosts)
      if (status === "degraded" || status === "unhealthy") assert.isNotEmpty(reasons)
    },
    { arbitrary: { runs: 1_000, seed: 101 } }
  )
})
