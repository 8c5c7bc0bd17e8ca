/**
 * A random walker through the console, and the rules that hold wherever it gets.
 *
 * It clicks, types, presses keys, travels in time, gives commands, and is cut off from the service for a while. The rules:
 * nothing is written to the console as an error; where trading is halted, what would pause or halt it is off; in the past
 * every control is off; what asks for a confirmation names a question and a scope; a page whose data is older than what counts as
 * stale never calls itself live; a page that does shows the trading state that the service has.
 *
 * Promises: the same seed takes the same decisions; a broken rule names the seed and the last steps; the page is connected again
 * when the walk ends.
 * Never: gives a command that `gives` does not name; leaves the service.
 */
import type { Random } from "../outside/random.ts"
import { alertBody } from "../outside/service.ts"
import { waitUntil } from "../support/exchange.ts"
import { type ConsoleWorld, PAGES } from "./console-world.ts"

export interface Walk {
  readonly random: Random
  readonly ms: number
  /** Names of the commands that it may confirm. */
  readonly gives: RegExp
  /** How long it is cut off, once in each minute; longer than what counts as stale. */
  readonly cutMs: number
}

/** Five seconds without an answer are stale; the rest is the page's own clock and the machine's load. */
const STALE_MS = 5_000
const SLACK_MS = 2_500
const FIRST_CUT_MS = 2_000
const CUT_EVERY_MS = 60_000
const TRAIL = 25

const WORDS = ["", "paper", "((", "AAPL", "-1", "2026-01-01T00:00:00Z", "{}", '{"n": 1}', "%_'\"<b>", "é"]
const KEYS = ["t", "?", "Escape", "Tab", "Tab", "Enter", "ArrowDown", "ArrowUp", "End", "Home", "/", "g"]

/** All that the rules are about, of one moment. */
const look = ({ page }: ConsoleWorld) =>
  page.evaluate(() => {
    const dialog = document.querySelector("dialog[open]")
    const danger = dialog?.querySelector("button.danger") ?? null
    const status = document.querySelector('section[aria-label="Status"]')?.textContent ?? ""
    return {
      badge: document.querySelector("[data-link]")?.getAttribute("data-link") ?? null,
      trading: /trading (ACTIVE|REDUCING|HALTED)/.exec(status)?.[1] ?? null,
      controls: [...document.querySelectorAll("button")].flatMap((button) => {
        const text = button.textContent.trim()
        return text.endsWith("…") && text !== "Find…" ? [{ text, isOff: button.disabled }] : []
      }),
      confirm:
        danger === null
          ? null
          : {
              question: dialog?.querySelector("#question")?.textContent ?? "",
              scope: dialog?.querySelector("[data-scope]")?.textContent ?? ""
            }
    }
  })

