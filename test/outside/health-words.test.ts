/** T2 on a running service: every account that does not trade shows why, and unauthenticated callers learn no names. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { Service } from "./service.ts"

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-words-"))
const config = path.join(folder, "holdfast.json")
const token = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const paper = { broker: "desk", startingCash: "100000" }
writeFileSync(
  config,
  JSON.stringify({
    accounts: { "acct-night": { ...paper, calendar: "XNYS" }, "acct-always": paper },
    brokers: { desk: { kind: "paper" } },
    sources: {},
    strategies: { s: { sources: ["default"], accounts: ["acct-night", "acct-always"] } }
  })
)
const service = new Service({
  env: { HOLDFAST_CONFIG: config, APP_MODE: "PAPER", HMAC_SECRET: `${token}h`, ADMIN_TOKEN: token }
})
const headers = { authorization: `Bearer ${token}` }
const full = async () => (await service.get("/health", { headers })).body
beforeAll(async () => {
  service.spawn()
  await service.ready()
  await waitUntil(
    () => `a healthy start${service.tail()}`,
    async () => ((await full()).status === "healthy" ? true : undefined)
  )
}, 180_000)
afterAll(async () => {
  await service.dispose()
  rmSync(folder, { recursive: true, force: true })
}, 150_000)

/** Sessions of New York lie between 13:30 and 21:00 UTC of a weekday; outside of that it is closed for sure. */
const surelyClosed = (at: Date): boolean =>
  [0, 6].includes(at.getUTCDay()) || at.getUTCHours() < 13 || at.getUTCHours() >= 21

const halt = async (state: string): Promise<void> => {
  const body = { state, reason: "to read what is reported" }
  assert.strictEqual((await service.post("/api/v1/trading-state", body, { headers })).status, 200)
}

describe("an account that does not trade", () => {
  it("says until when its market is closed, while the service is healthy", async () => {
    const { accounts, can_trade, status } = await full()
    assert.deepStrictEqual(
      [status, can_trade, accounts["acct-always"]],
      ["healthy", true, { can_trade: true, reason: null }]
    )
    const night = accounts["acct-night"] as { readonly can_trade: boolean; readonly reason: string | null }
    if (surelyClosed(new Date())) assert.isFalse(night.can_trade)
    assert.strictEqual(night.can_trade, night.reason === null)
    if (night.reason !== null) {
      const until = /^market closed until (\S+Z)$/.exec(night.reason)?.[1] ?? ""
      assert.isAbove(Date.parse(until), Date.now())
    }
  })

  it("says that trading is halted", async () => {
    await halt("HALTED")
    const { accounts, can_trade, halted, status } = await waitUntil("health to say it", async () => {
      const seen = await full()
      return seen.halted === true ? seen : undefined
    })
    assert.deepStrictEqual([status, can_trade, halted], ["healthy", false, true])
    assert.deepStrictEqual(accounts["acct-always"], {
      can_trade: false,
      reason: "the trading state is HALTED"
    })
    await halt("ACTIVE")
    await waitUntil("health to say it", async () => ((await full()).can_trade === true ? true : undefined))
  })
})

describe("health outside of practice, without the token", () => {
  it("says how it stands, and no name of an account", async () => {
    for (const target of ["/health", "/health/ready", "/health/live"]) {
      const { status, text } = await service.get(target)
      assert.strictEqual(status, 200, target)
      assert.notInclude(text, "acct-", target)
    }
    const { body } = await service.get("/health")
    assert.deepStrictEqual(body, { status: "healthy", ready: true, can_trade: true, reasons: [] })
  })
})
