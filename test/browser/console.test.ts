/**
 * The console in a real browser, on a real service: what an operator sees is what the service does.
 *
 * One browser and one service for all scenes, in the order of a newcomer's first hour; the page is loaded again only where a scene is
 * about that.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { readFileSync } from "node:fs"
import path from "node:path"
import type { Page, Request } from "@playwright/test"
import { randomOf } from "../outside/random.ts"
import { alertBody, type Service } from "../outside/service.ts"
import { waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { ConsoleWorld, PAGES } from "./console-world.ts"
import { childName, CHILDREN, ENTRIES, withManyRows } from "./many-rows.ts"
import { walkConsole } from "./walker.ts"

let world: ConsoleWorld
let service: Service
let page: Page
beforeAll(async () => {
  world = await ConsoleWorld.open()
  ;({ page, service } = world)
}, 300_000)
// Where it did not even start, that is what the run has to report.
afterAll(() => (world as ConsoleWorld | undefined)?.close(), 60_000)

const go = (name: string) => world.go(name)
const visible = (text: string | RegExp) => world.visible(text)
const link = (kind: "live" | "replay" | "stale") => world.link(kind)
/** Gives the command whose dialog is open, and leaves its answer. */
const confirm = async (command: string): Promise<void> => {
  const dialog = page.getByRole("dialog")
  await dialog.getByRole("button", { name: "Yes, do it" }).click()
  await dialog.getByText(`${command}: done`).waitFor()
  await dialog.getByRole("button", { name: "Close" }).click()
}
/** The pictures of docs/console.md: `HOLDFAST_PICTURES=1 npm test -- test/browser` makes them. */
const picture = async (name: string): Promise<void> => {
  if (process.env["HOLDFAST_PICTURES"] === undefined) return
  await page.setViewportSize({ width: 1_180, height: 760 })
  await page.screenshot({ path: path.join(projectRoot, "docs/pictures", `${name}.png`), scale: "css" })
  await page.setViewportSize({ width: 1_400, height: 900 })
}

