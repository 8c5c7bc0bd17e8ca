/** The client of the Bot API against a server that answers what a test says. */
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Effect, Layer } from "effect"
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import { telegramSecret } from "../../../src/domain/intake/telegram-secret.ts"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"
import { telegramApiFetch } from "../../../src/layers/operators/telegram-api.fetch.ts"
import {
  TelegramApi,
  type TelegramApiService,
  type TelegramFailed
} from "../../../src/layers/operators/telegram-api.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const token = `42:${"x".repeat(35)}`
let server: Server
let url = ""
let asked: Array<{ readonly path: string; readonly body: unknown; readonly headers: IncomingHttpHeaders }> =
  []
let answer: { readonly status: number; readonly body: string; readonly date?: string } = {
  status: 200,
  body: ""
}

beforeEach(async () => {
  asked = []
  server = createServer((request, response) => {
    let text = ""
    request.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")))
    request.on("end", () => {
      asked.push({ path: request.url ?? "", body: JSON.parse(text), headers: request.headers })
      response.writeHead(answer.status, answer.date === undefined ? {} : { date: answer.date })
      response.end(answer.body)
    })
  })
  await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
})
afterEach(() => new Promise((settle) => server.close(settle)))

const withApi = <A, E>(use: (api: TelegramApiService) => Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(
    Effect.provide(
      Effect.flatMap(TelegramApi, use),
      telegramApiFetch.pipe(
        Layer.provide(Layer.succeed(Config, settingsFrom({ telegram: { token, apiRoot: url } })))
      )
    )
  )
const failureOf = (use: (api: TelegramApiService) => Effect.Effect<unknown, TelegramFailed>) =>
  withApi((api) => Effect.flip(Effect.as(use(api), "done")))

describe("a poll", () => {
  it("asks for so many updates, and one whose answer is too long says so", async () => {
    answer = { status: 200, body: JSON.stringify({ ok: true, result: [{ update_id: 5, x: 1 }] }) }
    const updates = await withApi((api) => api.updates(3, 40, ["message"]))
    assert.deepStrictEqual(updates, [{ updateId: 5, body: '{"update_id":5,"x":1}' }])
    assert.deepInclude(asked[0]?.body, { limit: 40, offset: 3 })
    answer = { status: 200, body: " ".repeat(telegramLimits.answerBytesMax + 1) }
    assert.strictEqual((await failureOf((api) => api.updates(3, 40, ["message"]))).kind, "long")
  })
})

describe("a refusal", () => {
  it("of a group that became another chat names its number", async () => {
    const refusal = {
      ok: false,
      error_code: 400,
      description: "Bad Request: group chat was upgraded to a supergroup chat",
      parameters: { migrate_to_chat_id: -100_123 }
    }
    answer = { status: 400, body: JSON.stringify(refusal) }
    const { kind, reason } = await failureOf((api) => api.call("sendMessage", {}))
    assert.strictEqual(kind, "refused")
    assert.match(reason, /the chat is now -100123$/)
  })
})

describe("what Telegram reports of the webhook", () => {
  it("is on our clock, whatever Telegram's says", async () => {
    const body = (dateMs: number) =>
      JSON.stringify({ ok: true, result: { url: "https://x/", last_error_date: dateMs / 1_000 - 30 } })
    const theirs = Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000
    answer = { status: 200, body: body(theirs), date: new Date(theirs).toUTCString() }
    const { lastErrorMs } = await withApi((api) => api.webhook)
    assert.closeTo(Date.now() - (lastErrorMs ?? 0), 30_000, 20_000)
  })
})

describe("a probe", () => {
  it("is posted with the secret, and good when its word comes back", async () => {
    answer = { status: 200, body: '{"ok":true,"probe":"word"}' }
    await withApi((api) => api.probe(`${url}/telegram`, "word"))
    const [post] = asked
    assert.deepStrictEqual([post?.path, post?.body], ["/telegram", { update_id: 0, probe: "word" }])
    assert.strictEqual(post?.headers["x-telegram-bot-api-secret-token"], telegramSecret(token))
  })
  it.each([
    { status: 200, body: "<html>" },
    { status: 200, body: '{"ok":true}' },
    { status: 200, body: '{"ok":true,"probe":"another"}' },
    { status: 502, body: "" }
  ])("fails where something else answers [%o]", async (given) => {
    answer = given
    const { message } = await failureOf((api) => api.probe(`${url}/telegram`, "word"))
    assert.include(message, `${given.status} of something else`)
  })
})
