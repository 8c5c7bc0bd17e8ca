/**
 * The console in a browser, on a service of its own: what its tests start, and the verbs they share.
 *
 * Promises: one service and one browser for all scenes of a file; `go` returns when the page that was asked for is drawn.
 * Never: asserts anything.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import type { Locator, Page } from "@playwright/test"
import { Service } from "../outside/service.ts"
import { waitUntil } from "../support/exchange.ts"
import { openBrowser, type TestBrowser } from "./browser.ts"

/** Every page, and one of each kind that is reached by links. */
export const PAGES: ReadonlyArray<string> = [
  "",
  "tree",
  "machine/root/feeds/feed:default",
  "machine/root/trading",
  "signals",
  "sources",
  "orders",
  "fills",
  "latency",
  "accounts",
  "accounts/paper-1",
  "feeds",
  "waves",
  "journal",
  "experiments",
  "replay",
  "incident",
  "drills",
  "dead-letters",
  "refused",
  "alerts",
  "audit",
  "database",
  "settings"
]

/** The address of a page: only what stands behind its name is encoded. */
const hashOf = (name: string): string => {
  const cut = name.indexOf("/")
  return cut < 0 ? name : `${name.slice(0, cut)}/${encodeURIComponent(name.slice(cut + 1))}`
}

/** A browser starts at the same time, and unpacks itself in a first run. */
const START_MS_MAX = 120_000

export class ConsoleWorld {
  readonly service: Service
  readonly browser: TestBrowser
  readonly page: Page
  /** Errors of the page, in order. */
  readonly faults: Array<string>
  readonly token: string
  /** The configuration file of the service. */
  readonly configuration: string

  private constructor(
    service: Service,
    browser: TestBrowser,
    page: Page,
    faults: Array<string>,
    configuration: string
  ) {
    this.configuration = configuration
    this.service = service
    this.browser = browser
    this.page = page
    this.faults = faults
    this.token = service.bearer()["authorization"]?.replace("Bearer ", "") ?? ""
  }

  static async open(): Promise<ConsoleWorld> {
    const configuration = path.join(mkdtempSync(path.join(tmpdir(), "holdfast-console-")), "holdfast.json")
    writeFileSync(configuration, "{}\n")
    const service = new Service({ env: { HOLDFAST_CONFIG: configuration } })
    const opening = openBrowser()
    try {
      const [browser] = await Promise.all([opening, service.start({}, START_MS_MAX)])
      const { faults, page } = await browser.open()
      return new ConsoleWorld(service, browser, page, faults, configuration)
    } catch (error) {
      // What did start must not outlive the test.
      await opening.then(
        (browser) => browser.close(),
        () => undefined
      )
      await service.dispose()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.browser.close()
    await this.service.dispose()
    rmSync(path.dirname(this.configuration), { recursive: true, force: true })
  }

  /** Opens the page by the token in its address, as the terminal prints it. */
  async enter(): Promise<void> {
    await this.page.goto(`${this.service.url}/console/#token=${this.token}`)
    await this.page.getByRole("button", { name: "Log out" }).waitFor({ timeout: 60_000 })
  }

  /** Shows a page, such as `machine/root/http`. */
  async go(name: string, page: Page = this.page): Promise<void> {
    await page.goto(`${this.service.url}/console/#/${hashOf(name)}`)
    await page.locator(`main[data-page="${name}"]`).waitFor({ timeout: 60_000 })
  }

  /** Waits until what a page reads is there: it says of nothing any more that it is not known yet. */
  async read(page: Page = this.page): Promise<void> {
    await page.locator("main h1").first().waitFor({ timeout: 60_000 })
    await page
      .locator("main")
      .getByText(/Not known yet|Asking the service|Loading its chart|Reading…/)
      .first()
      .waitFor({ state: "hidden", timeout: 60_000 })
  }

  /** Waits for a text in the page. */
  async visible(text: string | RegExp): Promise<void> {
    await this.page.locator("main").getByText(text).first().waitFor({ timeout: 60_000 })
  }

  /** The badge that says of what time the page is. */
  link(kind: "live" | "replay" | "stale"): Locator {
    return this.page.locator(`[data-link="${kind}"]`)
  }

  /** The state of a component, as the service reports it. */
  async stateOf(path: string): Promise<string> {
    const row = (await this.service.list("actors")).find((one) => one["path"] === path)
    return String(row?.["state"])
  }

  /**
   * Shows a component, and waits until its chart has lit what the service reports: every region of it, and nothing that is not around
   * one. False where it has no chart. A machine may move while it is looked at: it counts where the service reports one state
   * before and after the page was read.
   */
  async drawnAsReported(path: string): Promise<boolean> {
    await this.go(`machine/${path}`)
    await this.page.locator("[data-current-state]").waitFor({ timeout: 60_000 })
    if (await this.page.getByText("It has no statechart of its own.").isVisible()) return false
    return waitUntil(`${path} to be drawn as it is`, async () => {
      const before = await this.stateOf(path)
      const lit = await this.page
        .locator('[data-active="true"]')
        .evaluateAll((all) => all.map((one) => one.getAttribute("data-state") ?? ""))
      if (lit.length === 0 || (await this.stateOf(path)) !== before) return undefined
      return isLitAs(before, lit) ? true : undefined
    })
  }
}

/** Whether the states that are lit are those of a report, such as `Up.A+B`. */
const isLitAs = (reported: string, lit: ReadonlyArray<string>): boolean => {
  const regions = reported.split("+")
  const leaves = lit.filter((id) => !lit.some((other) => other.startsWith(`${id}.`)))
  const all = regions.every((region) => lit.some((id) => id === region || id.endsWith(`.${region}`)))
  return all && (regions.length === 1 || leaves.length === regions.length)
}
