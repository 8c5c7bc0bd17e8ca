/**
 * The journal of the console over a line that goes dead: a stream of which nothing comes any more is never shown as live.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Page } from "@playwright/test"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, Service } from "../outside/service.ts"
import { openBrowser, type TestBrowser } from "./browser.ts"
import { openStreamProxy, type StreamProxy } from "./stream-proxy.ts"
import { stopwatch } from "../support/stopwatch.ts"

const service = new Service()
let browser: TestBrowser
let proxy: StreamProxy
let page: Page
beforeAll(async () => {
  ;[browser] = await Promise.all([openBrowser(), service.start()])
  proxy = await openStreamProxy(Number(new URL(service.url).port))
  ;({ page } = await browser.open())
}, 300_000)
afterAll(async () => {
  // Where one of them did not even start, that is what the run has to report.
  await (browser as TestBrowser | undefined)?.close()
  await (proxy as StreamProxy | undefined)?.close()
  await service.dispose()
}, 150_000)

const bar = () => page.getByRole("group", { name: "Time travel" })
const slider = () => bar().getByRole("slider")
const badge = (text: string) => bar().locator(".pill", { hasText: text })
const held = async (): Promise<number> => Number(await slider().getAttribute("max")) + 1
/** The number of the entry at a place of the slider. */
const entryAt = async (place: number): Promise<number> => {
  await slider().fill(String(place))
  return waitUntil("the entry to be named", async () => {
    const named = /entry (\d+)/.exec((await slider().getAttribute("aria-valuetext")) ?? "")?.[1]
    return named === undefined ? undefined : Number(named)
  })
}

describe("a stream of which nothing comes any more", () => {
  it("is stale within five seconds though its connection is open, and catches up without a gap", async () => {
    const token = service.bearer()["authorization"]?.replace("Bearer ", "") ?? ""
    await page.goto(`${proxy.url}/console/#token=${token}`)
    await page.getByRole("button", { name: "Log out" }).waitFor({ timeout: 60_000 })
    await page.goto(`${proxy.url}/console/#/tree`)
    await badge("live").waitFor({ timeout: 60_000 })
    // Nothing happens for longer than the deadline: what says so is the service.
    await page.waitForTimeout(7_000)
    assert.isTrue(await badge("live").isVisible())
    const before = proxy.opened()

    proxy.freeze()
    const tookMs = stopwatch()
    await badge("the stream is closed").waitFor({ timeout: 60_000 })
    // Two seconds for the browser and for this test.
    assert.isAtMost(tookMs(), 7_000)
    const { body } = await service.post("/webhook", alertBody({ symbol: "FROZEN" }))
    await service.settled(String(body.signal_id))
    // A connection that is opened meanwhile is as dead, and is given up as well.
    await waitUntil("another attempt", () => Promise.resolve(proxy.opened() >= before + 2 || undefined))
    assert.isFalse(await badge("live").isVisible())

    proxy.thaw()
    await badge("live").waitFor({ timeout: 60_000 })
    const filled = (await service.list("events", "type=order&limit=500")).find(
      ({ correlation_id, event }) => correlation_id === body.signal_id && event === "order.fill"
    )
    const fill = Number(filled?.["seq"])
    assert.isAbove(fill, 0)
    await waitUntil("what happened meanwhile", async () => {
      const count = await held()
      const last = await entryAt(count - 1)
      return last >= fill || undefined
    })
    const count = await held()
    const [first, last] = [await entryAt(0), await entryAt(count - 1)]
    assert.strictEqual(last - first + 1, count, "every number between the first and the last is there")
    assert.isFalse(await page.getByText("entries are missing").isVisible())
  }, 240_000)
})
