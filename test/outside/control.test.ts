/** T14 from outside: every component of the tree is paused, and is either refused or comes back. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Answer } from "../support/exchange.ts"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, Service } from "./service.ts"

const service = new Service()
beforeAll(() => service.start(), 150_000)
afterAll(() => service.dispose(), 150_000)

const command = (path: string, name: string, body: object = {}): Promise<Answer> =>
  service.post(`/api/v1/actors/${encodeURIComponent(path)}/${name}`, body, { deadlineMs: 20_000 })
const actors = async (): Promise<ReadonlyArray<{ readonly path: string; readonly phase: string }>> =>
  (await service.get("/api/v1/actors")).body.items
const running = (): Promise<true> =>
  waitUntil(
    () => `every component to run${service.tail()}`,
    async () => ((await actors()).every(({ phase }) => phase === "running") ? true : undefined)
  )

/** Pauses a component and brings it back; its answer to the pause. */
const pauseAndResume = async (path: string, body: object = {}): Promise<Answer> => {
  const paused = await command(path, "pause", body)
  if (paused.status === 409) return paused
  assert.strictEqual(paused.status, 202, `${path}: ${paused.text}`)
  assert.strictEqual((await service.get("/health/live")).status, 200, path)
  const resumed = await command(path, "resume")
  assert.strictEqual(resumed.status, 202, `${path}: ${resumed.text}${service.tail()}`)
  await running()
  return paused
}

describe("a pause", () => {
  it("of any component is refused with its reason or can be taken back from outside", async () => {
    const refused: Array<string> = []
    for (const { path } of await actors()) {
      const { body, status } = await pauseAndResume(path)
      if (status === 202) continue
      assert.deepStrictEqual([body.status, body.reason], ["CONFLICT", "irrevocable"], path)
      assert.isAbove(String(body.message).length, 20)
      refused.push(path)
    }
    assert.deepStrictEqual(refused, ["root", "root/http", "root/database"])
    await service.trading()
  }, 300_000)

  it("that leaves an open position alone takes the word that says so", async () => {
    const taken = await service.post("/webhook", alertBody())
    await service.settled(String(taken.body.signal_id))
    // What decides guards nothing: exits go through no engine (T6).
    const decides = /^root\/trading\/(pipeline|agents)(\/|$)/
    const guards = (await actors()).filter(
      ({ path }) => path.startsWith("root/trading") && !decides.test(path)
    )
    for (const { path } of guards) {
      const refused = await command(path, "pause")
      // The position is in paper-1; executor and broker of another account guard nothing.
      if (path === "root/trading/accounts/paper-2" || path.endsWith("/canary")) {
        assert.strictEqual(refused.status, 202)
        assert.strictEqual((await command(path, "resume")).status, 202)
        continue
      }
      assert.strictEqual(refused.status, 409, path)
      const { confirm, positions, reason } = refused.body
      assert.deepStrictEqual([reason, confirm, positions], ["unprotected", "unprotected", ["paper-1/SPY"]])
    }
    await running()
    const paused = await pauseAndResume("root/trading/exits", { confirm: "unprotected" })
    assert.strictEqual(paused.status, 202)
    assert.isNotEmpty(service.events("control.done").filter(({ command: name }) => name === "pause"))
  }, 240_000)
})

describe("a restart of the listener", () => {
  it("is answered, and the same address serves again", async () => {
    const answer = await command("root/http", "restart")
    assert.strictEqual(answer.status, 202, answer.text)
    await waitUntil("the listener", async () =>
      (await service.get("/health/ready")).status === 200 ? true : undefined
    )
    assert.strictEqual((await command("root", "restart")).status, 409)
    const restarts = await service.restarts()
    assert.strictEqual(restarts["root/http"], 1)
  }, 150_000)
})
