/** A service whose memory is over its limit: what it gives up, what goes on, and how everything returns (E9, C5). */
import { afterAll, assert, beforeAll, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody } from "./service.ts"
import { World } from "./world.ts"

const component = "root/monitors/resources"
let world: World
beforeAll(async () => {
  // Every process is over a limit of one megabyte.
  world = await World.open({ database: "external", settings: { resources: { everyMs: 100, rssHighMb: 1 } } })
  await world.service.start()
}, 180_000)
afterAll(() => world.dispose(), 150_000)

const shed = async () =>
  (await world.service.get("/health")).body.components[component].detail.shed as ReadonlyArray<string>
const events = () => world.service.get("/api/v1/events", { headers: { accept: "text/event-stream" } })

it("[E9, C5] under pressure it sheds in order and trades on; with the limit lifted all of it returns", async () => {
  const { service } = world
  await waitUntil("everything is given up", async () => ((await shed()).length === 6 ? true : undefined))
  assert.deepStrictEqual(
    service.events("resources.shed").map(({ features }) => features),
    [["practice"], ["decoration"], ["capture"], ["replay"], ["shadow"], ["console"]]
  )
  const refused = await events()
  assert.strictEqual(refused.status, 503)
  assert.match(refused.text, /streams are given up/)
  const signal = await service.post("/webhook", alertBody())
  assert.strictEqual(signal.status, 201)
  assert.strictEqual((await service.settled(String(signal.body.signal_id))).orders[0].status, "filled")
  const { body } = await service.get("/health")
  assert.deepInclude(body, { status: "degraded", ready: true, can_trade: true })
  assert.include(body.reasons, `${component} is Shedding`)
  const alert = await waitUntil("its alert", async () =>
    (await service.list("monitoring/alerts", "kind=resources.over_limit&status=open")).at(0)
  )
  assert.deepInclude(alert, { severity: "MEDIUM" })
  assert.match((await service.get("/metrics")).text, /^holdfast_shed\{feature="console"\} 1$/m)

  world.configure({ resources: { everyMs: 100 } })
  assert.strictEqual((await service.post("/api/v1/settings/reload", { reason: "a drill" })).status, 200)
  await waitUntil("everything is back", async () => ((await shed()).length === 0 ? true : undefined))
  assert.deepStrictEqual(
    service.events("resources.returned").map(({ features }) => features),
    [["console"], ["shadow"], ["replay"], ["capture"], ["decoration"], ["practice"]]
  )
  assert.strictEqual((await service.get("/api/v1/monitoring/resources")).status, 200)
}, 180_000)
