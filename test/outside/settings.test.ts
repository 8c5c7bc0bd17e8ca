/** G11: accounts, brokers and feeds that come and go while the service trades. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { type Answer, waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-settings-"))
let world: World
/** Of the venue that the world has outside of the service. */
let practice: Readonly<Record<string, unknown>>

const paper = (broker: string) => ({ broker, startingCash: "1000000000" })
const plain = () => ({
  brokers: { practice },
  accounts: { "paper-1": paper("practice") },
  sources: { fresh: {} },
  strategies: { default: { sources: ["default", "wave"], accounts: ["paper-1"] } },
  feeds: { default: {} }
})
/** One account more, on a broker of its own that this service runs, and one feed more. */
const grown = () => ({
  ...plain(),
  brokers: { practice, second: { kind: "paper" } },
  accounts: { "paper-1": paper("practice"), fresh: paper("second") },
  strategies: { ...plain().strategies, fresh: { sources: ["fresh"], accounts: ["fresh"] } },
  feeds: { default: {}, extra: {} }
})

beforeAll(async () => {
  world = await World.open({
    database: "external",
    nodeFlags: ["--require", path.join(projectRoot, "test/support/fault-hook.cjs")],
    env: { FAULT_ORDER: path.join(folder, "order") }
  })
  practice = { kind: "paper", url: world.broker.url, rule: "U" }
  world.configure(plain())
  await world.service.start()
}, 150_000)
afterAll(async () => {
  await world.dispose()
  rmSync(folder, { recursive: true, force: true })
}, 150_000)

const reload = (settings: Readonly<Record<string, unknown>>): Promise<Answer> => {
  world.configure(settings)
  return world.service.post("/api/v1/settings/reload", { reason: "the test" })
}

const health = async () => (await world.service.get("/health")).body

const mayTrade = (account: string) =>
  waitUntil(
    () => `${account} to trade${world.service.tail()}`,
    async () => ((await health()).accounts[account]?.can_trade === true ? true : undefined)
  )

/** An alert to the source of the new account, until its order has settled. */
const trade = async (symbol: string): Promise<Answer["body"]> => {
  const { service } = world
  const taken = await service.post("/webhook/fresh", alertBody({ symbol, quantity: 1 }))
  assert.strictEqual(taken.status, 201, taken.text)
  return await service.settled(String(taken.body.signal_id))
}

const closeAll = async (): Promise<void> => {
  const { service } = world
  const flattened = await service.post("/api/v1/accounts/fresh/flatten", { reason: "the test" })
  assert.strictEqual(flattened.status, 202, flattened.text)
}

/** Reloads until the account holds nothing any more: its close has to fill, and its fills to be counted. */
const reloadWhenFlat = (settings: Readonly<Record<string, unknown>>): Promise<Answer> => {
  let last = ""
  return waitUntil(
    () => `the account to go; last ${last}${world.service.tail()}`,
    async () => {
      const answer = await reload(settings)
      last = answer.text
      return answer.status === 200 ? answer : undefined
    }
  )
}

const below = async (prefix: string) =>
  Object.keys((await health()).components).filter((name) => name.includes(prefix))

const OF_THE_GROWN = [
  "root/feeds/signal-server:extra",
  "root/feeds/feed:extra",
  "root/feeds/waves:extra",
  "root/trading/paper-venue:second",
  "root/trading/brokers/second",
  "root/trading/accounts/fresh"
]

