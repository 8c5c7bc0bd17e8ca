import { afterEach, assert, describe, it } from "vitest"
import { createServer, type Server } from "node:http"
import { plainOfHtml } from "../../peers/telegram/entities.ts"
import { ApiRefusal } from "../../peers/telegram/refusal.ts"
import { plainOptions, type StandInOptions } from "../../peers/telegram/options.ts"
import { waitUntil } from "../support/exchange.ts"
import { Telegram } from "../support/telegram.ts"

const opened: Array<{ readonly dispose: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.dispose()
})

const open = async (options: Partial<StandInOptions> = {}, now?: () => number): Promise<Telegram> => {
  const telegram = await Telegram.open(options, now)
  opened.push(telegram)
  return telegram
}

/** A webhook that answers what it is told to. */
const hook = async (statusOf: (count: number) => number) => {
  const got: Array<{ readonly secret: string | undefined; readonly id: number }> = []
  const server: Server = createServer((request, response) => {
    let text = ""
    request.on("data", (chunk: Buffer) => (text += chunk.toString()))
    request.on("end", () => {
      const secret = request.headers["x-telegram-bot-api-secret-token"]
      got.push({
        secret: typeof secret === "string" ? secret : undefined,
        id: (JSON.parse(text) as { readonly update_id: number }).update_id
      })
      response.writeHead(statusOf(got.length)).end()
    })
  })
  await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle))
  opened.push({
    dispose: () =>
      new Promise((settle) => {
        server.close(() => settle())
        server.closeAllConnections()
      })
  })
  const address = server.address()
  return { got, url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/hook` }
}

const wait = <A>(what: string, look: () => A | undefined): Promise<A> => waitUntil(() => what, look, 10_000)

describe("the token", () => {
  it("[wrong: 401, malformed: 404, unknown method: 404, revoked: 401 until restored]", async () => {
    const telegram = await open()
    assert.strictEqual((await telegram.call("getMe")).ok, true)
    assert.strictEqual((await telegram.call("getMe", {}, `2000002:${"x".repeat(35)}`)).error_code, 401)
    assert.strictEqual((await telegram.call("getMe", {}, "nonsense")).error_code, 404)
    assert.strictEqual((await telegram.call("getMoney")).error_code, 404)
    telegram.server.revoke(true)
    assert.strictEqual((await telegram.call("getMe")).description, "Unauthorized")
    telegram.server.revoke(false)
    assert.strictEqual((await telegram.call("getMe")).ok, true)
  })
})

describe("updates by polling", () => {
  it("an offset confirms what is before it, and nothing else does", async () => {
    const telegram = await open({ firstUpdateId: 50 })
    for (const text of ["a", "b", "c"]) telegram.bot.say(7, 7, text)
    const ids = async (parameters: object) =>
      ((await telegram.call("getUpdates", parameters)).result as ReadonlyArray<{ update_id: number }>).map(
        ({ update_id: id }) => id
      )
    assert.deepStrictEqual(await ids({}), [50, 51, 52])
    assert.deepStrictEqual(await ids({ limit: 1 }), [50])
    assert.deepStrictEqual(await ids({ offset: 52 }), [52])
    assert.deepStrictEqual(await ids({}), [52])
  })

  it("a second poll ends the first with 409, and a poll that waits gets what arrives", async () => {
    const telegram = await open()
    const first = telegram.call("getUpdates", { timeout: 30 })
    await wait("the first poll", () => telegram.bot.calls.get("getupdates"))
    const second = telegram.call("getUpdates", { timeout: 30 })
    assert.match((await first).description ?? "", /^Conflict: terminated by other getUpdates request/)
    telegram.bot.say(7, 7, "hello")
    assert.strictEqual(((await second).result as ReadonlyArray<unknown>).length, 1)
  })

  it("is 409 while a webhook is set, and setting one ends a poll that waits", async () => {
    const telegram = await open()
    const poll = telegram.call("getUpdates", { timeout: 30 })
    await wait("the poll", () => telegram.bot.calls.get("getupdates"))
    assert.strictEqual((await telegram.call("setWebhook", { url: "http://127.0.0.1:2/x" })).ok, true)
    assert.strictEqual((await poll).error_code, 409)
    assert.match((await telegram.call("getUpdates")).description ?? "", /while webhook is active/)
    await telegram.call("deleteWebhook")
    assert.strictEqual((await telegram.call("getUpdates")).ok, true)
  })

  it("what the bot did not ask for is never stored, and what is older than a day is gone", async () => {
    let nowMs = 1_000_000_000
    const telegram = await open({}, () => nowMs)
    await telegram.call("getUpdates", { allowed_updates: ["callback_query"] })
    assert.strictEqual(telegram.bot.say(7, 7, "unheard"), null)
    await telegram.call("getUpdates", { allowed_updates: JSON.stringify(["message"]) })
    telegram.bot.say(7, 7, "old")
    nowMs += 24 * 3_600_000 + 1
    assert.deepStrictEqual((await telegram.call("getUpdates")).result, [])
  })
})

describe("the webhook", () => {
  it.each([
    ["http://example.org/x", "bad webhook: An HTTPS URL must be provided for webhook"],
    ["https://example.org:5003/x", "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"],
    ["https://127.0.0.1/x", "bad webhook: IP address 127.0.0.1 is reserved"],
    ["nowhere", "bad webhook: Invalid URL host specified"]
  ])("[%s] is refused", async (url, description) => {
    const telegram = await open({ local: false })
    assert.strictEqual(
      (await telegram.call("setWebhook", { url })).description,
      `Bad Request: ${description}`
    )
  })

  it.each([
    ["a b", "secret token contains unallowed characters"],
    ["x".repeat(257), "secret token is too long"]
  ])("the secret token [%#] is refused", async (secret, description) => {
    const telegram = await open()
    const parameters = { url: "http://127.0.0.1:9/", secret_token: secret }
    assert.strictEqual(
      (await telegram.call("setWebhook", parameters)).description,
      `Bad Request: ${description}`
    )
  })

  it("an update is repeated until it is answered 2xx, with the secret; the trouble is in getWebhookInfo", async () => {
    const telegram = await open({ webhookRetryMs: 10 })
    const { got, url } = await hook((count) => (count < 3 ? 503 : 200))
    await telegram.call("setWebhook", { url, secret_token: "s-1" })
    telegram.bot.say(7, 7, "hello")
    await wait("three deliveries", () => (got.length === 3 ? true : undefined))
    assert.deepStrictEqual([...new Set(got.map(({ secret }) => secret))], ["s-1"])
    await wait("the confirmation", () => (telegram.bot.updates.waiting().length === 0 ? true : undefined))
    const { last_error_message: message } = (await telegram.call("getWebhookInfo")).result as {
      readonly last_error_message: string
    }
    assert.strictEqual(message, "Wrong response from the webhook: 503 Service Unavailable")
  })

  it("an update that is never taken is given up, and the next is delivered", async () => {
    const telegram = await open({ webhookRetryMs: 5, webhookAttempts: 3, firstUpdateId: 10 })
    const { got, url } = await hook(() => 500)
    await telegram.call("setWebhook", { url })
    telegram.bot.say(7, 7, "poison")
    await wait("giving up", () => (telegram.bot.deliveries.givenUp.length === 1 ? true : undefined))
    assert.deepStrictEqual(
      got.map(({ id }) => id),
      [10, 10, 10]
    )
    telegram.bot.say(7, 7, "next")
    await wait("the next", () => (got.some(({ id }) => id === 11) ? true : undefined))
  })

  it("nobody listens: what waits is counted, and is there for a poll once the webhook is deleted", async () => {
    const telegram = await open()
    await telegram.call("setWebhook", { url: "http://127.0.0.1:2/x" })
    telegram.bot.say(7, 7, "hello")
    const info = async () => (await telegram.call("getWebhookInfo")).result as Record<string, unknown>
    await waitUntil(
      () => "an error",
      async () => ((await info())["last_error_message"] === "Connection refused" ? true : undefined),
      10_000
    )
    assert.strictEqual((await info())["pending_update_count"], 1)
    await telegram.call("deleteWebhook")
    assert.strictEqual(((await telegram.call("getUpdates")).result as ReadonlyArray<unknown>).length, 1)
  })
})

describe("messages", () => {
  const send = (telegram: Telegram, parameters: object) =>
    telegram.call("sendMessage", { chat_id: 7, ...parameters })

  it.each<[string, object, string]>([
    ["an empty text", { text: " " }, "message text is empty"],
    ["4,097 characters", { text: "x".repeat(4_097) }, "message is too long"],
    ["a chat that never wrote", { chat_id: 8, text: "x" }, "chat not found"],
    [
      "a bare <",
      { text: "a < b", parse_mode: "HTML" },
      `can't parse entities: Unsupported start tag "" at byte offset 2`
    ],
    [
      "a tag left open",
      { text: "<b>x", parse_mode: "HTML" },
      `can't parse entities: Can't find end tag corresponding to start tag "b"`
    ],
    [
      "65 bytes of button data",
      { text: "x", reply_markup: { inline_keyboard: [[{ text: "b", callback_data: "x".repeat(65) }]] } },
      "BUTTON_DATA_INVALID"
    ],
    ["a mode it does not know", { text: "x", parse_mode: "Markdown" }, "unsupported parse_mode"]
  ])("[%s] is a 400", async (_, parameters, description) => {
    const telegram = await open()
    telegram.bot.chats.open(7)
    assert.strictEqual((await send(telegram, parameters)).description, `Bad Request: ${description}`)
  })

  it("the limit is 4,096 characters after the entities, and tags do not count", async () => {
    const telegram = await open()
    telegram.bot.chats.open(7)
    assert.strictEqual(
      (await send(telegram, { text: `<b>${"&lt;".repeat(4_096)}</b>`, parse_mode: "HTML" })).ok,
      true
    )
  })

  it("more than one a second to a chat, or 20 a minute to a group, is 429 with the seconds to wait", async () => {
    let nowMs = 1_000_000
    const telegram = await open({}, () => nowMs)
    for (const chat of [7, -7]) telegram.bot.chats.open(chat)
    assert.strictEqual((await send(telegram, { text: "1" })).ok, true)
    assert.deepStrictEqual((await send(telegram, { text: "2" })).parameters, { retry_after: 1 })
    nowMs += 1_000
    assert.strictEqual((await send(telegram, { text: "2" })).ok, true)
    const answers = []
    for (let n = 0; n < 21; n += 1) {
      nowMs += 100
      answers.push(await send(telegram, { chat_id: -7, text: String(n) }))
    }
    assert.deepStrictEqual(
      answers.map(({ ok }) => ok),
      [...Array.from({ length: 20 }, () => true), false]
    )
    assert.strictEqual(answers[20]?.parameters?.retry_after, 58)
  })

  it("an edit that changes nothing, or of what is not there, is a 400", async () => {
    const telegram = await open({ limits: false })
    telegram.bot.chats.open(7)
    const { message_id: id } = (await send(telegram, { text: "x" })).result as { readonly message_id: number }
    const edit = (parameters: object) =>
      telegram.call("editMessageText", { chat_id: 7, message_id: id, ...parameters })
    assert.match((await edit({ text: "x" })).description ?? "", /message is not modified/)
    assert.match((await edit({ text: "y", message_id: 99 })).description ?? "", /message to edit not found/)
    assert.strictEqual((await edit({ text: "y" })).ok, true)
    assert.strictEqual(telegram.written(7)[0]?.text, "y")
  })

  it("a press is an update that is answered in time or not at all", async () => {
    let nowMs = 1_000_000
    const telegram = await open({ limits: false }, () => nowMs)
    telegram.bot.chats.open(7)
    const markup = { inline_keyboard: [[{ text: "Yes", callback_data: "y" }]] }
    await send(telegram, { text: "sure?", reply_markup: markup })
    assert.strictEqual(telegram.bot.press(7, 9, 1, "other"), null)
    const query = telegram.bot.press(7, 9, 1, "y") ?? ""
    const [update] = (await telegram.call("getUpdates")).result as ReadonlyArray<{
      readonly callback_query: { readonly data: string; readonly from: { readonly id: number } }
    }>
    assert.deepStrictEqual([update?.callback_query.data, update?.callback_query.from.id], ["y", 9])
    assert.strictEqual(
      (await telegram.call("answerCallbackQuery", { callback_query_id: query, text: "done" })).ok,
      true
    )
    assert.strictEqual(telegram.bot.answerTo(query), "done")
    nowMs += 60_001
    assert.match(
      (await telegram.call("answerCallbackQuery", { callback_query_id: query })).description ?? "",
      /too old/
    )
  })
})

