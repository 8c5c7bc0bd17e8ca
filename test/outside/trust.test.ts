/** T16, rows 1 to 3, on a running service: whom it believes to be local, and what controls it. */
import { existsSync, statSync } from "node:fs"
import { connect, createServer, type Server } from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { apiExchange } from "../support/openapi.ts"
import { shipped } from "../support/program.ts"
import { alertBody, Service } from "./service.ts"

const service = new Service()
beforeAll(() => service.start(), 150_000)
afterAll(() => service.dispose(), 150_000)

const proxies: Array<Server> = []
afterAll(() => {
  for (const proxy of proxies) proxy.close()
})

/**
 * A reverse proxy on this machine that adds no header at all: it takes whole small requests, writes the request line and
 * the Host, and passes the rest on.
 */
const proxyWith = async (version: string, host: string): Promise<string> => {
  const { hostname, port } = new URL(service.url)
  const proxy = createServer((client) => {
    client.on("error", () => client.destroy())
    client.once("data", (bytes: Buffer) => {
      const upstream = connect({ host: hostname, port: Number(port) })
      const text = bytes
        .toString("latin1")
        .replace(/^(\S+ \S+) HTTP\/1\.1/, `$1 HTTP/${version}`)
        .replace(/\r\nhost: [^\r]*/i, `\r\nHost: ${host}`)
        .replace(/\r\nconnection: [^\r]*/i, "\r\nConnection: close")
      upstream.write(Buffer.from(text, "latin1"))
      upstream.on("error", () => client.destroy())
      upstream.pipe(client)
      client.on("data", (more: Buffer) => upstream.write(more))
    })
  })
  proxies.push(proxy)
  await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", () => listening()))
  const address = proxy.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return `http://127.0.0.1:${address.port}`
}

const own = (): string => new URL(service.url).host
const halt = { state: "HALTED", reason: "a stranger asks" }

describe("a stranger behind a proxy that adds no header", () => {
  it.each([
    ["speaks HTTP/1.0 and names our own host, as its defaults are", "1.0", "ours", 401],
    ["passes on the host it was asked for", "1.1", "its own", 401],
    ["cannot be told from somebody here", "1.1", "ours", 201]
  ] as const)("which %s [HTTP/%s]: order, read and control", async (_what, version, host, order) => {
    const proxy = await proxyWith(version, host === "ours" ? own() : "desk.example.org")
    const posted = await apiExchange(`${proxy}/webhook`, alertBody())
    assert.strictEqual(posted.status, order, posted.text)
    const read = await apiExchange(`${proxy}/api/v1/orders`, undefined)
    assert.strictEqual(read.status, order === 201 ? 200 : 401)
    const control = await apiExchange(`${proxy}/api/v1/trading-state`, halt)
    assert.strictEqual(control.status, 401)
    assert.deepStrictEqual(Object.keys(control.body as object), ["status", "request_id"])
    const { body } = await service.get("/api/v1/trading-state")
    assert.strictEqual(body.state, "ACTIVE")
  })

  it("controls by the token through any of them", async () => {
    const proxy = await proxyWith("1.0", "desk.example.org")
    for (const state of ["HALTED", "ACTIVE"]) {
      const body = { state, reason: "by the token" }
      const answer = await apiExchange(`${proxy}/api/v1/trading-state`, body, { headers: service.bearer() })
      assert.strictEqual(answer.status, 200, answer.text)
    }
  })
})

describe("the control token", () => {
  it("is asked of a caller on this machine too, for every POST", async () => {
    for (const target of [
      "trading-state",
      "actors/root%2Ftrading/pause",
      "actors/root%2Fhttp/restart",
      "nope"
    ]) {
      const answer = await apiExchange(`${service.url}/api/v1/${target}`, halt)
      assert.strictEqual(answer.status, 401, target)
    }
    assert.strictEqual((await service.get("/api/v1/actors")).status, 200)
  })

  it("is in a file for its owner, whose path is in the log and whose content is nowhere", async () => {
    const file = `${service.dataDir}/admin-token`
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    assert.deepInclude(service.events("control.token")[0] ?? {}, { file, did: "made" })
    const token = service.bearer()["authorization"]?.slice("Bearer ".length) ?? ""
    assert.match(token, /^[0-9a-f]{64}$/)
    // Somebody pastes it where it does not belong.
    const answer = await service.post("/api/v1/trading-state", { state: "ACTIVE", reason: `token ${token}` })
    assert.strictEqual(answer.status, 200)
    const health = await service.get("/health")
    assert.notInclude(JSON.stringify(service.lines) + service.stderr + health.text, token)
  })

  it("is the same after a SIGKILL", async () => {
    const before = service.bearer()
    await service.kill()
    await service.start()
    assert.deepStrictEqual(service.bearer(), before)
    assert.deepInclude(service.events("control.token").at(-1) ?? {}, { did: "kept" })
    assert.strictEqual((await service.post("/api/v1/actors/root%2Fnope/pause", {})).status, 404)
  }, 150_000)
})

const script = "/usr/bin/script"

describe("who sits at the terminal", () => {
  it.skipIf(!existsSync(script))(
    "is shown the address of the console with the token, once",
    async () => {
      const start = `exec ${process.execPath} ${shipped("holdfast")}`
      // A pseudo terminal of its own; stdin is what the harness gives, so nobody types.
      const seated = new Service({
        command: [script, "-qfec", start, "/dev/null"],
        env: { LOG_FORMAT: "", ROLES: "http" }
      })
      try {
        seated.spawn()
        const said = await waitUntil(
          () => `the address${seated.tail()}`,
          () => {
            const lines = seated.lines.map((line) => String(line["text"]))
            return lines.find((line) => line.includes("/console/#token="))
          }
        )
        const [, address = "", token = ""] =
          /^console: (http:\/\/127\.0\.0\.1:\d+)\/console\/#token=(\w+)\s*$/.exec(said) ?? []
        assert.deepStrictEqual(seated.bearer(), { authorization: `Bearer ${token}` }, said)
        assert.strictEqual((await apiExchange(`${address}/console/`, undefined)).status, 200)
        const withToken = seated.lines.filter((line) => JSON.stringify(line).includes(token))
        assert.lengthOf(withToken, 1)
      } finally {
        await seated.dispose()
      }
    },
    150_000
  )
})
