import { afterEach, assert, describe, it, onTestFinished } from "vitest"
import { createServer } from "node:net"
import { exchange, waitUntil } from "../support/exchange.ts"
import { PaperBroker } from "../support/paper-broker.ts"
import { Service } from "./service.ts"

const services: Array<Service> = []
const make = (...given: ConstructorParameters<typeof Service>): Service => {
  const service = new Service(...given)
  services.push(service)
  return service
}
afterEach(async () => {
  for (const service of services.splice(0)) await service.dispose()
}, 150_000)

type Line = Readonly<Record<string, unknown>> | undefined
const msBetween = (from: Line, to: Line): number =>
  Date.parse(String(to?.["ts"])) - Date.parse(String(from?.["ts"]))

const occupy = () =>
  new Promise<{ port: number; free: () => void }>((settle) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      settle({
        port: typeof address === "object" && address !== null ? address.port : 0,
        free: () => server.close()
      })
    })
  })

describe("T1 start-up and configuration faults", () => {
  it("port in use: exit 69 within 5 s, last line names PortInUse, port, path and hint", async () => {
    const taken = await occupy()
    const service = make({ env: { PORT: String(taken.port) } })
    service.spawn()
    const exit = await service.end()
    taken.free()
    assert.strictEqual(exit.code, 69)
    const last = service.lastLine
    assert.strictEqual(last["event"], "fatal")
    // From its first line: how long a busy machine takes to load the program says nothing about the fault.
    assert.isBelow(msBetween(service.lines[0], last), 5_000)
    assert.strictEqual(last["error"], "PortInUse")
    assert.strictEqual(last["path"], "root/http")
    assert.isString(last["step"])
    assert.include(JSON.stringify(last), String(taken.port))
    assert.isNotEmpty(last["hint"])
    assert.isNotEmpty(last["cause"])
  })

  it.each([
    ["an unknown role", { ROLES: "http,trader" }, "ROLES"],
    ["a port that is no port", { PORT: "http" }, "PORT"],
    ["PAPER without secrets", { APP_MODE: "PAPER" }, "HMAC_SECRET"],
    [
      "a configuration file that does not exist",
      { HOLDFAST_CONFIG: "/nowhere/holdfast.json" },
      "HOLDFAST_CONFIG"
    ]
  ])("%s: exit 78 and the last line names it", async (_name, env, path) => {
    const service = make({ env })
    service.spawn()
    const exit = await service.end()
    assert.strictEqual(exit.code, 78, service.tail())
    assert.strictEqual(service.lastLine["event"], "fatal")
    assert.strictEqual(service.lastLine["path"], path)
    assert.strictEqual(service.lastLine["component"], "root", "a setting is no component")
    const first = service.lines[0] ?? {}
    assert.strictEqual(first["event"], "boot", "the first line says which version refuses")
    assert.hasAllKeys(first, [
      "ts",
      "level",
      "event",
      "msg",
      "component",
      "version",
      "commit",
      "mode",
      "roles",
      "port",
      "pid",
      "node"
    ])
  })

  // Neither root nor anybody else can make these: one parent is a file, the other is the kernel's.
  it.each(["/dev/null/holdfast", "/proc/holdfast-cannot-write"])(
    "a data directory that cannot be made (%s): exit 69 with its path",
    async (dataDir) => {
      const service = make({ dataDir })
      service.spawn()
      const exit = await service.end()
      assert.strictEqual(exit.code, 69, service.tail())
      assert.strictEqual(service.lastLine["event"], "fatal")
      assert.strictEqual(service.lastLine["path"], "root/database")
      assert.isString(service.lastLine["step"])
      assert.include(JSON.stringify(service.lastLine), dataDir)
    }
  )

  it("a database that holds tables of something else: exit 69, last line names the migration", async () => {
    const stranger = new PaperBroker({ schema: "public" })
    onTestFinished(() => stranger.dispose())
    await stranger.start()
    const service = make({ env: { DATABASE_URL: stranger.databaseUrl } })
    service.spawn()
    const exit = await service.end()
    assert.strictEqual(exit.code, 69, service.tail())
    assert.strictEqual(service.lastLine["event"], "fatal")
    assert.strictEqual(service.lastLine["error"], "MigrationFailed")
    assert.strictEqual(service.lastLine["step"], "database.migrate")
    assert.isNotEmpty(service.lastLine["hint"])
  }, 150_000)

  it("a second service on the same data directory: exit 69, the first goes on", async () => {
    const first = make()
    await first.start()
    const second = make({ dataDir: first.dataDir })
    second.spawn()
    const exit = await second.end()
    assert.strictEqual(exit.code, 69, JSON.stringify(second.lastLine))
    assert.match(String(second.lastLine["error"]), /DataDirLocked/)
    assert.include(JSON.stringify(second.lastLine), first.dataDir)
    assert.strictEqual((await first.get("/health/ready")).status, 200)
  })

  it("database unreachable at start: health answers at once and names the step, posts are spooled once it is known to be away", async () => {
    const service = make({ env: { DATABASE_URL: "postgres://holdfast@127.0.0.1:1/none" } })
    service.spawn()
    await service.listening()
    const { body, status } = await service.get("/health")
    // Known to be away already, on a machine that stood still before the question: the log has what was before.
    if (status !== 200) {
      assert.deepInclude(body, { status: "starting", ready: false, can_trade: false })
      assert.strictEqual(status, 503)
    }
    await waitUntil("the start to be told", () =>
      service.events("health.changed").find(({ was }) => was === "starting")
    )
    await waitUntil("the step to be named", async () =>
      (await service.get("/health")).body.startup.step === "database.connect" ? true : undefined
    )
    const failed = await waitUntil("a failed try", () =>
      service
        .events("startup.step")
        .find(({ state, step }) => step === "database.connect" && state === "failed")
    )
    assert.match(String(failed["error"]), /tcp:127\.0\.0\.1:1 ECONNREFUSED/)
    assert.lengthOf(service.events("database.external"), 1)
    // It is not ours to start, so nothing is reported as started.
    assert.isEmpty(service.events("database.started"))
    assert.isEmpty(service.events("startup.step").filter(({ step }) => step === "database.start"))
    assert.strictEqual((await service.get("/health/live")).status, 200)
    await service.ready()
    const away = await service.get("/health")
    assert.strictEqual(away.status, 200)
    assert.deepInclude(away.body, { status: "degraded", ready: true, can_trade: false })
    const post = await service.post("/webhook", {
      symbol: "SPY",
      direction: "long",
      timeframe: "5m",
      timestamp: new Date().toISOString()
    })
    assert.strictEqual(post.status, 202)
    assert.strictEqual(post.body.status, "SPOOLED")
    assert.strictEqual((await service.get("/webhook/test")).status, 200)
  })
})

