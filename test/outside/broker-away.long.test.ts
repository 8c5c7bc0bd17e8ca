import { assert, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { assertFilledOnce, openWorld, post } from "./broker-scenes.ts"

// Long because nobody hears a frozen peer: the silence has to last until the pong of a stream is overdue.
it("a frozen broker: webhooks are taken at once all the same, and its orders are sent when it is back", async (context) => {
  const world = await openWorld(context)
  const { broker, service } = world
  broker.freeze()
  const from = performance.now()
  const signal = await post(world, "SPY")
  assert.isBelow(performance.now() - from, 1_000)
  await waitUntil(
    () => `health to say that the broker is away${service.tail()}`,
    async () => {
      const { body } = await service.get("/health")
      return body.ready && !body.can_trade && body.status === "degraded" ? true : undefined
    },
    60_000
  )
  console.log(`a frozen broker was noticed after ${Math.round(performance.now() - from)} ms`)
  broker.thaw()
  await service.trading(60_000)
  await assertFilledOnce(world, signal)
}, 150_000)
