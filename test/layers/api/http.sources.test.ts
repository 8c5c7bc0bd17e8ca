/** Sources that authenticate their senders each in its own way. */
import { createHmac } from "node:crypto"
import { afterEach, assert, describe, it } from "vitest"
import { alert, startWorld, type World, type WorldOptions } from "./http-world.ts"

let world: World
const start = async (options: WorldOptions = {}): Promise<World> => (world = await startWorld(options))
afterEach(() => world.dispose())

const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const other = "pL0wQ8zXn5VtRk2JmB7sYc4HdEfG1uAi"
const environment = { ONE: secret, TWO: other }
const one = { env: "ONE" }
const two = { env: "TWO" }

/** A world whose source `s` is this. */
const startSource = (source: unknown, more: Record<string, unknown> = {}) =>
  start({ environment, file: { sources: { s: source }, ...more } })

const post = async (body: unknown, headers: Record<string, string> = {}): Promise<number> => {
  const reply = await world.send("POST", "/webhook/s", {
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers }
  })
  if (reply.status === 401) assert.deepStrictEqual(Object.keys(reply.body), ["status", "request_id"])
  return reply.status
}

const hex = (body: string, key: string) => createHmac("sha256", key).update(body).digest("hex")

describe("a source that signs its posts", () => {
  it("has the header and the encoding it is given, and any of its secrets, so that one can replace another", async () => {
    await startSource({
      authentication: { hmac: { header: "X-Shop-Hmac", encoding: "base64", secrets: [one, two] } }
    })
    for (const key of [secret, other]) {
      const body = JSON.stringify(alert({ key }))
      const signature = createHmac("sha256", key).update(body).digest("base64")
      assert.strictEqual(await post(body, { "x-shop-hmac": signature }), 201)
      assert.strictEqual(await post(`${body} `, { "x-shop-hmac": signature }), 401, "other bytes")
      assert.strictEqual(await post(body, { "x-shop-hmac": hex(body, key) }), 401, "another encoding")
    }
    const body = JSON.stringify(alert())
    assert.strictEqual(await post(body, { "x-webhook-signature": hex(body, secret) }), 401, "another header")
    assert.strictEqual(await post(body), 401)
    assert.lengthOf(world.store.rows(), 2)
  })

  it("by Standard Webhooks has its own tolerance, and its secrets may be replaced", async () => {
    await startSource({
      preset: "standard-webhooks",
      authentication: { standardWebhooks: { toleranceMs: 10_000, secrets: [one, two] } }
    })
    const now = Math.floor(Date.now() / 1_000)
    const sign = (body: string, key: string, id: string, at: number) => ({
      "webhook-id": id,
      "webhook-timestamp": String(at),
      "webhook-signature": `v1,${createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64")}`
    })
    const body = JSON.stringify(alert())
    assert.strictEqual(await post(body, sign(body, secret, "m1", now)), 201)
    assert.strictEqual(await post(body, sign(body, other, "m2", now)), 201)
    assert.strictEqual(await post(body, sign(body, other, "m3", now - 12)), 401)
    assert.strictEqual(await post(body, sign(body, "x", "m4", now)), 401)
    assert.strictEqual(await post({ ...alert(), secret }), 401, "a method it does not have")
  })

  it("does not take the secrets of the installation", async () => {
    await start({
      environment: { ...environment, HMAC_SECRET: other, WEBHOOK_SECRET: other },
      file: { sources: { s: { authentication: { hmac: { secrets: [one] } } } } }
    })
    const body = JSON.stringify(alert())
    assert.strictEqual(await post(body, { "x-webhook-signature": hex(body, other) }), 401)
    assert.strictEqual(await post(alert({ secret: other })), 401)
    assert.strictEqual(await post(body, { "x-webhook-signature": hex(body, secret) }), 201)
  })
})

describe("a secret in the body", () => {
  it("may be any field of it, which is neither stored nor part of the identity", async () => {
    await startSource({
      authentication: { bodySecret: { field: "/auth/pass~1phrase", secrets: [one, two] } }
    })
    const body = alert()
    const withPass = (phrase: unknown) => ({ ...body, auth: { user: "me", "pass/phrase": phrase } })
    assert.strictEqual(await post(withPass(secret)), 201)
    assert.strictEqual(await post(withPass(other)), 200, "the same post under the other secret")
    for (const wrong of ["x", 7, null, [secret], ""]) assert.strictEqual(await post(withPass(wrong)), 401)
    assert.strictEqual(await post({ ...body, secret }), 401)
    const [row] = world.store.rows()
    assert.deepStrictEqual(JSON.parse(row?.body ?? ""), { ...body, auth: { user: "me" } })
  })

  it("may be in a list, out of which it is taken as well", async () => {
    await startSource({ authentication: { bodySecret: { field: "/auth/0/token", secrets: [one] } } })
    const body = alert()
    assert.strictEqual(await post({ ...body, auth: [{ token: secret, user: "me" }, 7] }), 201)
    assert.strictEqual(await post({ ...body, auth: [{ token: other, user: "me" }, 7] }), 401)
    const [row] = world.store.rows()
    assert.deepStrictEqual(JSON.parse(row?.body ?? ""), { ...body, auth: [{ user: "me" }, 7] })
    assert.notInclude(JSON.stringify(row), secret)
  })

  it("is not in what is kept of a refused post", async () => {
    await startSource({ authentication: { bodySecret: { field: "/pass", secrets: [one] } } })
    assert.strictEqual(await post({ symbol: "SPY", pass: secret }), 400)
    assert.strictEqual(world.kept[0]?.text.body, '{"symbol":"SPY"}')
  })
})