describe("T8 stopping, and the log of a life", () => {
  it("SIGTERM and SIGINT end with 0, in order, and free the port; a life begins with boot and names its steps", async () => {
    const service = make()
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      service.lines.length = 0
      await service.start()
      await waitUntil("ready in the log", () => (service.events("ready").length > 0 ? true : undefined))
      const { url } = service
      const exit = await service.stop(60_000, signal)
      assert.strictEqual(exit.code, 0, service.tail())
      assert.lengthOf(service.events("stopping"), 1)
      assert.strictEqual(service.lastLine["event"], "stopped")
      const refused = await exchange(`${url}/health`, undefined).then(
        () => false,
        () => true
      )
      assert.isTrue(refused)
      const [boot] = service.lines
      assert.strictEqual(boot?.["event"], "boot")
      for (const field of ["version", "commit", "mode", "roles", "port"]) assert.property(boot, field)
      assert.isNumber(service.events("http.listening")[0]?.["port"])
      const ended = service.events("startup.step").filter(({ state }) => state === "succeeded")
      const numbers = ended.map(({ n }) => Number(n))
      assert.deepStrictEqual(
        numbers,
        numbers.toSorted((a, b) => a - b)
      )
      const [step] = service.events("startup.step")
      for (const field of ["n", "of", "step", "state", "ms"]) assert.property(step, field)
      assert.lengthOf(service.events("not-json"), 0)
      for (const line of service.lines)
        for (const field of ["ts", "level", "event", "msg"]) assert.property(line, field)
    }
  }, 180_000)
})