describe("faults by script", () => {
  it("a lost answer is a message that was sent; a refusal is none; both are over after their times", async () => {
    const telegram = await open({ limits: false })
    telegram.bot.chats.open(7)
    telegram.faults(
      { on: "sendMessage", times: 1, do: { type: "lose_answer" } },
      { on: "sendMessage", times: 1, do: { type: "refuse", code: 429, description: "", retryAfter: 3 } }
    )
    const send = () => telegram.call("sendMessage", { chat_id: 7, text: "x" })
    assert.strictEqual(
      await send().then(
        () => "answered",
        () => "cut"
      ),
      "cut"
    )
    assert.deepStrictEqual((await send()).parameters, { retry_after: 3 })
    assert.strictEqual((await send()).ok, true)
    assert.strictEqual(telegram.written(7).length, 2)
  })
})

describe("HTML", () => {
  it("leaves the text without tags, and references as what they stand for", () => {
    assert.strictEqual(
      plainOfHtml(
        '<b>a</b> &amp; <a href="https://x">b</a> &#65;&lt;&unknown; <pre><code class="language-x">c</code></pre>'
      ),
      "a & b A<&unknown; c"
    )
  })
  it("refuses tags that cross each other", () => {
    assert.throws(() => plainOfHtml("<b><i>x</b></i>"), ApiRefusal)
  })
})

