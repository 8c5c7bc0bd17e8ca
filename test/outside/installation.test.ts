import { afterEach, assert, describe, it } from "vitest"
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { waitUntil } from "../support/exchange.ts"
import { emptyDatabase } from "../support/postgres.ts"
import { shipped } from "../support/program.ts"
import { alertBody, Service } from "./service.ts"

const cleanups: Array<() => Promise<unknown> | void> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
}, 150_000)

const folder = (): string => {
  const made = mkdtempSync(path.join(tmpdir(), "holdfast-installation-"))
  cleanups.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}
const database = async (): Promise<string> => {
  const scope = Effect.runSync(Scope.make())
  cleanups.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return (await Effect.runPromise(emptyDatabase.pipe(Scope.provide(scope)))).url
}
const make = (
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
  ...args: ReadonlyArray<string>
) => {
  const service = new Service({ dataDir, env, command: [process.execPath, shipped("holdfast"), ...args] })
  cleanups.push(() => service.dispose())
  return service
}

const strong = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
/** A configuration file beside the data; practice settings when nothing is given. */
const settings = (at: string, content: object): Readonly<Record<string, string>> => {
  const file = path.join(at, `holdfast-${Math.random().toString(36).slice(2)}.json`)
  writeFileSync(file, JSON.stringify(content))
  return { HOLDFAST_CONFIG: file }
}
const accounts = (startingCash: string, broker = "practice") => ({
  accounts: { "paper-1": { broker, startingCash } },
  brokers: { practice: { kind: "paper" }, other: { kind: "paper" } },
  strategies: { default: { sources: ["default"], accounts: ["paper-1"] } }
})
const paper = { APP_MODE: "PAPER", HMAC_SECRET: strong, ADMIN_TOKEN: strong }

const refused = async (service: Service, path_: string, text: RegExp): Promise<void> => {
  service.spawn()
  const exit = await service.end(40_000)
  assert.strictEqual(exit.code, 78, service.tail())
  assert.strictEqual(service.lastLine["event"], "fatal")
  assert.strictEqual(service.lastLine["path"], path_)
  assert.match(JSON.stringify(service.lastLine), text)
}

const isLong = process.env["TEST_SIZE"] === "long"

describe("T16 data of another mode", () => {
  it.each(isLong ? (["embedded", "external"] as const) : (["external"] as const))(
    "practice data is refused in PAPER with both ways out, and its reset is one of them [%s database]",
    async (kind) => {
      const at = folder()
      const dataDir = path.join(at, "data")
      const external = kind === "external" ? { DATABASE_URL: await database() } : {}
      const practice = make(dataDir, external)
      await practice.start()
      const { body } = await practice.post("/webhook", alertBody())
      await practice.settled(String(body.signal_id))
      // Another DATA_DIR is no way around a database that is used by practice.
      assert.strictEqual((await practice.stop()).code, 0)
      const inPaper = { ...external, ...paper, ...settings(at, accounts("100000")) }
      const ways = /another DATA_DIR.*npm run reset-practice/
      await refused(make(dataDir, inPaper), "APP_MODE", ways)
      if (kind === "external") await refused(make(path.join(at, "second"), inPaper), "APP_MODE", ways)

      const reset = make(dataDir, inPaper, "--reset-practice")
      reset.spawn()
      assert.strictEqual((await reset.end(40_000)).code, 0, reset.tail())
      assert.lengthOf(reset.events("practice.reset"), 1)

      const service = make(dataDir, inPaper)
      const authorized = { headers: { authorization: `Bearer ${strong}` } }
      service.spawn()
      await service.ready()
      const signals = await service.get("/api/v1/signals", authorized)
      assert.deepStrictEqual(signals.body.items, [])
      assert.strictEqual((await service.stop()).code, 0)

      // Now it is PAPER data: no practice, and no reset.
      await refused(make(dataDir, external), "APP_MODE", /start with APP_MODE=PAPER/)
      await refused(
        make(dataDir, external, "--reset-practice"),
        "root/database",
        /only practice data can be reset/
      )
    },
    300_000
  )

  it("a reset beside a running service is refused and removes nothing", async () => {
    const dataDir = path.join(folder(), "data")
    const service = make(dataDir)
    await service.start()
    const { body } = await service.post("/webhook", alertBody())
    const reset = make(dataDir, {}, "--reset-practice")
    reset.spawn()
    assert.strictEqual((await reset.end(40_000)).code, 69, reset.tail())
    assert.strictEqual((await service.get(`/api/v1/signals/${String(body.signal_id)}`)).status, 200)
  }, 180_000)
})

describe("T16 an account that changed in the settings", () => {
  it("starting cash is a deposit or withdrawal, at the practice venue too; another broker is refused", async () => {
    const at = folder()
    const dataDir = path.join(at, "data")
    const first = make(dataDir, settings(at, accounts("100000")))
    await first.start()
    assert.strictEqual((await first.stop()).code, 0)

    // Less than one share costs: the venue itself refuses, so its cash has followed.
    const poor = make(dataDir, settings(at, accounts("0.01")))
    await poor.start()
    const flows = await poor.list("cash-flows")
    assert.lengthOf(flows, 1)
    assert.include(flows[0], {
      account: "paper-1",
      amount: "-99999.99",
      cash_before: "100000",
      cash_after: "0.01"
    })
    assert.lengthOf(poor.events("account.cash_flow"), 1)
    assert.include((await poor.list("accounts"))[0], { starting_cash: "0.01" })
    const denied = await poor.settled(String((await poor.post("/webhook", alertBody())).body.signal_id))
    assert.strictEqual(denied.orders[0].status, "rejected", JSON.stringify(denied.orders))
    assert.strictEqual((await poor.stop()).code, 0)

    const rich = make(dataDir, settings(at, accounts("200000")))
    await rich.start()
    assert.lengthOf(await rich.list("cash-flows"), 2)
    const filled = await rich.settled(String((await rich.post("/webhook", alertBody())).body.signal_id))
    assert.strictEqual(filled.orders[0].status, "filled")
    assert.strictEqual((await rich.stop()).code, 0)

    await rich.start()
    assert.lengthOf(await rich.list("cash-flows"), 2)
    assert.strictEqual((await rich.stop()).code, 0)
    await refused(
      make(dataDir, settings(at, accounts("200000", "other"))),
      "accounts.paper-1.broker",
      /belongs to the broker practice/
    )
  }, 300_000)
})

describe("T14 a state that is not ACTIVE is logged at the start", () => {
  it("in the start-up log and in the ready line", async () => {
    const service = make(path.join(folder(), "data"))
    await service.start()
    const line = await waitUntil("the line", () => service.events("ready")[0])
    assert.notProperty(line, "trading_state")
    const change = { state: "HALTED", reason: "a look at the book" }
    assert.strictEqual((await service.post("/api/v1/trading-state", change)).status, 200)
    assert.strictEqual((await service.stop()).code, 0)
    service.lines.length = 0
    service.spawn()
    await service.ready()
    await waitUntil("the line", () => (service.events("ready").length > 0 ? true : undefined))
    assert.include(service.events("trading_state.restricted")[0], { scope: "global", ...change })
    const [ready] = service.events("ready")
    assert.match(String(ready?.["msg"]), /status \w+; trading is restricted: global HALTED/)
    assert.deepStrictEqual(ready?.["trading_state"], [{ scope: "global", ...change }])
  }, 180_000)
})
