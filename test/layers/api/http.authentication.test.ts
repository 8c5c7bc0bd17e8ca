import { createHmac } from "node:crypto"
import { afterEach, assert, describe, it } from "vitest"
import { alert, type Reply, startWorld, type World, type WorldOptions } from "./http-world.ts"

let world: World
const start = async (options: WorldOptions = {}): Promise<World> => (world = await startWorld(options))
afterEach(() => world.dispose())

const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const hmac = (body: string, key = secret): string => createHmac("sha256", key).update(body).digest("hex")

describe("authentication", () => {
  const signed = { environment: { HMAC_SECRET: secret } }

  it("takes a hex signature of the raw body, with and without prefix", async () => {
    await start(signed)
    const body = JSON.stringify(alert())
    assert.strictEqual((await world.post(body, { "x-webhook-signature": hmac(body) })).status, 201)
    assert.strictEqual(
      (await world.post(body, { "x-webhook-signature": `sha256=${hmac(body)}` })).status,
      200
    )
    assert.strictEqual(
      (await world.post(body, { "x-webhook-signature": hmac(body).toUpperCase() })).status,
      200
    )
  })

  it("takes Standard Webhooks headers within their tolerance", async () => {
    const key = Buffer.from("0123456789abcdef0123456789abcdef")
    await start({ environment: { HMAC_SECRET: `whsec_${key.toString("base64")}` } })
    const body = JSON.stringify(alert())
    const sign = (id: string, at: number): Record<string, string> => ({
      "webhook-id": id,
      "webhook-timestamp": String(at),
      "webhook-signature": `v1,AAAA v1,${createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64")}`
    })
    const now = Math.floor(Date.now() / 1_000)
    assert.strictEqual((await world.post(body, sign("msg_1", now))).status, 201)
    assert.strictEqual((await world.post(body, sign("msg_1", now))).status, 200)
    assert.strictEqual((await world.post(body, sign("msg_2", now - 301))).status, 401)
    assert.strictEqual((await world.post(body, sign("msg_5", now + 400))).status, 401, "of the future")
    assert.strictEqual((await world.post(body, { ...sign("msg_3", now), "webhook-id": "msg_4" })).status, 401)
  })

  const key = Buffer.from("0123456789abcdef0123456789abcdef")
  it.each([`whsec_${key.toString("base64")}`, `v1,whsec_${key.toString("base64")}`])(
    "takes a secret written as %s by its key and by its text",
    async (written) => {
      await start({ environment: { HMAC_SECRET: written } })
      const at = Math.floor(Date.now() / 1_000)
      for (const by of new Set([key, written, written.replace("v1,", "")])) {
        const body = JSON.stringify(alert({ by: String(by) }))
        const hex = createHmac("sha256", by).update(body).digest("hex")
        assert.strictEqual((await world.post(body, { "x-webhook-signature": hex })).status, 201)
        const id = `msg_${String(by)}`.replaceAll("/", "")
        const standard = createHmac("sha256", by).update(`${id}.${at}.${body}`).digest("base64")
        const headers = {
          "webhook-id": id,
          "webhook-timestamp": String(at),
          "webhook-signature": `v1,${standard}`
        }
        assert.strictEqual((await world.post(body, headers)).status, 201)
      }
      const body = JSON.stringify(alert())
      for (const wrong of ["", "whsec_", key.toString("base64"), key.toString("hex")]) {
        const hex = createHmac("sha256", wrong).update(body).digest("hex")
        assert.strictEqual((await world.post(body, { "x-webhook-signature": hex })).status, 401)
      }
    }
  )

  it.each(["whsec_", "v1,whsec_", "whsec_====", "whsec_not base64"])(
    "never makes an empty or half-read key of what only looks encoded [%s]",
    async (written) => {
      await start({ environment: { HMAC_SECRET: written } })
      const body = JSON.stringify(alert())
      for (const wrong of ["", Buffer.from(written.replace(/^.*whsec_/, ""), "base64")]) {
        const hex = createHmac("sha256", wrong).update(body).digest("hex")
        assert.strictEqual((await world.post(body, { "x-webhook-signature": hex })).status, 401)
      }
      assert.strictEqual((await world.post(body, { "x-webhook-signature": hmac(body, written) })).status, 201)
    }
  )

  it("takes the secret in the body when one is configured", async () => {
    await start({ environment: { WEBHOOK_SECRET: secret } })
    assert.strictEqual((await world.post(alert({ secret }))).status, 201)
    for (const wrong of [
      alert(),
      alert({ secret: "x" }),
      alert({ secret: 7 }),
      alert({ secret: null }),
      "{garbage",
      "[]",
      ""
    ]) {
      assert.strictEqual((await world.post(wrong)).status, 401)
    }
  })

  it.each([
    ["a wrong signature", signed, { "x-webhook-signature": "0".repeat(64) }],
    ["a short signature", signed, { "x-webhook-signature": "00" }],
    ["no signature", signed, {}],
    ["an empty signature", signed, { "x-webhook-signature": "" }],
    ["a signature and no secret configured", {}, { "x-webhook-signature": "0".repeat(64) }],
    ["a standard signature and no secret configured", {}, { "webhook-signature": "v1,AAAA" }],
    ["a page of another origin", {}, { origin: "http://evil.example" }],
    ["a page that rebinds its name", {}, { origin: "http://evil.example:5003", host: "evil.example:5003" }],
    ["an unlisted address", { file: { sources: { default: { ips: ["52.89.214.238"] } } } }, {}]
  ])("refuses %s with 401 that says nothing", async (_what, options, headers) => {
    await start(options)
    const answer = await world.post(alert(), headers)
    assert.strictEqual(answer.status, 401)
    assert.deepStrictEqual(Object.keys(answer.body), ["status", "request_id"])
    assert.strictEqual(answer.body.status, "UNAUTHORIZED")
    assert.lengthOf(world.store.rows(), 0)
  })

  it("refuses a signature over another body", async () => {
    await start(signed)
    assert.strictEqual(
      (await world.post(alert(), { "x-webhook-signature": hmac(JSON.stringify(alert())) })).status,
      401
    )
  })

  it("signs bytes: two texts of one value need two signatures", async () => {
    await start(signed)
    const value = alert()
    const spaced = JSON.stringify(value, null, 2)
    assert.strictEqual(
      (await world.post(spaced, { "x-webhook-signature": hmac(JSON.stringify(value)) })).status,
      401
    )
    assert.strictEqual((await world.post(spaced, { "x-webhook-signature": hmac(spaced) })).status, 201)
  })

  it("takes an unsigned post of its own page and of a listed origin in practice", async () => {
    await start({ file: { corsOrigins: ["https://desk.example"] } })
    const own = { origin: `http://localhost:${world.port}`, host: `localhost:${world.port}` }
    assert.strictEqual((await world.post(alert(), own)).status, 201)
    assert.strictEqual((await world.post(alert(), { origin: "https://desk.example" })).status, 201)
  })
})

