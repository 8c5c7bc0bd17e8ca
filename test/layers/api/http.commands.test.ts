/** Who may give which command over HTTP, and how its answer becomes a status. What it does is tested where it is done. */
import { Effect } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import {
  COMMAND_NAMES,
  type CommandName,
  CommandRefused,
  REFUSALS
} from "../../../src/domain/control/commands.ts"
import { commandLimits } from "../../../src/domain/control/command-limits.ts"
import { commandEndpoints } from "../../../src/wire/commands.ts"
import { DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { bearer, startWorld, type World, type WorldOptions } from "./http-world.ts"

let world: World
afterEach(() => world.dispose())
const start = async (options: WorldOptions = {}): Promise<void> => {
  world = await startWorld(options)
}

const id = "00000000-0000-8000-8000-000000000001"
/** A body that each command takes. */
const bodies: { readonly [name in CommandName]: object } = {
  "component.restart": {},
  "component.pause": {},
  "component.resume": {},
  "component.send": { event: "database.unavailable" },
  "trading_state.set": { state: "HALTED", reason: "drill" },
  "alert.acknowledge": {},
  "order.cancel": {},
  "order.resolve": { outcome: "not_placed", reason: "drill" },
  "order.approve": {},
  "order.decline": { reason: "drill" },
  "position.close": { quantity: 1.5, reason: "drill" },
  "position.adopt": {},
  "account.flatten": { reason: "drill" },
  "account.unlock": {},
  "breaker.open": {},
  "breaker.close": {},
  "strategy.demote": { reason: "it loses" },
  "strategy.promote": {},
  "dead_letter.replay": {},
  "dead_letters.replay": { filter: {}, expect_count: 0 },
  "refused_post.replay": {},
  "refused_posts.replay": { filter: {}, expect_count: 0 },
  "settings.reload": {},
  "settings.back": { reason: "drill" },
  "settings.write": { text: "{}", file_version: "none", reason: "drill" },
  "drill.run": { fault: "feed.cut" },
  "sink.test": {},
  "telegram.test": {}
}
const pathOf = (name: CommandName): string =>
  commandEndpoints[name].path.replace(":path", "root%2Ftrading").replace(":id", id)
const send = (name: CommandName, headers: Record<string, string>, more: object = {}) =>
  world.send("POST", pathOf(name), { body: JSON.stringify({ ...bodies[name], ...more }), headers })

/** Stores in which nothing is found: who gets so far may give the command. */
const nothingThere: WorldOptions = {
  reads: { acknowledgeAlert: () => Effect.succeed(null), orders: () => Effect.succeed([]) },
  orderCommands: {
    cancel: () => Effect.succeed({ _tag: "Missing" }),
    resolve: () => Effect.succeed({ _tag: "Missing" }),
    close: () => Effect.succeed({ _tag: "Missing" }),
    flatten: () => Effect.succeed({ _tag: "Missing" })
  },
  deadLetters: {
    replay: () => Effect.succeed({ _tag: "Missing" }),
    replayAll: () => Effect.succeed({ _tag: "Replayed", signals: [] })
  },
  replay: {
    replay: (selection) =>
      Effect.succeed(
        "ids" in selection
          ? selection.ids.map((one) => ({
              id: one,
              outcome: "not_found",
              signalId: null,
              errors: [],
              replayedAtMs: null
            }))
          : []
      )
  },
  fills: { adopt: () => Effect.succeed({ _tag: "Missing" }) },
  accounts: { unlock: () => Effect.succeed(null) }
}
const carried: { readonly [name in CommandName]?: number } = {
  "component.restart": 202,
  "component.pause": 202,
  "component.resume": 202,
  "component.send": 202,
  "trading_state.set": 200,
  "dead_letters.replay": 202,
  "refused_posts.replay": 202,
  "settings.reload": 200,
  "settings.back": 200,
  "settings.write": 200,
  "drill.run": 202
}

describe("the permission matrix", () => {
  const login = async (): Promise<Record<string, string>> => {
    const { body, headers } = await world.send("POST", "/api/v1/session", { headers: bearer })
    const cookie = (headers["set-cookie"] ?? "").split(";")[0] ?? ""
    return { cookie, "x-csrf-token": String(body["csrf_token"]) }
  }
  it("[T16] lets the token and a session with its CSRF token pass, for each command, and nobody else", async () => {
    await start(nothingThere)
    const session = await login()
    const { "x-csrf-token": _csrf, ...cookieOnly } = session
    const callers: ReadonlyArray<
      readonly [who: string, headers: Record<string, string>, status: number | null, means: string]
    > = [
      // In practice the same caller may read: a viewer, who gives no command.
      ["this machine without a token", {}, 401, "local"],
      ["a stranger behind a proxy", { via: "1.1 proxy" }, 401, "none"],
      ["a wrong token", { authorization: "Bearer nope" }, 401, "none"],
      ["a session without its CSRF token", cookieOnly, 403, "session"],
      ["a session from another site", { ...session, "sec-fetch-site": "cross-site" }, 401, "none"],
      ["the token", bearer, null, "token"],
      ["the token through a proxy", { ...bearer, via: "1.1 proxy" }, null, "token"],
      ["a session with its CSRF token", session, null, "session"]
    ]
    for (const name of COMMAND_NAMES) {
      for (const [who, headers, status, means] of callers) {
        const before = world.audited.length
        const answer = await send(name, headers)
        assert.strictEqual(answer.status, status ?? carried[name] ?? 404, `${name} by ${who}: ${answer.text}`)
        const row = world.audited.at(-1)
        // Of those who may not only some are kept.
        if (world.audited.length === before) continue
        assert.deepStrictEqual([row?.command, row?.means], [name, means], who)
        if (status !== null) assert.strictEqual(row?.end?.result, "refused")
      }
      const row = world.audited.at(-1)
      assert.deepStrictEqual(
        [row?.end?.result, row?.by],
        [carried[name] === undefined ? "refused" : "accepted", "console:127.0.0.1"]
      )
    }
    const [first] = world.audited
    assert.deepInclude(first, { command: "component.restart", means: "local", by: "api:127.0.0.1" })
    const refused = world.audited.filter(({ end }) => end?.reason === "not authenticated").length
    const forged = world.audited.filter(({ end }) => end?.reason?.includes("CSRF") === true).length
    assert.deepStrictEqual([refused + forged, forged > 0], [commandLimits.strangersMax, true])
  })

  it("says with a command whose words are wrong what is wrong, and carries nothing out", async () => {
    await start(nothingThere)
    for (const name of COMMAND_NAMES) {
      const answer = await send(name, bearer, { surprise: 1 })
      assert.strictEqual(answer.status, 400, name)
      assert.deepInclude(
        answer.body.errors.map(({ path }) => path),
        "surprise"
      )
    }
    for (const quantity of ["0", "-1", "1e3", "", "x", 0, -2, null]) {
      const answer = await send("position.close", bearer, { quantity })
      assert.deepStrictEqual(
        [answer.status, answer.body.errors?.[0]?.path],
        [400, "quantity"],
        String(quantity)
      )
    }
    // As of strangers, some of a flood are kept.
    const kept = COMMAND_NAMES.slice(0, commandLimits.strangersMax)
    assert.deepStrictEqual(
      world.audited.slice(0, kept.length).map(({ command }) => command),
      kept
    )
    for (const row of world.audited) {
      assert.deepInclude(row, { means: "token", by: "api:127.0.0.1", key: null, arguments: {} })
      assert.strictEqual(row.end?.result, "refused")
      assert.match(row.end?.reason ?? "", /^invalid: (surprise|quantity) /)
    }
    assert.lengthOf(world.audited, commandLimits.strangersMax)
  })

  it("[T14] audits a command that could not be read, without what it said", async () => {
    await start(nothingThere)
    const path = "/api/v1/accounts/paper-1/flatten"
    const texts = ['{"reason": "a', '{"reason": "b", "\\u0000secret": 1}']
    for (const body of texts)
      assert.strictEqual((await world.send("POST", path, { body, headers: bearer })).status, 400)
    await send("account.flatten", { ...bearer, "idempotency-key": "two words" })
    assert.deepStrictEqual(
      world.audited.map(({ command, end, scope }) => [command, scope, end?.result]),
      [
        ["account.flatten", "account:paper-1", "refused"],
        ["account.flatten", "account:paper-1", "refused"],
        ["account.flatten", `account:${id}`, "refused"]
      ]
    )
    const reasons = world.audited.map(({ end }) => end?.reason ?? "")
    assert.notInclude(reasons.join(), "\0")
    assert.include(reasons[2], "headers.idempotency-key")
  })

  it("says what is missing in words of its own", async () => {
    await start()
    const answer = async (body: object) => {
      const path = "/api/v1/dead-letters/replay"
      return (await world.send("POST", path, { body: JSON.stringify(body), headers: bearer })).body.errors
    }
    assert.deepStrictEqual(await answer({}), [
      { path: "filter", message: "is required" },
      { path: "expect_count", message: "is required" }
    ])
    assert.deepStrictEqual(await answer({ filter: [], expect_count: "0" }), [
      { path: "filter", message: "must be an object" },
      { path: "expect_count", message: "must be a number" }
    ])
  })

  it("is 404 for a target that there cannot be", async () => {
    await start()
    const nul = await world.send("POST", "/api/v1/accounts/a%00/flatten", {
      body: '{"reason":"r"}',
      headers: bearer
    })
    assert.strictEqual(nul.status, 404)
    for (const path of [
      "orders/x/cancel",
      "positions/x/close",
      "positions/x/adopt",
      "alerts/x/ack",
      "dead-letters/x/replay"
    ]) {
      const answer = await world.send("POST", `/api/v1/${path}`, { body: '{"reason":"r"}', headers: bearer })
      assert.strictEqual(answer.status, path.endsWith("ack") ? 400 : 404, path)
    }
  })
})

describe("an idempotency key", () => {
  it("answers a repetition as the first time, and marks it", async () => {
    let given = 0
    await start({ stateChanged: () => void (given += 1) })
    const keyed = { ...bearer, "idempotency-key": "7f3c" }
    const first = await send("trading_state.set", keyed)
    const second = await send("trading_state.set", keyed)
    assert.deepStrictEqual([first.status, second.status, given], [200, 200, 1])
    assert.notProperty(first.headers, "idempotent-replayed")
    assert.strictEqual(second.headers["idempotent-replayed"], "true")
    const { request_id: _one, ...body } = first.body
    assert.deepInclude(second.body, body)
    const other = await send("trading_state.set", keyed, { reason: "another" })
    assert.deepStrictEqual([other.status, other.body["reason"], given], [409, "key_reused", 1])
  })

  it("is one short word, or the command is refused", async () => {
    await start(nothingThere)
    for (const key of ["two words", "ä", "x".repeat(256)]) {
      const answer = await send("account.flatten", {
        ...bearer,
        "idempotency-key": Buffer.from(key).toString("latin1")
      })
      assert.deepStrictEqual(
        [answer.status, answer.body.errors[0]?.path],
        [400, "headers.idempotency-key"],
        key
      )
    }
    assert.strictEqual((await send("component.resume", { ...bearer, "idempotency-key": "" })).status, 202)
  })
})

describe("what a command refuses", () => {
  const statuses = { forbidden: 403, not_found: 404, invalid: 400, conflict: 409, unavailable: 503 }
  it.each(REFUSALS)("is its status with what it says [%s]", async (kind) => {
    await start({
      orderCommands: {
        flatten: () =>
          // A handler that refuses by itself, as each of them may.
          Effect.fail(
            new CommandRefused({
              kind,
              reason: "because",
              message: "words",
              ...(kind === "invalid" ? { errors: [{ path: "x", message: "m" }] } : {})
            })
          ) as never
      }
    })
    const answer = await send("account.flatten", bearer)
    assert.strictEqual(answer.status, statuses[kind], answer.text)
    if (kind !== "not_found") assert.strictEqual(answer.body["message"], "words")
    if (kind === "conflict") assert.strictEqual(answer.body["reason"], "because")
    assert.strictEqual(answer.headers["retry-after"], kind === "unavailable" ? "5" : undefined)
  })

  it("is 503 while it cannot be audited, and says that nothing was done", async () => {
    const away = new DatabaseUnavailable({
      operation: "t",
      reason: "connection",
      outcome: "not_applied",
      cause: "gone"
    })
    await start({
      audit: {
        begin: () => Effect.fail(away),
        end: () => Effect.fail(away),
        interrupt: () => Effect.fail(away)
      }
    })
    for (const name of COMMAND_NAMES) {
      const answer = await send(name, bearer)
      assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [503, "5"], name)
      assert.include(String(answer.body["message"]), "nothing was done")
    }
  })
})
