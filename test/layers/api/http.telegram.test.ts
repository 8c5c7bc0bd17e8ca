/** The webhook of the bot: who is believed, and what is answered when. */
import { afterEach, assert, describe, it } from "vitest"
import { Effect } from "effect"
import { telegramSecret } from "../../../src/domain/intake/telegram-secret.ts"
import { DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import type { TelegramInboxService } from "../../../src/layers/intake/telegram-inbox.port.ts"
import { startWorld, type World } from "./http-world.ts"

const token = `42:${"x".repeat(35)}`
const file = { telegram: { token, webhookUrl: "https://desk.example/telegram" } }
const secret = { "x-telegram-bot-api-secret-token": telegramSecret(token) }

let world: World | undefined
afterEach(() => world?.dispose())

const start = async (receive: TelegramInboxService["receive"], settings: Record<string, unknown> = file) => {
  world = await startWorld({ file: settings, inbox: { receive } })
  return world
}
const post = (to: World, body: string, headers: Readonly<Record<string, string>>) =>
  to.send("POST", "/telegram", { body, headers: { "content-type": "application/json", ...headers } })

describe("POST /telegram", () => {
  it("takes an update with the secret once it is stored, as it came", async () => {
    const stored: Array<unknown> = []
    const to = await start((via, updates) =>
      Effect.sync(() => {
        stored.push([via, ...updates])
        return 1
      })
    )
    const answer = await post(to, '{"update_id":7,"message":{"text":"caf\\u00e9","odd":[1]}}', secret)
    assert.deepStrictEqual([answer.status, answer.text.trim()], [200, '{"ok":true}'])
    const body = '{"update_id":7,"message":{"text":"café","odd":[1]}}'
    assert.deepStrictEqual(stored, [["webhook", { updateId: 7, body }]])
  })

  it("[no secret, another, one that is longer] is a 401, and nothing is stored", async () => {
    const to = await start(() => assert.fail("it was stored"))
    for (const headers of [
      {},
      { "x-telegram-bot-api-secret-token": "x" },
      { "x-telegram-bot-api-secret-token": `${telegramSecret(token)}x` }
    ])
      assert.strictEqual((await post(to, '{"update_id":7}', headers)).status, 401)
  })

  it("a probe of our own bot is answered with its word, with the secret alone, and nothing is stored", async () => {
    const to = await start(() => assert.fail("it was stored"))
    const answer = await post(to, '{"update_id":0,"probe":"word"}', secret)
    assert.deepStrictEqual([answer.status, answer.text.trim()], [200, '{"ok":true,"probe":"word"}'])
    assert.strictEqual((await post(to, '{"update_id":0,"probe":"word"}', {})).status, 401)
  })

  it("what is no update is a 400, what is too long a 413", async () => {
    const to = await start(() => assert.fail("it was stored"))
    for (const body of ["", "[]", "{}", '{"update_id":"7"}'])
      assert.strictEqual((await post(to, body, secret)).status, 400, body)
    assert.strictEqual((await post(to, `{"update_id":7,"x":"${"x".repeat(300_000)}"}`, secret)).status, 413)
  })

  it("what cannot be stored is a 503, so that Telegram posts it again", async () => {
    const to = await start(() =>
      Effect.fail(
        new DatabaseUnavailable({ operation: "x", reason: "silent", outcome: "unknown", cause: "away" })
      )
    )
    const answer = await post(to, '{"update_id":7}', secret)
    assert.deepStrictEqual([answer.status, answer.headers["retry-after"] === undefined], [503, false])
  })

  it("without a webhook in the settings there is no such path", async () => {
    const to = await start(() => assert.fail("it was stored"), { telegram: { token } })
    assert.strictEqual((await post(to, '{"update_id":7}', secret)).status, 404)
  })
})