describe("the console", () => {
  it("logs in by the token of its address, which does not stay there", async () => {
    await world.enter()
    const { token } = world
    assert.notInclude(page.url(), token)
    assert.notInclude(
      await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie])),
      token
    )
  })

  it("loads less than 120 kB of script before its first page stands", async () => {
    const scripts = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .filter((entry): entry is PerformanceResourceTiming => entry instanceof PerformanceResourceTiming)
        .filter(({ name }) => new URL(name).pathname.endsWith(".js"))
        .map(({ encodedBodySize }) => encodedBodySize)
    )
    const bytes = scripts.reduce((sum, size) => sum + size, 0)
    assert.isAbove(bytes, 20_000, "they were counted")
    assert.isBelow(bytes, 120_000)
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
    await page.locator('[data-state="Filled"][data-active="true"]').waitFor({ timeout: 60_000 })
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
    await page.locator(`main a[href="#/signals/${body.signal_id}"]`).waitFor({ timeout: 60_000 })
  })

  it("shows each machine in the state that the service reports", async () => {
    let drawn = 0
    for (const row of await service.list("actors"))
      if (row["machine"] !== null && (await world.drawnAsReported(String(row["path"])))) drawn += 1
    assert.isAbove(drawn, 12, "so many components have a chart")
  }, 240_000)

  it("gives a command only after it named its scope and its consequence, and once", async () => {
    await go("")
    await page.getByRole("button", { name: "Stop…" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByText("HALTED only what an operator closes").waitFor()
    assert.strictEqual(await dialog.locator("[data-scope]").textContent(), "global")
    await dialog.getByLabel("reason (required)").fill("a test stops trading")
    await confirm("trading_state.set")
    await page.getByText("trading HALTED").waitFor({ timeout: 60_000 })
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
    await page.getByText("trading ACTIVE").waitFor({ timeout: 60_000 })
  }, 150_000)

  it("gives a command again after a refusal, as another decision", async () => {
    await go("machine/root/trading/exits")
    await page.getByRole("button", { name: "Pause…" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByRole("button", { name: "Yes, do it" }).click()
    await dialog.getByRole("alert").waitFor()
    assert.match((await dialog.getByRole("alert").textContent()) ?? "", /unprotected/)
    await dialog.getByLabel("confirm").selectOption("unprotected")
    await confirm("component.pause")
    await page.getByRole("button", { name: "Resume…" }).click()
    await confirm("component.resume")
  }, 150_000)

  it("takes a token that comes into the address of an open page", async () => {
    const { token } = world
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
    let at = high
    for (let tries = 0; ; tries += 1) {
      await slider.fill(String(at))
      const shown = await waitUntil("the moment to be shown", async () => {
        const named = /entry (\d+)/.exec((await slider.getAttribute("aria-valuetext")) ?? "")?.[1]
        return named !== undefined && named === (await bar().getAttribute("data-moment"))
          ? Number(named)
          : undefined
      })
      if (shown === seq) return
      assert.isBelow(low, high, `entry ${seq} is not among those held`)
      if (shown < seq) low = at + 1
      else high = at - 1
      // Numbers are consecutive while one process lives, so the first guess is right; halving ends what is not.
      const guess = tries < 3 ? at + seq - shown : Math.floor((low + high) / 2)
      at = Math.min(high, Math.max(low, guess))
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
    assert.isDefined(fill, JSON.stringify(steps))
    const sent = steps.find(({ event }) => event === "order.submitted")
    const detail = fill?.["detail"] as Record<string, unknown> | undefined
    const orderId = String(detail?.["order_id"])
    await page.reload()
    await go("accounts")
    const held = page.getByRole("region", { name: "Positions" }).locator("tr", { hasText: "NVDA" })
    await held.waitFor({ timeout: 60_000 })
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
    await page.locator('[data-state="Submitting"][data-active="true"]').waitFor({ timeout: 60_000 })
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
    await go("machine/root/feeds/feed:default")
    assert.isTrue(await page.getByRole("button", { name: "Restart…" }).isDisabled())
    await bar().getByRole("button", { name: "Back to live" }).click()
    await link("live").waitFor()
    assert.isTrue(await page.getByRole("button", { name: "Restart…" }).isEnabled())
  }, 240_000)

  it("shows feeds as the service reports them, and what is used of the limits on losses", async () => {
    await go("feeds")
    const feed = page.locator('[data-feed="default"]')
    await waitUntil("the state of the feed", async () => {
      const state = await world.stateOf("root/feeds/feed:default")
      return ((await feed.textContent()) ?? "").includes(state) ? true : undefined
    })
    await page.locator('[data-waves="default"]').waitFor()
    await feed.getByRole("link").click()
    await page.getByRole("button", { name: "Restart…" }).click()
    await confirm("component.restart")
    await visible("incarnation 2")
    await page.locator("[data-current-state]", { hasText: "Live" }).waitFor({ timeout: 60_000 })
    await picture("machine")
    const limit = {
      scope: "account:paper-1",
      limit: "dailyLossMax",
      max: "500",
      used: "450",
      measured_at: new Date().toISOString(),
      on_breach: "HALTED",
      tripped: null
    }
    const items = [limit, { ...limit, scope: "account:other" }, { ...limit, scope: "global", used: null }]
    await page.route("**/api/v1/limits", (route) => route.fulfill({ json: { items, next_cursor: null } }))
    await go("accounts/paper-1")
    const limits = page.getByRole("region", { name: "Limits on losses" })
    await limits.getByText("▲ 90 %").waitFor()
    await limits.getByText("not known").waitFor()
    assert.strictEqual(await limits.locator("tbody tr").count(), 2, "those of another account are not shown")
    await page.unroute("**/api/v1/limits")
  })

  it("runs a drill after it named the fault, and shows how far it is", async () => {
    await go("drills")
    await page.getByRole("button", { name: "Run pipeline.restart…" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByText("Run the drill pipeline.restart?").waitFor()
    assert.strictEqual(await dialog.locator("[data-scope]").textContent(), "drill pipeline.restart")
    await confirm("drill.run")
    const watched = page.locator('[data-drill-running="pipeline.restart"]')
    await watched.getByText(/Signals ordered: [1-9] of 9/).waitFor({ timeout: 60_000 })
    assert.isTrue(await page.getByRole("button", { name: "Run feed.cut…" }).isDisabled(), "one at a time")
    await watched.getByText("component.").first().waitFor({ timeout: 60_000 })
    await picture("drill")
  }, 300_000)

  it("asks for a list again by its clock, and not because an answer came", async () => {
    const asked = { fills: 0, health: 0 }
    const count = (request: Request): void => {
      const { pathname } = new URL(request.url())
      if (pathname.endsWith("/api/v1/fills")) asked.fills += 1
      if (pathname.endsWith("/health")) asked.health += 1
    }
    page.on("request", count)
    await go("fills")
    await page.locator("main tr[data-row]").first().waitFor({ timeout: 60_000 })
    // Once a second, while the list is read every three.
    await waitUntil("the page to go on", () => (asked.health >= 4 ? true : undefined))
    page.off("request", count)
    assert.isAtMost(asked.fills, asked.health + 2)
  })

  it("finds a signal by any field of its body", async () => {
    const { body } = await service.post("/webhook", alertBody({ symbol: "KO", note: "needle 42" }))
    await go("signals")
    const search = page.getByLabel("payload")
    const found = page.locator(`main a[href="#/signals/${body.signal_id}"]`)
    for (const searched of ['{"note": "needle 42"}', "NEEDLE"]) {
      await search.fill(searched)
      await waitUntil(`only what holds ${searched}`, async () =>
        (await page.locator("main tr[data-row]").count()) === 1 && (await found.isVisible())
          ? true
          : undefined
      )
    }
    assert.include(page.url(), "payload=NEEDLE")
    await search.fill("no such needle")
    await visible("Nothing matches the filter.")
  })

  it("fetches what is older than the entries it began with", async () => {
    const all = await waitUntil("more entries than a page begins with", async () => {
      const entries = await told("")
      if (entries.length > 520) return entries
      await service.post("/webhook", alertBody({ symbol: "KO" }))
      return undefined
    })
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
  }, 240_000)

  it("is free of faults of access on every page, in both themes", async () => {
    await page.emulateMedia({ reducedMotion: "reduce" })
    const themes = new Set<string | undefined>()
    const found: Array<string> = []
    const judge = async (name: string, rules?: ReadonlyArray<string>): Promise<void> => {
      themes.add(await page.evaluate(() => document.documentElement.dataset["theme"]))
      const faults = await world.browser.accessibilityFaults(page, rules)
      found.push(...faults.map((fault) => `${name} ${fault}`))
    }
    for (const name of PAGES) {
      await go(name)
      await world.read()
      await judge(`#/${name}`)
      // The other theme has the same page in other colours: the next page begins with it.
      await page.getByRole("button", { name: /Change to the (dark|light) theme/ }).click()
      await judge(`#/${name}`, ["color-contrast", "link-in-text-block"])
    }
    await page.getByRole("button", { name: "Stop…" }).click()
    await page.getByRole("dialog").getByText("HALTED only what an operator closes").waitFor()
    await judge("the dialog of a command")
    await page.keyboard.press("Escape")
    await page.emulateMedia({ reducedMotion: null })
    assert.deepStrictEqual(found, [])
    assert.strictEqual(themes.size, 2)
  }, 300_000)

  it("shows the receipt of the drill as the service wrote it", async () => {
    await go("drills")
    const over = page.locator('[data-drill]:not([data-status="running"])')
    await over.waitFor({ timeout: 150_000 })
    const [drill] = await service.list("drills")
    const receipt = drill?.["receipt"] as unknown as Readonly<Record<string, number>>
    assert.strictEqual(await over.getAttribute("data-status"), drill?.["status"])
    const figure = (name: string) =>
      over.locator("dt", { hasText: name }).locator("xpath=following-sibling::dd[1]").locator("strong")
    const names = ["Signals sent", "Ordered once", "Lost", "Traces of the fault"]
    const shown = await Promise.all(names.map((name) => figure(name).textContent()))
    const counted = [receipt["sent"], receipt["ordered_once"], receipt["lost"], receipt["seen"]]
    assert.deepStrictEqual(shown, counted.map(String))
    assert.isAbove(receipt["sent"] ?? 0, 0)
  }, 300_000)

  it("edits the configuration file: completed and checked as it is written, judged, applied, taken back", async () => {
    await go("settings")
    const area = page.getByLabel("Text of the file")
    await area.fill('{ "risk": { "quantit": "7" } }')
    await page.locator('[data-schema="refused"]').waitFor()
    await visible(/risk\.quantit is no key here/)
    await area.evaluate((element: HTMLTextAreaElement) => element.setSelectionRange(20, 20))
    await page.keyboard.press("Control+ ")
    await page.getByRole("option", { name: /"quantityMax"/ }).waitFor()
    await page.keyboard.press("Enter")
    assert.strictEqual(await area.inputValue(), '{ "risk": { "quantityMax": "7" } }')
    await page.locator('[data-schema="fits"]').waitFor()
    await page.getByRole("button", { name: "Check by the service" }).click()
    await page.locator('[data-checked="sound"]').waitFor()
    await visible(/risk\.quantityMax: "\d+" → "7"/)
    await page.getByRole("button", { name: "Apply…" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByText("Changes at once: risk.").waitFor()
    await dialog.getByLabel("reason (required)").fill("a test writes the file")
    await confirm("settings.write")
    assert.include(readFileSync(world.configuration, "utf8"), '"quantityMax": "7"')
    await page
      .locator("main li", { hasText: / by \S+: risk/ })
      .first()
      .waitFor()
    const [row] = await service.list("audit", "command=settings.write")
    assert.deepInclude(row, { result: "accepted", means: "session", reason: "a test writes the file" })
    assert.notInclude(JSON.stringify(row), "quantityMax")
    await page.getByRole("button", { name: "Take the last change back…" }).click()
    await dialog.getByLabel("reason (required)").fill("the test is over")
    await confirm("settings.back")
    assert.strictEqual(readFileSync(world.configuration, "utf8"), "{}\n")
  })

  it("makes a shadow of a strategy, says by whom and why, and lets it trade again", async () => {
    await go("experiments")
    const row = page.locator('[data-strategy="default"]')
    await row.locator('[data-stage="live"]').waitFor()
    await row.getByRole("button", { name: "Demote…" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByText("opens nothing until an operator promotes it").waitFor()
    assert.match((await dialog.locator("[data-scope]").textContent()) ?? "", /strategy default/)
    await dialog.getByText("Its entries are denied in every account").waitFor()
    await dialog.getByLabel("reason (required)").fill("it loses in this test")
    await confirm("strategy.demote")
    await row.locator('[data-stage="shadow"]').waitFor()
    await row.getByText("it loses in this test").waitFor()
    const [shown] = await service.list("strategies")
    assert.deepInclude(shown, { stage: "shadow", reason: "it loses in this test" })
    await row.getByRole("button", { name: "Promote…" }).click()
    await dialog.getByText(/A shadow since .*: it loses in this test/).waitFor()
    await confirm("strategy.promote")
    await row.locator('[data-stage="live"]').waitFor()
    assert.include((await service.list("strategies"))[0], { stage: "live" })
  })

  it("shows which statements took longest, and what tables weigh", async () => {
    await go("database")
    const statements = page.getByRole("region", { name: "Slowest statements" })
    await statements.locator("[data-statement]").first().waitFor()
    await page.locator('[data-table="signals"]').waitFor()
    await page.getByLabel("By").selectOption("total")
    await page.waitForURL(/database\?order=total/)
    await waitUntil("the order of the service", async () => {
      const { body } = await service.get("/api/v1/monitoring/database?order=total&limit=1")
      const [first] = await statements.locator("[data-statement]").all()
      return (await first?.getAttribute("data-statement")) === body.statements[0]?.operation || undefined
    })
  })

  it("sends an event to a machine by hand, after it said that it did not happen", async () => {
    const path = "root/operators/retention"
    await go(`machine/${path}`)
    const dialog = page.getByRole("dialog")
    const send = async (event: string): Promise<void> => {
      await page
        .locator("[data-hand-events]")
        .getByRole("button", { name: `${event}…` })
        .click()
      await dialog.getByText(`hears ${event}, which did not happen`).waitFor()
      await confirm("component.send")
    }
    await send("database.unavailable")
    await page.locator("[data-current-state]", { hasText: "WaitingForDatabase" }).waitFor()
    assert.strictEqual(await world.stateOf(path), "WaitingForDatabase")
    await send("database.available")
    await page.locator("[data-current-state]", { hasNotText: "WaitingForDatabase" }).waitFor()
    const rows = await service.list("audit", "command=component.send")
    assert.deepStrictEqual(
      rows.map((row) => [row["scope"], row["result"]]),
      Array.from({ length: 2 }, () => [`component:${path}`, "accepted"])
    )
  })

  it("makes a report of a span, saves it as one file, and shows the file of any installation", async () => {
    await go("incident")
    await page.getByRole("button", { name: "Last hour" }).click()
    await page.locator("[data-cause]").or(page.getByText("No sign of trouble")).waitFor()
    assert.include(page.url(), "from=")
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save as a page (HTML)" }).click()
    ])
    assert.match(saved.suggestedFilename(), /^incident-[\dT-]+\.html$/)
    const file = readFileSync(await saved.path(), "utf8")
    const choose = (text: string) =>
      page.getByLabel("Open a report of any installation").setInputFiles({
        name: "theirs.html",
        mimeType: "text/html",
        buffer: Buffer.from(text)
      })
    await choose(file.replaceAll("paper-1", "their-account"))
    await page.locator("[data-foreign]", { hasText: "theirs.html" }).waitFor()
    await visible("their-account")
    assert.strictEqual(await page.locator("main a").count(), 0, "nothing of it leads into this installation")
    await choose("<html></html>")
    await visible("this is not an incident report")
  })

  it("exits all positions of an account after it named the account", async () => {
    await page.getByRole("button", { name: "Exit all…" }).click()
    await page.getByRole("button", { name: "paper-1…" }).click()
    const dialog = page.getByRole("dialog")
    assert.include((await dialog.locator("[data-scope]").textContent()) ?? "", "paper-1")
    await dialog.getByLabel(/^reason/).fill("the day is over")
    await confirm("account.flatten")
    await go("accounts/paper-1")
    await visible("Flat.")
  }, 150_000)

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
    const keys = await page.getByRole("dialog").locator("dt").allTextContents()
    assert.strictEqual(new Set(keys).size, keys.length, "no key leads to two pages")
    await page.keyboard.press("Escape")
  })

  it("fits a phone, with a position held", async () => {
    const { body } = await service.post("/webhook", alertBody({ symbol: "GOOGL" }))
    await service.settled(String(body.signal_id))
    await go("")
    await page.getByRole("region", { name: "Positions" }).getByText("GOOGL").waitFor({ timeout: 60_000 })
    await page.setViewportSize({ width: 390, height: 800 })
    for (const name of [
      "",
      "tree",
      "signals",
      "accounts",
      "feeds",
      "journal",
      "incident",
      "drills",
      "database",
      "settings",
      "experiments"
    ]) {
      await go(name)
      await page.locator("main h1").first().waitFor()
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      assert.isAtMost(over, 1, `#/${name} is ${over} px wider than a phone`)
    }
    await page.setViewportSize({ width: 1_400, height: 900 })
  })

  it("draws of a thousand components and a hundred thousand entries only what is in view", async () => {
    const { faults, page: other } = await world.browser.open()
    try {
      await withManyRows(other)
      await world.go("journal", other)
      await other.getByText(`${ENTRIES} of ${ENTRIES}`).waitFor({ timeout: 60_000 })
      const rows = other.locator("main [data-row]")
      const newest = rows.filter({ hasText: `event.${ENTRIES}` })
      await newest.waitFor()
      assert.strictEqual(await newest.getAttribute("aria-setsize"), String(ENTRIES))
      assert.isBelow(await rows.count(), 600)
      await other.evaluate(() => scrollTo(0, document.documentElement.scrollHeight))
      await waitUntil("the oldest entry", async () => {
        await other.evaluate(() => scrollTo(0, document.documentElement.scrollHeight))
        return (await rows.last().getAttribute("aria-posinset")) === String(ENTRIES) ? true : undefined
      })
      await rows.last().getByText("event.1", { exact: true }).waitFor()
      assert.isBelow(await rows.count(), 600)
      await other.getByLabel("text or pattern").fill("event.77777 ")
      await other.getByText(`1 of ${ENTRIES}`).waitFor()
      await world.go("tree", other)
      const table = other.getByRole("region", { name: "Components" }).getByRole("table")
      const count = Number(await table.getAttribute("aria-rowcount"))
      assert.isAbove(count, CHILDREN)
      assert.isBelow(await rows.count(), 400)
      const focused = () => other.evaluate(() => document.activeElement?.textContent)
      await rows.first().getByRole("link").focus()
      await other.keyboard.press("End")
      const last = childName(CHILDREN - 1)
      await waitUntil(
        "the last component to have the focus",
        async () => (await focused()) === last || undefined
      )
      assert.strictEqual(await rows.last().getAttribute("aria-rowindex"), String(count))
      await other.keyboard.press("ArrowUp")
      const before = childName(CHILDREN - 2)
      await waitUntil("the one before it", async () => (await focused()) === before || undefined)
      assert.deepStrictEqual(await world.browser.accessibilityFaults(other), [])
      assert.deepStrictEqual(faults, [])
    } finally {
      await other.unrouteAll({ behavior: "ignoreErrors" })
      // Not closed: this Chromium is one process, and would end with its first context.
      await other.goto("about:blank")
    }
  }, 240_000)

  it("keeps its rules wherever a random walk gets", async () => {
    const walk = { random: randomOf("the walk", 20_261_130), ms: 20_000, cutMs: 9_000 }
    try {
      const steps = await walkConsole(world, { ...walk, gives: /^(trading_state\.set|alert\.acknowledge)$/ })
      assert.isAbove(steps, 5)
    } finally {
      const active = { scope: "global", state: "ACTIVE", reason: "the walk is over" }
      await service.post("/api/v1/trading-state", active)
    }
  }, 240_000)

  it("names itself stale when the service is gone, and is live again without a reload", async () => {
    await go("tree")
    await link("live").waitFor()
    const { port } = new URL(service.url)
    await service.kill()
    await link("stale").waitFor({ timeout: 60_000 })
    await service.start({ PORT: port }, 90_000)
    await link("live").waitFor({ timeout: 60_000 })
    // Its session was in the memory of the process that died: whoever gives a command logs in again.
    await page.getByRole("button", { name: "Stop…" }).click()
    await page.getByLabel("Control token").fill(world.token)
    await page.getByRole("button", { name: "Log in" }).click()
    await page.getByRole("dialog").getByText("HALTED only what an operator closes").waitFor()
    await page.keyboard.press("Escape")
  }, 300_000)

  it("wrote no error and asked no other host", () => {
    assert.deepStrictEqual(world.faults, [])
  })
})