describe("several methods", () => {
  const authentication = {
    hmac: { secrets: [one] },
    bodySecret: { secrets: [two] },
    addresses: ["127.0.0.2/32"]
  }
  const body = JSON.stringify(alert({ secret: other }))

  it("of which any is enough: one right one passes, a wrong signature never does", async () => {
    await startSource({ authentication })
    assert.strictEqual(await post(alert({ secret: other })), 201)
    const unsigned = JSON.stringify(alert({ n: 2 }))
    assert.strictEqual(await post(unsigned, { "x-webhook-signature": hex(unsigned, secret) }), 201)
    assert.strictEqual(await post(body, { "x-webhook-signature": hex(body, "wrong") }), 401)
    assert.strictEqual(await post(alert({ n: 3 })), 401)
  })

  it("of which all are needed: each that is missing or wrong is a refusal", async () => {
    const all = { ...authentication, require: "all", addresses: ["127.0.0.0/8"] }
    await startSource({ authentication: all })
    const right = { "x-webhook-signature": hex(body, secret) }
    assert.strictEqual(await post(body, right), 201)
    assert.strictEqual(await post(body), 401, "no signature")
    assert.strictEqual(await post(body, { "x-webhook-signature": hex(body, other) }), 401)
    const bare = JSON.stringify(alert({ n: 4 }))
    assert.strictEqual(await post(bare, { "x-webhook-signature": hex(bare, secret) }), 401, "no body secret")
  })

  it("of which all are needed, from an address that is not listed", async () => {
    await startSource({ authentication: { ...authentication, require: "all" } })
    assert.strictEqual(await post(body, { "x-webhook-signature": hex(body, secret) }), 401)
  })
})

describe("addresses", () => {
  const behind = (trustedProxies: ReadonlyArray<string>, ips = ["52.89.214.0/24"]) =>
    startSource({ authentication: { bodySecret: { secrets: [one] } }, ips }, { trustedProxies })
  const from = (forwarded: string) =>
    post(alert({ secret, from: forwarded }), { "x-forwarded-for": forwarded })

  it("are those of the sender behind a trusted proxy, whatever it claims itself", async () => {
    await behind(["127.0.0.1", "10.0.0.0/8"])
    assert.strictEqual(await from("52.89.214.238"), 201)
    assert.strictEqual(await from("::ffff:52.89.214.238"), 201)
    assert.strictEqual(await from("52.89.214.238, 10.1.2.3"), 201, "through a second proxy of ours")
    for (const forged of ["52.89.214.238, 203.0.113.9", "203.0.113.9", "52.89.215.1", "unknown", ""])
      assert.strictEqual(await from(forged), 401, forged)
    assert.strictEqual(await post(alert({ secret })), 401, "the proxy itself")
  })

  it("are those of the socket where no proxy is trusted", async () => {
    await behind([])
    assert.strictEqual(await from("52.89.214.238"), 401)
  })

  it("are a second factor: a right one without the secret is refused", async () => {
    await behind(["127.0.0.1"])
    assert.strictEqual(await post(alert(), { "x-forwarded-for": "52.89.214.238" }), 401)
  })

  it("name the sender in what is kept and counted", async () => {
    await behind(["127.0.0.1"])
    assert.strictEqual(await post({ secret, x: 1 }, { "x-forwarded-for": "52.89.214.7" }), 400)
    assert.strictEqual(world.kept[0]?.address, "52.89.214.7")
  })
})

describe("T3 the identity of a source whose ids are names", () => {
  const named = (n: number, ms = 0) =>
    alert({ id: "Long Entry", n, timestamp: new Date(Date.now() - 60_000 + ms).toISOString() })

  it("is the content by `body`: two orders of one name are two signals, and one post is still one", async () => {
    await startSource({ identity: "body" })
    const first = named(1)
    assert.strictEqual(await post(first), 201)
    assert.strictEqual(await post(named(2)), 201)
    assert.strictEqual(await post(first), 200)
  })

  it("is id and time by `id+timestamp`: the same with another content is a conflict", async () => {
    await startSource({ identity: "id+timestamp" })
    const first = named(1)
    assert.strictEqual(await post(first), 201)
    assert.strictEqual(await post({ ...named(2, 1_000) }), 201)
    assert.strictEqual(await post({ ...first, n: 3 }), 409)
  })

  it("is the id alone by default", async () => {
    await startSource({})
    assert.strictEqual(await post(named(1)), 201)
    assert.strictEqual(await post(named(2)), 409)
  })
})