describe("G11 a running service", () => {
  it("gets an account, its broker and a feed, trades on them, and names what keeps them from going", async () => {
    const { service } = world
    const lives = service.lives
    const added = await reload(grown())
    assert.strictEqual(added.status, 200, added.text)
    assert.deepStrictEqual(added.body.applied, ["strategies", "accounts", "brokers", "feeds"])
    assert.deepStrictEqual(added.body.components, {
      added: OF_THE_GROWN,
      removed: [],
      restarted: [],
      failed: []
    })
    await mayTrade("fresh")
    await waitUntil("the feed to be live", async () =>
      (await health()).components["root/feeds/feed:extra"]?.state === "Live" ? true : undefined
    )
    assert.include((await service.get("/metrics")).text, 'feed="extra"')
    const trace = await trade("SPY")
    assert.deepInclude(trace.orders[0], { account: "fresh", venue: "second", status: "filled" })
    assert.strictEqual(trace.decision.settings_version, added.body.version)
    const change = await waitUntil("the settings to be stored", async () => {
      const { body } = await service.get(`/api/v1/settings/changes?version=${added.body.version}`)
      return body.items[0]
    })
    assert.deepInclude(change, { by: "api:127.0.0.1", changed: added.body.applied })
    assert.deepInclude(change.settings.accounts.fresh, { broker: "second" })

    // A limit of the same file shows that nothing of a refused one is applied.
    const refused = await reload({ ...plain(), risk: { quantityMax: "0.5" } })
    assert.strictEqual(refused.status, 409, refused.text)
    const errors = refused.body.errors as ReadonlyArray<{ path: string; message: string }>
    // What its strategy holds is a reason of its own.
    assert.includeMembers(
      errors.map(({ path }) => path),
      ["strategies.fresh"]
    )
    const alone = await reload({
      ...plain(),
      strategies: { ...plain().strategies, fresh: { sources: ["fresh"], accounts: ["paper-1"] } },
      risk: { quantityMax: "0.5" }
    })
    assert.strictEqual(alone.status, 409, alone.text)
    assert.deepStrictEqual(alone.body.errors, [
      { path: "accounts.fresh", message: "cannot be removed: it has a position in SPY" }
    ])
    assert.includeMembers(await below(""), OF_THE_GROWN)
    assert.deepInclude((await trade("QQQ")).orders[0], { status: "filled" })

    const lonely = await reload({ ...grown(), brokers: { practice } })
    assert.strictEqual(lonely.status, 409, lonely.text)
    assert.deepInclude(lonely.body.errors[0], { path: "accounts.fresh.broker" })

    await closeAll()
    const removed = await reloadWhenFlat(plain())
    assert.deepStrictEqual(removed.body.components, {
      added: [],
      removed: OF_THE_GROWN.toReversed(),
      restarted: [],
      failed: []
    })
    const there = await below("")
    for (const name of OF_THE_GROWN) assert.notInclude(there, name)
    assert.hasAllKeys((await health()).accounts, ["paper-1"])
    assert.notInclude((await service.get("/metrics")).text, 'feed="extra"')
    const row = (await service.list("accounts")).find(({ id }) => id === "fresh")
    assert.isString(row?.["retired_at"], "its row stays, with its fills")
    assert.isNull(row?.["owner"])

    const back = await service.post("/api/v1/settings/back", { reason: "it was needed" })
    assert.deepInclude(back.body, { version: added.body.version }, back.text)
    await mayTrade("fresh")
    assert.deepInclude((await trade("IWM")).orders[0], { account: "fresh", status: "filled" })
    assert.isNull((await service.list("accounts")).find(({ id }) => id === "fresh")?.["retired_at"])
    await waitUntil(
      () => `health to be well${service.tail()}`,
      async () => ((await health()).status === "healthy" ? true : undefined)
    )
    assert.strictEqual(service.lives, lives)
    assert.deepStrictEqual(await service.restarts(), {})
  }, 240_000)

  it("disables an account and enables it again: no entry in between, and its close goes through", async () => {
    const { service } = world
    assert.deepInclude((await trade("XLF")).orders[0], { status: "filled" })
    const closed = {
      ...grown(),
      accounts: { ...grown().accounts, fresh: { ...paper("second"), enabled: false } }
    }
    const disabled = await reload(closed)
    assert.strictEqual(disabled.status, 200, disabled.text)
    assert.deepStrictEqual(disabled.body.components, { added: [], removed: [], restarted: [], failed: [] })
    const told = await waitUntil("health to say it", async () => {
      const { accounts, can_trade: canTrade } = await health()
      return accounts.fresh?.can_trade === false ? { ...accounts, canTrade } : undefined
    })
    assert.deepInclude(told.fresh, { reason: "accounts.fresh.enabled is false" })
    assert.isTrue(told.canTrade, "the other one may")
    assert.isFalse((await service.list("accounts")).find(({ id }) => id === "fresh")?.["enabled"])
    assert.deepInclude((await trade("XLE")).orders[0], { status: "denied", reason: "account_disabled" })
    await closeAll()
    await waitUntil("the account to be flat", async () => {
      const open = await service.list("positions", "account=fresh")
      return open.every(({ quantity }: Row) => quantity === "0") ? true : undefined
    })
    assert.strictEqual((await reload(grown())).status, 200)
    await mayTrade("fresh")
    assert.deepInclude((await trade("XLE")).orders[0], { status: "filled" })
  }, 240_000)

  it("that is killed in the middle of a reload has one of the two settings, whole", async () => {
    const { service } = world
    await closeAll()
    await reloadWhenFlat({ ...grown(), risk: { quantityMax: "7" } })
    const killAt = async (point: string, settings: Readonly<Record<string, unknown>>): Promise<void> => {
      await waitUntil("the account to be flat", async () => {
        const open = await service.list("positions", "account=fresh")
        return open.every(({ quantity }: Row) => quantity === "0") ? true : undefined
      })
      await waitUntil(
        () => `the reload to be let through${service.tail()}`,
        async () => {
          writeFileSync(path.join(folder, "order"), `${point} settings SIGKILL`)
          const answer = await reload(settings).catch(() => null)
          return answer === null ? true : undefined
        }
      )
      await service.exited
    }
    // The file that was read is there at the next start: the new settings, whole.
    await killAt("settings-booked", plain())
    service.spawn()
    await service.trading()
    assert.hasAllKeys((await health()).accounts, ["paper-1"])
    assert.lengthOf(await below("fresh"), 0)
    assert.strictEqual((await reload(grown())).status, 200)
    await mayTrade("fresh")
    assert.deepInclude((await trade("DIA")).orders[0], { account: "fresh", status: "filled" })
    await closeAll()
    // Somebody puts the file back: the settings before, whole, although the rows had let the account go.
    await killAt("settings-assigned", plain())
    world.configure(grown())
    service.spawn()
    await service.trading()
    await mayTrade("fresh")
    assert.deepInclude((await trade("XLF")).orders[0], { account: "fresh", status: "filled" })
    assert.includeMembers(await below(""), OF_THE_GROWN)
  }, 300_000)

  it("switches features off and on by flags, without a restart", async () => {
    const { service } = world
    const lives = service.lives
    const flag = async (scope: string, name: string) => {
      const { body } = await service.get("/api/v1/flags")
      const rows: ReadonlyArray<Readonly<Record<string, unknown>>> = body.items
      return rows.find((row) => row["scope"] === scope && row["flag"] === name)
    }
    const replay = { from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:01:00Z" }
    const unknown = await reload({ ...grown(), flags: { accounts: { nobody: { paper: false } } } })
    assert.include(unknown.text, "flags.accounts.nobody")
    const given = { features: { replay: false, canary: false }, accounts: { "paper-1": { paper: false } } }
    const off = await reload({ ...grown(), flags: given })
    assert.strictEqual(off.status, 200, off.text)
    assert.include(off.body.applied, "flags")
    assert.strictEqual((await service.post("/api/v1/replay", replay)).body.reason, "switched_off")
    const missed = "the canary is switched off: no signal shows that the whole path works"
    assert.include((await health()).reasons, missed)
    const { version } = off.body
    const stored = await waitUntil("the version to be stored", async () => {
      const row = await flag("global", "replay")
      return row?.["settings_version"] === version ? row : undefined
    })
    assert.deepInclude(stored, { on: false, set: true })
    assert.deepInclude(await flag("account:paper-1", "paper"), { on: false, settings_version: version })
    assert.deepInclude(await flag("global", "shadow"), { on: true, set: false })
    const on = await reload(grown())
    assert.strictEqual(on.status, 200, on.text)
    assert.strictEqual((await service.post("/api/v1/replay", replay)).status, 202)
    assert.notInclude((await health()).reasons, missed)
    assert.strictEqual(service.lives, lives)
  }, 120_000)
})
