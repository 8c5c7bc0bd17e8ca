/**
 * The console in a real browser, on a real service: what an operator sees is what the service does.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Page } from "@playwright/test"
import { openBrowser, type TestBrowser } from "./browser.ts"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, Service } from "../outside/service.ts"

const service = new Service()
let token: string
let browser: TestBrowser
let page: Page
let faults: Array<string>
beforeAll(async () => {
  ;[browser] = await Promise.all([openBrowser(), service.start()])
  token = service.bearer()["authorization"]?.replace("Bearer ", "") ?? ""
  ;({ page, faults } = await browser.open())
}, 300_000)
afterAll(async () => {
  // Where it did not even start, that is what the run has to report.
  await (browser as TestBrowser | undefined)?.close()
  await service.dispose()
}, 60_000)

const go = (hash: string) => page.goto(`${service.url}/console/#/${hash}`)
const visible = async (text: string | RegExp): Promise<void> => {
  await page.locator("main").getByText(text).first().waitFor({ timeout: 15_000 })
}
const link = (kind: string) => page.locator(`[data-link="${kind}"]`)

const PAGES = [
  "",
  "tree",
  "machine/root%2Ffeeds%2Ffeed%3Adefault",
  "signals",
  "sources",
  "orders",
  "fills",
  "latency",
  "accounts",
  "accounts/paper-1",
  "waves",
  "journal",
  "replay",
  "dead-letters",
  "refused",
  "alerts",
  "audit",
  "database",
  "settings"
]

describe("the console", () => {
  it("logs in by the token of its address, which does not stay there", async () => {
    await page.goto(`${service.url}/console/#token=${token}`)
    await page.getByRole("button", { name: "Log out" }).waitFor({ timeout: 20_000 })
    assert.notInclude(page.url(), token)
    assert.notInclude(
      await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie])),
      token
    )
  })

  it("shows a signal from its post to its fill, with every check and its numbers", async () => {
    const { body } = await service.post("/webhook", alertBody({ symbol: "AAPL" }))
    await service.settled(String(body.signal_id))
    await go("signals")
    await page.locator(`a[href="#/signals/${body.signal_id}"]`).click()
    await visible("Decision")
    await visible("✓ passed")
    // [G3] The sentences are the service's own, whoever shows them.
    const [answer = ""] = (await service.get(`/api/v1/signals/${body.signal_id}/why`)).text.split("\n")
    await visible(answer)
    await page.locator("main a[href^='#/orders/']").click()
    await page.locator('[data-state="Filled"][data-active="true"]').waitFor({ timeout: 15_000 })
    await go("")
    await visible("AAPL")
  })

  it("tells what would be made of an alert text, and stores nothing", async () => {
    await go("sources")
    await page
      .getByLabel("Body, as the sender sends it")
      .fill('{"symbol": "KO", "action": "buy", "timeframe": "5m"}')
    await page.getByRole("button", { name: "Try it" }).click()
    await visible("400 INVALID")
    await visible("timestamp: is required")
    await page.getByRole("button", { name: "Sample" }).click()
    await page.getByRole("button", { name: "Try it" }).click()
    await visible("201 ACCEPTED")
    await visible("decided by default")
  })

  it("makes decisions again, and shows what changed settings would have made of them", async () => {
    const { body } = await service.post("/webhook", alertBody({ symbol: "MSFT", quantity: "2" }))
    await service.settled(String(body.signal_id))
    await go("replay")
    await page.getByLabel("from").fill(new Date(Date.now() - 3_600_000).toISOString())
    await page.getByLabel("to", { exact: true }).fill(new Date(Date.now() + 60_000).toISOString())
    await page.getByRole("button", { name: "Replay" }).click()
    await visible(/0 differ/)
    await page.getByLabel(/changed settings/).fill('{ "risk": { "quantityMax": "1" } }')
    await page.getByRole("button", { name: "Replay" }).click()
    await visible(/1 differ/)
    await visible("(quantity)")
    await page.locator(`main a[href="#/signals/${body.signal_id}"]`).waitFor({ timeout: 15_000 })
  })

  it("shows each machine in the state that the service reports", async () => {
    const rows = await service.list("actors")
    let drawn = 0
    for (const { machine, path } of rows) {
      if (machine === null) continue
      await go(`machine/${encodeURIComponent(String(path))}`)
      await page.locator("[data-current-state]").waitFor({ timeout: 15_000 })
      if (await page.getByText("It has no statechart of its own.").isVisible()) continue
      const regionsOf = (name: unknown): ReadonlyArray<string> => String(name).split("+")
      // A machine may move while it is looked at: it counts where the service reports one state before and after the page was read.
      await waitUntil(`${String(path)} to be drawn as it is`, async () => {
        const stateNow = async () =>
          (await service.list("actors")).find((row) => row["path"] === path)?.["state"]
        const before = await stateNow()
        const lit = await page
          .locator('[data-active="true"]')
          .evaluateAll((all) => all.map((one) => one.getAttribute("data-state") ?? ""))
        if (lit.length === 0 || (await stateNow()) !== before) return undefined
        // Every region of it, and nothing that is not around one.
        const leaves = lit.filter((id) => !lit.some((other) => other.startsWith(`${id}.`)))
        const all = regionsOf(before).every((region) =>
          lit.some((id) => id === region || id.endsWith(`.${region}`))
        )
        return all && (regionsOf(before).length === 1 || leaves.length === regionsOf(before).length)
          ? true
          : undefined
      })
      drawn += 1
    }
    assert.isAbove(drawn, 12, "so many components have a chart")
  }, 120_000)

  it("gives a command only after it named its scope and its consequence, and once", async () => {
    await go("")
    await page.getByRole("button", { name: "Stop…" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByText("HALTED only what an operator closes").waitFor()
    assert.strictEqual(await dialog.locator("[data-scope]").textContent(), "global")
    await dialog.getByLabel("reason (required)").fill("a test stops trading")
    await dialog.getByRole("button", { name: "Yes, do it" }).click()
    await dialog.getByText("trading_state.set: done").waitFor()
    await dialog.getByRole("button", { name: "Close" }).click()
    await page.getByText("trading HALTED").waitFor({ timeout: 10_000 })
    assert.isTrue(await page.getByRole("button", { name: "Stop…" }).isDisabled())
    const rows = await service.list("audit", "command=trading_state.set")
    assert.deepStrictEqual(
      rows.map((row) => [row["result"], row["means"], row["reason"]]),
      [["accepted", "session", "a test stops trading"]]
    )
    await page.getByRole("button", { name: "Resume (global)…" }).click()
    await dialog.getByLabel("reason (required)").fill("the test is over")
    await dialog.getByRole("button", { name: "Yes, do it" }).click()
    await dialog.getByRole("button", { name: "Close" }).click()
    await page.getByText("trading ACTIVE").waitFor({ timeout: 10_000 })
  }, 60_000)

  it("gives a command again after a refusal, as another decision", async () => {
    await go("machine/root%2Ftrading%2Fexits")
    await page.getByRole("button", { name: "Pause…" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByRole("button", { name: "Yes, do it" }).click()
    await dialog.getByRole("alert").waitFor()
    assert.match((await dialog.getByRole("alert").textContent()) ?? "", /unprotected/)
    await dialog.getByLabel("confirm").selectOption("unprotected")
    await dialog.getByRole("button", { name: "Yes, do it" }).click()
    await dialog.getByText("component.pause: done").waitFor()
    await dialog.getByRole("button", { name: "Close" }).click()
    await page.getByRole("button", { name: "Resume…" }).click()
    await dialog.getByRole("button", { name: "Yes, do it" }).click()
    await dialog.getByText("component.resume: done").waitFor()
    await dialog.getByRole("button", { name: "Close" }).click()
  }, 60_000)

  it("takes a token that comes into the address of an open page", async () => {
    await page.evaluate((given) => {
      location.hash = `#token=${given}`
    }, token)
    await waitUntil("the token to be taken out", () =>
      Promise.resolve(page.url().includes(token) ? undefined : true)
    )
    await page.getByRole("button", { name: "Log out" }).waitFor()
  })

  const bar = () => page.getByRole("group", { name: "Time travel" })
  /** The entries that the page holds begin with one of these. */
  const travelTo = async (seq: number): Promise<void> => {
    const slider = bar().getByRole("slider")
    await waitUntil("entries of the journal", async () => (await slider.isEnabled()) || undefined)
    let [low, high] = [0, Number(await slider.getAttribute("max"))]
    for (;;) {
      const middle = Math.floor((low + high) / 2)
      await slider.fill(String(middle))
      const shown = await waitUntil("the moment to be shown", async () => {
        const named = /entry (\d+)/.exec((await slider.getAttribute("aria-valuetext")) ?? "")?.[1]
        return named !== undefined && named === (await bar().getAttribute("data-moment"))
          ? Number(named)
          : undefined
      })
      if (shown === seq) return
      assert.isBelow(low, high, `entry ${seq} is not among those held`)
      if (shown < seq) low = middle + 1
      else high = middle
    }
  }
  /** All entries of a filter, oldest first. */
  const told = async (query: string): Promise<ReadonlyArray<Record<string, unknown>>> =>
    (await service.list("events", `limit=500&${query}`)).toReversed()
  const seqOf = (entry: Record<string, unknown> | undefined): number => Number(entry?.["seq"])

  it("goes back in time: tree, chart, orders, positions and health are as they were, and controls are off", async () => {
    const { body } = await service.post("/webhook", alertBody({ symbol: "NVDA" }))
    await service.settled(String(body.signal_id))
    const steps = (await told("type=order")).filter(({ correlation_id }) => correlation_id === body.signal_id)
    const fill = steps.find(({ event }) => event === "order.fill")
    const sent = steps.find(({ event }) => event === "order.submitted")
    const detail = fill?.["detail"] as Record<string, unknown> | undefined
    const orderId = String(detail?.["order_id"])
    await page.reload()
    await go("accounts")
    const held = page.getByRole("region", { name: "Positions" }).locator("tr", { hasText: "NVDA" })
    await held.waitFor({ timeout: 15_000 })
    await travelTo(seqOf(fill))
    await link("replay").waitFor()
    await held.waitFor()
    assert.isTrue(await held.getByRole("button", { name: "Close…" }).isDisabled())
    await bar().getByRole("button", { name: "One entry back" }).click()
    await held.waitFor({ state: "detached" })
    await go("orders")
    await travelTo(seqOf(sent))
    await page.locator(`[data-order="${orderId}"] [data-status]`, { hasText: "submitting" }).waitFor()
    await go(`orders/${orderId}`)
    await page.locator('[data-state="Submitting"][data-active="true"]').waitFor({ timeout: 15_000 })
    await travelTo(seqOf(fill))
    await page.locator('[data-state="Filled"][data-active="true"]').waitFor()
    const account = (await told("type=transition&path=root/trading/accounts/paper-1")).findLast(
      ({ from, seq, to }) => from !== to && Number(seq) <= seqOf(fill)
    )
    await go("tree")
    await travelTo(seqOf(account))
    const shown = page.locator('[data-path="root/trading/accounts/paper-1"] [data-state]')
    assert.strictEqual(await shown.textContent(), account?.["to"])
    await bar().getByRole("button", { name: "One entry back" }).click()
    await waitUntil("the state before", async () =>
      (await shown.textContent()) === account?.["from"] ? true : undefined
    )
    const halted = (await told("type=health")).find(
      ({ detail }) => (detail as Record<string, unknown>)["trading_state"] === "HALTED"
    )
    await travelTo(seqOf(halted))
    await page.getByText("trading HALTED").waitFor()
    assert.isTrue(await page.getByRole("button", { name: "Stop…" }).isDisabled())
    await bar().getByRole("button", { name: "One entry back" }).click()
    await page.getByText("trading ACTIVE").waitFor()
    await go("machine/root%2Ffeeds%2Ffeed%3Adefault")
    assert.isTrue(await page.getByRole("button", { name: "Restart…" }).isDisabled())
    await bar().getByRole("button", { name: "Back to live" }).click()
    await link("live").waitFor()
    assert.isTrue(await page.getByRole("button", { name: "Restart…" }).isEnabled())
  }, 120_000)

  it("fetches what is older than the entries it began with", async () => {
    const all = await waitUntil(
      "more entries than a page begins with",
      async () => {
        const entries = await told("")
        return entries.length > 520 ? entries : undefined
      },
      60_000
    )
    const oldest = seqOf(all[0])
    await go("tree")
    await page.reload()
    const earlier = bar().getByRole("button", { name: "Earlier" })
    const slider = bar().getByRole("slider")
    await waitUntil("entries of the journal", async () => (await slider.isEnabled()) || undefined)
    while (await earlier.isVisible()) {
      const before = Number(await slider.getAttribute("max"))
      await earlier.click()
      await waitUntil("older entries", async () =>
        Number(await slider.getAttribute("max")) >= before + 50 || !(await earlier.isVisible())
          ? true
          : undefined
      )
    }
    await travelTo(oldest)
    await page.locator('[data-path="root/http"] [data-state]', { hasText: "starting" }).waitFor()
    await bar().getByRole("button", { name: "Back to live" }).click()
  }, 120_000)

  it.each(["dark", "light"])(
    "is free of faults of access on every page, in the %s theme",
    async (theme) => {
      await page.evaluate((name) => localStorage.setItem("theme", name), theme)
      await page.reload()
      const found: Array<string> = []
      for (const name of PAGES) {
        await go(name)
        await page.locator("main h1").first().waitFor({ timeout: 15_000 })
        found.push(...(await browser.accessibilityFaults(page)).map((fault) => `#/${name} ${fault}`))
      }
      assert.deepStrictEqual(found, [])
    },
    180_000
  )

  it("can be used by keys alone", async () => {
    await go("")
    await page.keyboard.press("Control+k")
    await page.getByRole("combobox").fill("feed:default")
    await page.keyboard.press("Enter")
    await page.locator("h1", { hasText: "feed:default" }).waitFor()
    await page.keyboard.press("g")
    await page.keyboard.press("o")
    await page.locator("h1", { hasText: "Orders" }).waitFor()
    await page.keyboard.press("?")
    await page.getByRole("dialog").getByText("dark or light").waitFor()
    await page.keyboard.press("Escape")
  })

  it("fits a phone", async () => {
    await page.setViewportSize({ width: 390, height: 800 })
    for (const name of ["", "tree", "signals", "accounts"]) {
      await go(name)
      await page.locator("main h1").first().waitFor()
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      assert.isAtMost(over, 1, `#/${name} is ${over} px wider than a phone`)
    }
    await page.setViewportSize({ width: 1_400, height: 900 })
  })

  it("names itself stale when the service is gone, and is live again without a reload", async () => {
    await go("tree")
    await link("live").waitFor()
    const { port } = new URL(service.url)
    await service.kill()
    await link("stale").waitFor({ timeout: 15_000 })
    await service.start({ PORT: port })
    await link("live").waitFor({ timeout: 60_000 })
    // Its session was in the memory of the process that died: whoever gives a command logs in again.
    await page.getByRole("button", { name: "Stop…" }).click()
    await page.getByLabel("Control token").fill(token)
    await page.getByRole("button", { name: "Log in" }).click()
    await page.getByRole("dialog").getByText("HALTED only what an operator closes").waitFor()
    await page.keyboard.press("Escape")
  }, 150_000)

  it("wrote no error and asked no other host", () => {
    assert.deepStrictEqual(faults, [])
  })
})
