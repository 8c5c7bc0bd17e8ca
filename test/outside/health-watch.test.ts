/** The witness of `/health` itself: what it calls a lie, and what it must not. */
import { assert, describe, it } from "vitest"
import type { Answer } from "../support/exchange.ts"
import { HealthWatch } from "./health-watch.ts"
import type { Try } from "./producer.ts"
import type { Service } from "./service.ts"

const healthy = { status: "healthy", ready: true, can_trade: true, components: {} }
const answer = (body: object, status = 200): Answer => ({
  status,
  body,
  text: JSON.stringify(body),
  headers: {}
})

/** A witness that was told `body` at a moment of life 1, milliseconds. */
const told = (at: number, body: object = healthy, status = 200): HealthWatch => {
  const watch = new HealthWatch({ lives: 1 } as Service)
  watch.samples.push({ at, until: at + 5, life: 1, answer: answer(body, status) })
  return watch
}
const post = (at: number, tookMs: number, status: number): Try => ({
  at,
  until: at + tookMs,
  status,
  lives: [1, 1]
})

describe("ready between refused posts is a lie", () => {
  it("when both were refused at once and none was taken in between", () => {
    assert.lengthOf(told(1_000).lies([post(500, 3, 503), post(1_500, 3, 503)]), 1)
  })
  it("but not when one was taken in between", () => {
    assert.deepStrictEqual(told(1_000).lies([post(500, 3, 503), post(900, 3, 201), post(1_500, 3, 503)]), [])
  })
  it("nor when the first waited for its commit in vain: that was a slow moment", () => {
    assert.deepStrictEqual(told(3_000).lies([post(500, 1_500, 503), post(3_500, 3, 503)]), [])
  })
  it("but it is when every post waited in vain for longer than the service needs to notice", () => {
    const posts = Array.from({ length: 10 }, (_, index) => post(500 + index * 1_600, 1_500, 503))
    assert.deepStrictEqual(told(5_000).lies(posts), [])
    assert.lengthOf(told(14_000).lies(posts), 1)
  })
  it("but not where a long outage has just ended, which the next post shows", () => {
    const posts = Array.from({ length: 10 }, (_, index) => post(500 + index * 1_600, 1_500, 503))
    assert.deepStrictEqual(told(17_000).lies([...posts, post(17_200, 3, 201)]), [])
    assert.lengthOf(told(17_000).lies([...posts, post(17_200, 1_500, 503), post(18_800, 3, 201)]), 1)
  })
})

describe("an answer that contradicts itself is a lie, whatever was posted", () => {
  for (const [name, body, status] of [
    ["healthy with 503", healthy, 503],
    ["unhealthy with 200", { ...healthy, status: "unhealthy", ready: false, can_trade: false }, 200],
    ["trading without being ready", { ...healthy, status: "unhealthy", ready: false }, 503],
    ["degraded without being ready", { ...healthy, status: "degraded", ready: false, can_trade: false }, 200],
    ["starting and ready", { ...healthy, status: "starting" }, 503],
    [
      "healthy while a component is not ready",
      { ...healthy, components: { "root/feeds": { ready: false } } },
      200
    ]
  ] as const) {
    it(name, () => {
      assert.isAtLeast(told(1_000, body, status).lies([]).length, 1)
    })
  }
  it("and one that does not is none", () => {
    assert.deepStrictEqual(told(1_000).lies([post(900, 3, 201)]), [])
  })
})
