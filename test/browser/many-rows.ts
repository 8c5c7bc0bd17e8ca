/**
 * A service with a thousand accounts and a journal of a hundred thousand entries, as a page sees it: answers and a stream that are
 * made up in the browser, because a real one of that size would take a test longer than all others together.
 *
 * Promises: everything but the tree and the journal is the real service's.
 * Never: touches the service.
 */
import type { Page } from "@playwright/test"

export const CHILDREN = 1_000
export const ENTRIES = 100_000

/** `many-0007` */
export const childName = (index: number): string => `many-${String(index).padStart(4, "0")}`

/** To be called before the page is opened. */
export const withManyRows = async (page: Page): Promise<void> => {
  await page.route("**/api/v1/actors", async (route) => {
    const response = await route.fetch()
    const { items, ...rest } = (await response.json()) as {
      readonly items: ReadonlyArray<Readonly<Record<string, unknown>>>
    }
    const account = items.find(({ path }) => String(path).startsWith("root/trading/accounts/"))
    const many = Array.from({ length: CHILDREN }, (_, index) => ({
      ...account,
      path: `root/trading/accounts/${childName(index)}`
    }))
    await route.fulfill({ response, json: { items: [...items, ...many], ...rest } })
  })
  await page.route(
    ({ pathname }) => pathname.endsWith("/api/v1/events"),
    (route) => route.fulfill({ json: { items: [], next_cursor: null } })
  )
  await page.addInitScript((count) => {
    const entry = (seq: number) => ({
      seq,
      boot: "c0000000-0000-4000-8000-000000000000",
      type: seq % 5 === 0 ? "restart" : "transition",
      at: new Date(Date.UTC(2026, 0, 1) + seq * 10).toISOString(),
      path: `root/trading/accounts/many-${String(seq % 1_000).padStart(4, "0")}`,
      incarnation: 1,
      event: `event.${seq}`,
      from: "Idle",
      to: "Sending",
      since: null,
      // Of different lengths, so that rows have different heights.
      cause: seq % 7 === 0 ? "a cause that is told at length ".repeat(12) : null,
      correlation_id: null,
      guard: null,
      actions: null,
      context: null,
      detail: null
    })
    class Stream extends EventTarget {
      constructor() {
        super()
        setTimeout(() => {
          const send = (message: object): boolean =>
            this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }))
          send({ type: "hello", boot: entry(0).boot, head: count })
          for (let seq = 1; seq <= count; seq += 1) send(entry(seq))
        }, 0)
      }
      close(): void {}
    }
    Object.defineProperty(globalThis, "WebSocket", { value: Stream })
  }, ENTRIES)
}