describe("an unsigned caller in practice", () => {
  const refusals = async (headers: Record<string, string>): Promise<void> => {
    await start({})
    const posted = await world.post(alert(), headers)
    assert.strictEqual(posted.status, 401)
    assert.deepStrictEqual(Object.keys(posted.body), ["status", "request_id"])
    assert.strictEqual((await world.send("GET", "/api/v1/actors", { headers })).status, 401)
    assert.lengthOf(world.store.rows(), 0)
  }

  it.each(["hooks.example.com", "hooks.example.com:443", "127.0.0.1.example.com", "192.168.1.7:5003"])(
    "that a proxy of this machine passes on for %s is refused",
    async (host) => refusals({ host })
  )

  it.each([
    ["forwarded", "for=203.0.113.7"],
    ["x-forwarded-for", "203.0.113.7"],
    ["x-forwarded-for", "127.0.0.1"],
    ["x-forwarded-host", "localhost"],
    ["x-forwarded-proto", "https"],
    ["x-forwarded", "for=203.0.113.7"],
    ["x-forwarded-port", "443"],
    ["x-forwarded-prefix", "/desk"],
    ["x-forwarded-anything-new", ""],
    ["x-real-ip", "203.0.113.7"],
    ["x-original-host", "hooks.example.com"],
    ["x-original-forwarded-for", "203.0.113.7"],
    ["x-client-ip", "203.0.113.7"],
    ["x-cluster-client-ip", "203.0.113.7"],
    ["true-client-ip", "203.0.113.7"],
    ["cf-connecting-ip", "203.0.113.7"],
    ["cf-ray", "8f1"],
    ["cf-warp-tag-id", "x"],
    ["cdn-loop", "cloudflare"],
    ["fly-client-ip", "203.0.113.7"],
    ["fly-forwarded-port", "443"],
    ["x-envoy-external-address", "203.0.113.7"],
    ["x-envoy-expected-rq-timeout-ms", "15000"],
    ["x-amzn-trace-id", "Root=1"],
    ["x-amz-cf-id", "x"],
    ["fastly-client-ip", "203.0.113.7"],
    ["x-appengine-country", "ZZ"],
    ["x-azure-clientip", "203.0.113.7"],
    ["tailscale-user-login", "a@example.com"],
    ["proxy-connection", "keep-alive"],
    ["via", "1.1 tunnel"],
    ["origin", "http://localhost:1"],
    ["origin", "null"],
    ["sec-fetch-site", "cross-site"],
    ["sec-fetch-site", "same-site"],
    ["sec-fetch-site", "none, cross-site"],
    ["sec-fetch-site", ""]
  ])("that a proxy which rewrites Host passes on is refused by its header [%s: %s]", async (name, value) =>
    refusals({ host: "localhost:5003", [name]: value })
  )

  it.each(["localhost:5003", "127.0.0.1:5003", "[::1]:5003", "LOCALHOST"])(
    "that asks this machine for %s is served",
    async (host) => {
      await start({})
      assert.strictEqual((await world.post(alert(), { host })).status, 201)
      assert.strictEqual((await world.send("GET", "/api/v1/actors", { headers: { host } })).status, 200)
    }
  )

  it("that a proxy passes on over HTTP/1.0, with no header and our own Host, is refused", async () => {
    await start({})
    const body = JSON.stringify(alert())
    const head = `Host: 127.0.0.1:${world.port}\r\nConnection: close\r\n`
    const length = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
    const posted = await world.raw(`POST /webhook HTTP/1.0\r\n${head}${length}\r\n${body}`)
    assert.match(posted, /^HTTP\/1\.1 401 /)
    assert.match(await world.raw(`GET /api/v1/actors HTTP/1.0\r\n${head}\r\n`), /^HTTP\/1\.1 401 /)
    assert.match(await world.raw(`GET /api/v1/actors HTTP/1.1\r\n${head}\r\n`), /^HTTP\/1\.1 200 /)
    assert.lengthOf(world.store.rows(), 0)
  })

  it("that names two hosts is refused, whichever comes first", async () => {
    await start({})
    for (const hosts of [
      ["localhost", "hooks.example.com"],
      ["localhost", "localhost"]
    ]) {
      const head = hosts.map((host) => `Host: ${host}\r\n`).join("")
      const answer = await world.raw(`GET /api/v1/actors HTTP/1.1\r\n${head}Connection: close\r\n\r\n`)
      assert.match(answer, /^HTTP\/1\.1 40[01] /)
    }
  })

  it.each([
    ["sec-fetch-site", "none"],
    ["sec-fetch-site", "same-origin"],
    ["x-request-id", "mine"],
    ["traceparent", "00-1-2-01"]
  ])("that says %s: %s is served", async (name, value) => {
    await start({})
    const headers = { [name]: value }
    assert.strictEqual((await world.post(alert(), headers)).status, 201)
    assert.strictEqual((await world.send("GET", "/api/v1/actors", { headers })).status, 200)
  })

  it("on a page of a listed origin is served, whatever its browser says of the site", async () => {
    await start({ file: { corsOrigins: ["https://desk.example"] } })
    const headers = { origin: "https://desk.example", "sec-fetch-site": "cross-site" }
    assert.strictEqual((await world.post(alert(), headers)).status, 201)
  })

  it("is taken through a proxy once its posts are signed", async () => {
    await start({ environment: { HMAC_SECRET: secret } })
    const body = JSON.stringify(alert())
    const through = { host: "hooks.example.com", "x-forwarded-for": "203.0.113.7" }
    const answer = await world.post(body, { ...through, "x-webhook-signature": hmac(body) })
    assert.strictEqual(answer.status, 201)
  })
})

describe("the rate limit of a source", () => {
  it("refuses the second post of one sender within the window, after authentication", async () => {
    await start({
      environment: { HMAC_SECRET: secret },
      file: { sources: { default: { rateLimit: { requests: 1, perMs: 60_000 } } } }
    })
    assert.strictEqual((await world.post(alert())).status, 401)
    const signedPost = (): Promise<Reply> => {
      const body = JSON.stringify(alert())
      return world.post(body, { "x-webhook-signature": hmac(body) })
    }
    assert.strictEqual((await signedPost()).status, 201)
    const second = await signedPost()
    assert.strictEqual(second.status, 429)
    assert.strictEqual(second.body.status, "RATE_LIMITED")
    assert.isAtLeast(Number(second.headers["retry-after"]), 1)
  })
})
