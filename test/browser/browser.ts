/**
 * A real Chromium for tests of the console.
 *
 * The browser and what drives it have a lock of their own (test/browser/package.json), installed by the first test run and never
 * by the service.
 *
 * Promises: one browser for a test file, closed at its end; whatever a page writes to its console as an error, or throws, is
 * kept in `faults`.
 * Never: leaves the machine: every request to another host is refused.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import type { BrowserContextOptions, Page } from "@playwright/test"
import { installLocked } from "../../scripts/locked-install.ts"

const folder = import.meta.dirname

export interface OpenPage {
  readonly page: Page
  /** Errors of the page, in order. */
  readonly faults: Array<string>
}

export interface TestBrowser {
  readonly open: (options?: BrowserContextOptions) => Promise<OpenPage>
  /**
   * What axe finds wrong with the page as it is, one line for each fault; by all of its rules, or by those of `rules` alone.
   */
  readonly accessibilityFaults: (page: Page, rules?: ReadonlyArray<string>) => Promise<ReadonlyArray<string>>
  readonly close: () => Promise<void>
}

/** What is used of axe inside of a page. */
interface Axe {
  readonly run: (
    where: Document,
    options: object
  ) => Promise<{
    readonly violations: ReadonlyArray<{
      readonly id: string
      readonly nodes: ReadonlyArray<{ readonly target: ReadonlyArray<string> }>
    }>
  }>
}

const unpackInto = async (place: string, unpack: () => Promise<string>): Promise<string> => {
  const former = process.env["TMPDIR"]
  process.env["TMPDIR"] = place
  try {
    return await unpack()
  } finally {
    if (former === undefined) delete process.env["TMPDIR"]
    else process.env["TMPDIR"] = former
  }
}

/**
 * It is unpacked once for each user: what another user unpacked must not be run, and often cannot be. It gets its place when all of
 * it is written, because a run may end in the middle of that, or have another one next to it.
 */
const unpacked = async (unpack: () => Promise<string>): Promise<string> => {
  const { dependencies } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  const version = dependencies["@sparticuz/chromium"] ?? ""
  const place = path.join(tmpdir(), `holdfast-browser-${version}-${process.getuid?.() ?? 0}`)
  if (!existsSync(place)) {
    const working = `${place}.${process.pid}`
    mkdirSync(working, { mode: 0o700 })
    try {
      await unpackInto(working, unpack)
      renameSync(working, place)
    } catch (error) {
      rmSync(working, { recursive: true, force: true })
      // Another run was first.
      if (!existsSync(place)) throw error
    }
  }
  return unpackInto(place, unpack)
}

/**
 * What is left out of the packaged flags. Without the first a page is judged by the same rules as in a browser of a person. The others
 * draw through an emulated graphics card, which costs three times as much as drawing without one and shows the same.
 */
const FLAGS_WITHOUT: ReadonlySet<string> = new Set([
  "--disable-web-security",
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
  "--in-process-gpu"
])

/** What drives it is loaded when it is installed. */
const launch = async () => {
  const problem = await installLocked(folder, {
    announce: () => {},
    // Before the tests (scripts/test.ts): what they start may not leave the machine.
    mayInstall: false,
    msMax: 0
  })
  if (problem !== undefined) throw new Error(`the browser of the tests is not there: ${problem}`)
  const [{ chromium }, { default: packaged }, { default: axe }] = await Promise.all([
    import("@playwright/test"),
    import("@sparticuz/chromium"),
    import("axe-core")
  ])
  const browser = await chromium.launch({
    executablePath: await unpacked(packaged.executablePath),
    args: [...packaged.args.filter((flag) => !FLAGS_WITHOUT.has(flag)), "--disable-gpu"],
    headless: true
  })
  return { browser, axeSource: axe.source }
}

export const openBrowser = async (): Promise<TestBrowser> => {
  const { axeSource, browser } = await launch()
  return {
    open: async (options = {}) => {
      const context = await browser.newContext({
        viewport: { width: 1_400, height: 900 },
        locale: "en-US",
        ...options
      })
      const faults: Array<string> = []
      await context.route(
        (url) => !["127.0.0.1", "localhost"].includes(url.hostname),
        async (route) => {
          faults.push(`asked another host: ${route.request().url()}`)
          await route.abort()
        }
      )
      const page = await context.newPage()
      page.on("response", (response) => {
        // A page that asks for what does not exist is as wrong as one that throws.
        if (response.status() === 404) faults.push(`404 for ${response.url()}`)
      })
      page.on("pageerror", (error) => faults.push(error.message))
      page.on("console", (message) => {
        // A service that is away answers nothing, which browsers write down by themselves.
        if (
          message.type() === "error" &&
          !/^Failed to load resource|^WebSocket connection/.test(message.text())
        )
          faults.push(message.text())
      })
      return { page, faults }
    },
    accessibilityFaults: async (page, rules) => {
      // It stays there until the page is loaded again. The builder of its makers puts it there, and opens a page of its own, each time.
      if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeSource)
      return page.evaluate(async (only) => {
        const { axe } = globalThis as unknown as { readonly axe: Axe }
        const { violations } = await axe.run(document, {
          resultTypes: ["violations"],
          ...(only === null ? {} : { runOnly: { type: "rule", values: only } })
        })
        return violations.map(
          ({ id, nodes }) =>
            `${id}: ${nodes
              .map(({ target }) => target.join(" "))
              .slice(0, 4)
              .join("; ")}`
        )
      }, rules ?? null)
    },
    close: () => browser.close()
  }
}
