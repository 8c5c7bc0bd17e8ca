import { assert, describe, it } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { accountLimits } from "../../src/domain/kernel/limits-execution.ts"
import { stopwatch } from "../support/stopwatch.ts"
import { brokerLimits } from "../../src/layers/venues/broker-limits.ts"
import { HealthWatch } from "./health-watch.ts"
import { assertFilledOnce, openWorld, post } from "./broker-scenes.ts"
import { alertBody } from "./service.ts"

describe.concurrent("a broker that is away", () => {
  it("fills made while the stream was down are recorded once when it is back", async (context) => {
    const world = await openWorld(context)
    const { broker, service } = world
    await broker.faults({ holdFills: true })
    const signals = [await post(world, "SPY"), await post(world, "QQQ"), await post(world, "SPY")]
    await waitUntil("three orders", async () => ((await broker.orders()).length === 3 ? true : undefined))
    await broker.faults({ streamStatus: 503 })
    await broker.closeStreams(1000)
    await waitUntil(
      () => `health to say that a broker is away${service.tail()}`,
      async () => {
        const { body } = await service.get("/health")
        return body.status === "degraded" && body.ready === true ? true : undefined
      }
    )
    await broker.faults({ holdFills: false })
    await waitUntil("three fills", async () => ((await broker.fills()).length === 3 ? true : undefined))
    await broker.clearFaults()
    for (const signal of signals) assert.strictEqual(await assertFilledOnce(world, signal), 1)
    await service.trading()
  }, 240_000)

  it("an order that fills in parts is filled when the last part is recorded", async (context) => {
    const world = await openWorld(context)
    await world.broker.faults({ fillParts: 3 })
    const answer = await world.service.post("/webhook", alertBody({ symbol: "SPY", quantity: "9" }))
    const trace = await world.service.settled(String(answer.body.signal_id))
    assert.strictEqual(trace.orders[0].status, "filled")
    assert.strictEqual(Number(trace.orders[0].filled_quantity), 9)
    assert.lengthOf(trace.fills, 3)
    assert.lengthOf(trace.links, 3)
  }, 150_000)

  // Nobody hears a frozen peer: its sockets stay open, and the silence after a call is all there is.
  it("T2 frozen: said within the deadline of the first call, no entry leaves meanwhile, trading within seconds of its return", async (context) => {
    const world = await openWorld(context)
    const { broker, service } = world
    // What a whole order takes here and now is what the waits below are given on top, so a busy machine breaks none of them.
    const warm = performance.now()
    await service.settled(await post(world, "WARM"))
    const slackMs = 5_000 + 5 * (performance.now() - warm)
    broker.freeze()
    const tookMs = stopwatch()
    const signals = [await post(world, "SPY")]
    assert.isBelow(tookMs(), accountLimits.brokerCallMsMax, "a post does not wait for the broker")
    // Its stream may say so before the call does; that no answer came is the word of the call.
    await waitUntil(
      () => `health to say that the broker does not answer${service.tail()}`,
      async () => {
        const { body } = await service.get("/health")
        const { reason } = body.accounts["paper-1"]
        return body.ready &&
          !body.can_trade &&
          body.status === "degraded" &&
          reason === "the broker does not answer"
          ? true
          : undefined
      },
      accountLimits.brokerCallMsMax + slackMs
    )
    const watch = new HealthWatch(service)
    watch.start()
    for (const symbol of ["QQQ", "IWM", "DIA"]) signals.push(await post(world, symbol))
    await pause(8_000)
    await waitUntil("ten answers", () => (watch.samples.length > 10 ? true : undefined))
    await watch.stop()
    assert.isEmpty(watch.samples.filter(({ answer }) => answer.body.can_trade !== false))
    assert.isEmpty(watch.lies([]))
    const waiting = (await service.get("/api/v1/orders")).body.items as ReadonlyArray<{
      symbol: string
      status: string
    }>
    for (const symbol of ["QQQ", "IWM", "DIA"])
      assert.strictEqual(waiting.find((order) => order.symbol === symbol)?.status, "intended", symbol)
    const back = stopwatch()
    broker.thaw()
    await service.trading()
    assert.isBelow(back(), 8_000 + slackMs)
    const sends = []
    for (const signal of signals) sends.push(await assertFilledOnce(world, signal))
    assert.deepStrictEqual(sends.slice(1), [1, 1, 1])
    assert.deepStrictEqual(await service.restarts(), {})
  }, 240_000)

  it("T2 frozen while nobody orders: its stream says so", async (context) => {
    const world = await openWorld(context)
    const { broker, service } = world
    const warm = performance.now()
    await service.settled(await post(world, "WARM"))
    const slackMs = 5_000 + 5 * (performance.now() - warm)
    broker.freeze()
    await waitUntil(
      () => `health to say that the broker is away${service.tail()}`,
      async () => {
        const { body } = await service.get("/health")
        return body.ready && !body.can_trade && body.status === "degraded" ? true : undefined
      },
      brokerLimits.pingEveryMs + brokerLimits.pongMsMax + slackMs
    )
    broker.thaw()
    await service.trading()
  }, 240_000)

  it("T2 killed and started again: ready, degraded and no trading meanwhile, webhooks taken, each order sent once", async (context) => {
    const world = await openWorld(context)
    const { broker, service } = world
    await broker.faults({ create: { mode: "delay_after", delayMs: 500 } })
    const signals = [await post(world, "SPY"), await post(world, "QQQ"), await post(world, "IWM")]
    await waitUntil("the first order", async () => ((await broker.orders()).length >= 1 ? true : undefined))
    await broker.kill()
    await waitUntil(
      () => `health to say that the broker is away${service.tail()}`,
      async () => {
        const { body, status } = await service.get("/health")
        return status === 200 && body.status === "degraded" && body.ready && !body.can_trade
          ? true
          : undefined
      }
    )
    signals.push(await post(world, "DIA"))
    // It never changes its mind before the broker is back.
    const watch = new HealthWatch(service)
    watch.start()
    await pause(3_000)
    await waitUntil("five answers", () => (watch.samples.length > 5 ? true : undefined))
    await watch.stop()
    assert.isEmpty(watch.samples.filter(({ answer }) => answer.body.can_trade !== false))
    assert.isEmpty(watch.lies([]))
    await broker.start()
    await service.trading(60_000)
    // A create may have died with the venue after it was counted and before it was booked: then it is sent again.
    for (const signal of signals) assert.isAtMost(await assertFilledOnce(world, signal), 2)
    assert.deepStrictEqual(await service.restarts(), {})
  }, 240_000)
})
