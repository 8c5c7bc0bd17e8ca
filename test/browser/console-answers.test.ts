/**
 * What the console says where answers are late, missing, or more than it reads: nothing that is not so.
 */
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "vitest"
import type { Page, Route } from "@playwright/test"
import { waitUntil } from "../support/exchange.ts"
import { Service } from "../outside/service.ts"
import { openBrowser, type TestBrowser } from "./browser.ts"

const service = new Service()
let token: string
let browser: TestBrowser
let page: Page
beforeAll(async () => {
  ;[browser] = await Promise.all([openBrowser(), service.start()])
  token = service.bearer()["authorization"]?.replace("Bearer ", "") ?? ""
  ;({ page } = await browser.open())
  await page.goto(`${service.url}/console/#token=${token}`)
  await page.getByRole("button", { name: "Log out" }).waitFor({ timeout: 60_000 })
}, 300_000)
beforeEach(() => page.unrouteAll({ behavior: "ignoreErrors" }))
afterAll(async () => {
  // Where one of them did not even start, that is what the run has to report.
  await (browser as TestBrowser | undefined)?.close()
  await service.dispose()
}, 150_000)

const go = (hash: string) => page.goto(`${service.url}/console/#/${hash}`)
const answer =
  (json: unknown, status = 200) =>
  (route: Route) =>
    route.fulfill({ status, contentType: "application/json", body: JSON.stringify(json) })
const main = () => page.locator("main")

describe("a page of the console", () => {
  it.each(["", "accounts"])(
    "says on #/%s that it is flat only where it has read every position",
    async (hash) => {
      await go("tree")
      await page.route("**/api/v1/positions?*", answer({ items: [], next_cursor: "more" }))
      await go(hash)
      await main().getByText("Not all of them are known.").waitFor({ timeout: 60_000 })
      assert.strictEqual(await main().getByText("Flat.").count(), 0)
      await page.unrouteAll({ behavior: "ignoreErrors" })
      await main().getByText("Flat.").waitFor({ timeout: 60_000 })
    }
  )

  it("names on every page rows that could not be read again", async () => {
    await go("tree")
    const old = page.locator("[data-rows='old']")
    await page.locator("[data-link='live']").waitFor({ timeout: 60_000 })
    assert.strictEqual(await old.count(), 0)
    await page.route("**/api/v1/waves?*", answer({ status: "SERVICE_UNAVAILABLE" }, 503))
    for (const hash of ["tree", "journal", "settings"]) {
      await go(hash)
      await old.getByText(/rows are of \d\d:\d\d:\d\d UTC/).waitFor({ timeout: 60_000 })
    }
    await page.unrouteAll({ behavior: "ignoreErrors" })
    await old.waitFor({ state: "detached", timeout: 60_000 })
  })

  it("says of when its rows are once somebody has paged on, and follows again when asked to", async () => {
    const rows = Array.from({ length: 100 }, (_, n) => ({ id: `row-${n}`, symbol: "S" }))
    await page.route("**/api/v1/fills?*", (route) => {
      const isNext = route.request().url().includes("cursor=")
      const items = isNext ? rows.map((row) => ({ ...row, id: `${row.id}-b` })) : rows
      return answer({ items, next_cursor: isNext ? null : "b" })(route)
    })
    await go("fills")
    await main().getByRole("button", { name: "More" }).waitFor({ timeout: 60_000 })
    const held = page.locator("[data-held]")
    assert.strictEqual(await held.count(), 0)
    await main().getByRole("button", { name: "More" }).click()
    await held.getByText(/Rows of .* UTC/).waitFor()
    await held.getByRole("button", { name: "Refresh" }).click()
    await held.waitFor({ state: "detached" })
  })

  it("never shows one moment of the past under the name of another", async () => {
    await go("tree")
    const bar = page.getByRole("group", { name: "Time travel" })
    const slider = bar.getByRole("slider")
    await waitUntil("entries of the journal", async () => (await slider.isEnabled()) || undefined)
    await slider.fill(String(Number(await slider.getAttribute("max")) - 1))
    await main().locator("[data-path='root/http']").waitFor({ timeout: 60_000 })
    let release: (() => void) | undefined
    await page.route("**/api/v1/past?*", async (route) => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      await route.continue()
    })
    await slider.fill(String(Math.floor(Number(await slider.getAttribute("max")) / 2)))
    await waitUntil("the moment to be asked for", () => Promise.resolve(release))
    assert.strictEqual(await main().locator("[data-path='root/http']").count(), 0)
    release?.()
    await main().locator("[data-path='root/http']").waitFor({ timeout: 60_000 })
    await page.unrouteAll({ behavior: "ignoreErrors" })
    await bar.getByRole("button", { name: "Back to live" }).click()
  })

  it("gives the focus back to what opened a dialog", async () => {
    await go("")
    const stop = page.getByRole("button", { name: "Stop…" })
    await stop.click()
    await page.getByRole("dialog").getByRole("button", { name: "No" }).click()
    await page.getByRole("dialog").waitFor({ state: "detached" })
    assert.isTrue(await stop.evaluate((button) => button === document.activeElement))
  })

  it.each([
    ["replay", "Replay"],
    ["sources", "Try it"]
  ])("offers on #/%s the login to whoever has no session", async (hash, name) => {
    await go(hash)
    await page.getByRole("button", { name: "Log out" }).click()
    await page.getByRole("button", { name: "Log out" }).waitFor({ state: "detached" })
    // Whoever is on the machine of the service may read without one.
    await main().locator("h1").first().waitFor({ timeout: 60_000 })
    if (hash === "sources")
      await page.getByLabel("Body, as the sender sends it").fill('{"symbol":"SPY","action":"buy"}')
    const attempt = main().getByRole("button", { name, exact: true })
    await attempt.click()
    await page.getByLabel("Control token").fill(token)
    await page.getByRole("button", { name: "Log in" }).click()
    await page.getByRole("button", { name: "Log out" }).waitFor({ timeout: 60_000 })
    await page.getByLabel("Control token").waitFor({ state: "detached" })
    await attempt.click()
    await main()
      .getByText(/ differ|Would be answered/)
      .first()
      .waitFor({ timeout: 60_000 })
  })
})