const hasName = (text: string): boolean => /\w/.test(text) && !/undefined|null|\[object/.test(text)

/** What is wrong with the page as it is; null where nothing is. */
const brokenRule = async (world: ConsoleWorld, cutSinceMs: number | null): Promise<string | null> => {
  const [fault] = world.faults
  if (fault !== undefined) return `the page wrote an error: ${fault}`
  const { badge, confirm, controls, trading } = await look(world)
  const isOn = (label: string): boolean => controls.some(({ isOff, text }) => text === label && !isOff)
  if (trading === "HALTED" && (isOn("Stop…") || isOn("Pause entries…")))
    return "trading is halted, and a control of entries is on"
  const on = controls.find(({ isOff }) => !isOff)
  if (badge === "replay" && on !== undefined) return `the page shows the past, and ${on.text} is on`
  if (confirm !== null && !(hasName(confirm.question) && hasName(confirm.scope)))
    return `a confirmation without a name: ${JSON.stringify(confirm)}`
  const isOld = cutSinceMs !== null && performance.now() - cutSinceMs > STALE_MS + SLACK_MS
  return badge === "live" && isOld ? "a live badge over data that is too old" : null
}

/** One thing of those that a locator finds; the page may draw again meanwhile, so what is gone is no fault. */
const onOne = async (
  world: ConsoleWorld,
  random: Random,
  selector: string,
  act: (nth: number) => Promise<unknown>
): Promise<string> => {
  const count = await world.page.locator(selector).count()
  const nth = Math.floor(random.next() * count)
  if (count === 0) return `${selector}: none`
  await act(nth).catch(() => undefined)
  return `${selector} ${nth}`
}

const patience = { timeout: 500 }

/** Fills in a confirmation and gives the command, or leaves it. */
const answerDialog = async (world: ConsoleWorld, { gives, random }: Walk): Promise<string> => {
  const { page } = world
  const dialog = page.locator("dialog[open]")
  const command = (await dialog.getAttribute("data-command", patience).catch(() => null)) ?? ""
  const confirm = dialog.locator("button.danger")
  if (!gives.test(command) || random.next() < 0.4 || (await confirm.count()) === 0) {
    await page.keyboard.press("Escape")
    return `leaves ${command}`
  }
  const answer = async (): Promise<void> => {
    for (const input of await dialog.locator("input[required]").all()) await input.fill("a walk", patience)
    for (const select of await dialog.locator("select").all()) {
      const words = await select.locator("option").allTextContents()
      const isChosen = (await select.inputValue(patience)) !== ""
      if (!isChosen) await select.selectOption(random.pick(words.filter((word) => word !== "")), patience)
    }
    await confirm.click(patience)
    await dialog
      .getByRole("button", { name: "Close" })
      .or(dialog.getByRole("alert"))
      .waitFor({ timeout: 5_000 })
  }
  await answer().catch(() => undefined)
  await page.keyboard.press("Escape")
  return `gives ${command}`
}

const step = async (world: ConsoleWorld, walk: Walk): Promise<string> => {
  const { page } = world
  const { random } = walk
  if (!page.url().includes("/console/#")) await world.go("")
  if ((await page.locator("dialog[open]").count()) > 0) return answerDialog(world, walk)
  const choice = random.next()
  if (choice < 0.2) {
    const name = random.pick(PAGES)
    await world.go(name)
    return `goes to #/${name}`
  }
  if (choice < 0.5) {
    const enabled = "button:enabled:visible:not(:text-is('Log out'))"
    return onOne(world, random, enabled, (nth) => page.locator(enabled).nth(nth).click(patience))
  }
  if (choice < 0.6) {
    const links = 'main a[href^="#/"]:visible'
    return onOne(world, random, links, (nth) => page.locator(links).nth(nth).click(patience))
  }
  if (choice < 0.7) {
    const inputs = 'main input:not([type="range"], [type="checkbox"], [type="file"]), main textarea'
    const word = random.pick(WORDS)
    return onOne(world, random, inputs, (nth) => page.locator(inputs).nth(nth).fill(word, patience))
  }
  if (choice < 0.78) {
    const range = 'input[type="range"]'
    const part = random.next()
    return onOne(world, random, range, async (nth) => {
      const slider = page.locator(range).nth(nth)
      await slider.fill(
        String(Math.floor(part * Number(await slider.getAttribute("max", patience)))),
        patience
      )
    })
  }
  if (choice < 0.9) {
    const key = random.pick(KEYS)
    await page.keyboard.press(key)
    return `presses ${key}`
  }
  if (choice < 0.95) {
    await world.service.post("/webhook", alertBody({ symbol: random.pick(["AAPL", "MSFT", "KO"]) }))
    return "posts an alert"
  }
  return onOne(world, random, "text=Back to live", (nth) =>
    page.getByText("Back to live").nth(nth).click(patience)
  )
}

/** The badge is live, and what it stands next to is what the service has. */
const agrees = async (world: ConsoleWorld): Promise<true | undefined> => {
  const stateNow = async (): Promise<string> =>
    (await world.service.get("/health")).body.trading_state as string
  const before = await stateNow()
  const { badge, trading } = await look(world)
  return badge === "live" && trading === before && (await stateNow()) === before ? true : undefined
}

/** Leaves whatever is open, and looks at what is now. */
const comeBack = async (world: ConsoleWorld): Promise<void> => {
  await world.page.keyboard.press("Escape")
  await world.page.keyboard.press("Escape")
  await world.go("")
  const back = world.page.getByRole("button", { name: "Back to live" }).first()
  if (await back.isVisible()) await back.click()
}

/** A step that got nowhere, with what the page shows instead. */
const lost = async ({ page }: ConsoleWorld, trail: ReadonlyArray<string>, cause: unknown): Promise<never> => {
  const shown = await page
    .locator("body")
    .innerText({ timeout: 2_000 })
    .catch((error: unknown) => String(error))
  const where = `${page.url()} shows: ${shown.slice(0, 1_000)}`
  throw new Error(`${String(cause)}; ${where}; the last steps: ${trail.join(" | ")}`, { cause })
}

/** Walks until its time is over; the number of steps. */
export const walkConsole = async (world: ConsoleWorld, walk: Walk): Promise<number> => {
  const trail: Array<string> = []
  let cutSinceMs: number | null = null
  const begunMs = performance.now()
  const addresses = /\/(health|api\/v1)\b/
  await world.page.route(addresses, (route) => (cutSinceMs === null ? route.fallback() : route.abort()))
  const demand = async (): Promise<void> => {
    const broken = await brokenRule(world, cutSinceMs)
    if (broken !== null)
      throw new Error(`${broken}; at ${world.page.url()}; the last steps: ${trail.join(" | ")}`)
  }
  let [steps, cuts] = [0, 0]
  try {
    while (performance.now() - begunMs < walk.ms) {
      const sinceMs = performance.now() - begunMs
      if (cutSinceMs !== null && performance.now() - cutSinceMs > walk.cutMs) cutSinceMs = null
      else if (cutSinceMs === null && sinceMs > FIRST_CUT_MS + cuts * CUT_EVERY_MS) {
        cuts += 1
        cutSinceMs = performance.now()
        trail.push("is cut off")
      }
      trail.push(await step(world, walk).catch((error: unknown) => lost(world, trail, error)))
      if (trail.length > TRAIL) trail.shift()
      steps += 1
      await demand()
    }
  } finally {
    cutSinceMs = null
    await world.page.unroute(addresses)
  }
  await comeBack(world)
  await waitUntil(`the page to agree with the service after: ${trail.join(" | ")}`, () => agrees(world))
  await demand()
  return steps
}