describe("the control endpoints", () => {
  it("say, press, faults and messages do what the people in a chat do", async () => {
    const telegram = await open({ limits: false })
    const control = async (name: string, body?: object) => {
      const answer = await fetch(
        `${telegram.server.url}/control/${name}`,
        body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
      )
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
    }
    assert.deepStrictEqual((await control("say", { chat: 7, text: "/start" })).body, {
      update_id: plainOptions.firstUpdateId
    })
    await telegram.call("sendMessage", {
      chat_id: 7,
      text: "hi",
      reply_markup: { inline_keyboard: [[{ text: "b", callback_data: "d" }]] }
    })
    assert.strictEqual(
      ((await control("messages?chat=7")).body["messages"] as ReadonlyArray<unknown>).length,
      2
    )
    assert.strictEqual((await control("press", { chat: 7, message_id: 2, data: "d" })).status, 200)
    assert.strictEqual((await control("press", { chat: 7, message_id: 2, data: "other" })).status, 400)
    assert.strictEqual((await control("faults", [{ on: "getMe", do: { type: "bogus" } }])).status, 400)
    assert.strictEqual((await control("revoke", { revoked: true })).status, 200)
    assert.strictEqual((await telegram.call("getMe")).error_code, 401)
    assert.strictEqual((await control("nothing")).status, 404)
  })
})
