/**
 * The bot as the Bot API shows it: its methods, and what a person does in its chats.
 *
 * Promises: a method answers or throws an `ApiRefusal`, as the real API would; a message beyond the limits of Telegram is
 * refused; a press is answered once, and in time.
 * Never: knows HTTP.
 */
import { plainOfHtml } from "./entities.ts"
import { Chats, type Chat, chatObject, type Message, userObject } from "./chats.ts"
import { Faults } from "./faults.ts"
import { plainOfMarkdown } from "./markdown.ts"
import { apiLimits, BOT_NAME, type StandInOptions } from "./options.ts"
import { Poll } from "./poll.ts"
import { Rates } from "./rates.ts"
import { badRequest, conflict } from "./refusal.ts"
import { Updates } from "./updates.ts"
import { Deliveries, webhookOf } from "./webhook.ts"
import { flagAt, keyboardAt, type Parameters, structureAt, textAt, wholeAt } from "./wire.ts"

/** What a person is shown when a press was answered. */
interface Query {
  readonly atMs: number
  answered: string | null
}

const secondsOf = (ms: number): number => Math.floor(ms / 1_000)

const messageObject = (message: Message, chat: Chat, botId: number): object => ({
  message_id: message.message_id,
  date: message.date,
  chat: chatObject(chat),
  from:
    message.user === null
      ? { id: botId, is_bot: true, first_name: "holdfast", username: BOT_NAME }
      : userObject(message.user),
  text: message.text,
  ...(message.keyboard.length === 0 ? {} : { reply_markup: { inline_keyboard: message.keyboard } }),
  // Telegram marks commands, and a bot may rely on it.
  ...(message.user !== null && message.text.startsWith("/")
    ? { entities: [{ type: "bot_command", offset: 0, length: message.text.split(/\s/)[0]?.length ?? 0 }] }
    : {})
})

/** By mode, whose name Telegram compares in lower case. */
const PARSERS: ReadonlyMap<string, (text: string) => string> = new Map([
  ["", (text: string) => text],
  ["html", plainOfHtml],
  ["markdownv2", plainOfMarkdown]
])

/** Text as it is shown, and as it was written. Throws an `ApiRefusal`. */
const textOf = (given: Parameters): { readonly text: string; readonly written: string } => {
  const written = textAt(given, "text") ?? ""
  const plainOf = PARSERS.get(textAt(given, "parse_mode")?.toLowerCase() ?? "")
  if (plainOf === undefined) throw badRequest("unsupported parse_mode")
  const text = plainOf(written).trim()
  if (text === "") throw badRequest("message text is empty")
  if (Array.from(text).length > apiLimits.textMax) throw badRequest("message is too long")
  return { text, written }
}

export class Bot {
  readonly options: StandInOptions
  readonly now: () => number
  readonly chats = new Chats()
  readonly faults = new Faults()
  readonly updates: Updates
  readonly deliveries: Deliveries
  readonly poll: Poll
  readonly calls = new Map<string, number>()
  /** Called for each message of the bot, and for each edit. */
  heard: (message: Message) => void = () => undefined
  readonly #rates = new Rates()
  readonly #queries = new Map<string, Query>()
  readonly #id: number
  #queryCount = 0

  constructor(options: StandInOptions, now: () => number) {
    this.options = options
    this.now = now
    this.#id = Number(options.token.split(":")[0])
    this.updates = new Updates(options.firstUpdateId, now)
    this.deliveries = new Deliveries(options, this.updates, this.faults, now)
    this.poll = new Poll(this.updates)
  }

  /** The methods by their names in lower case, which is how Telegram compares them. */
  readonly methods: Readonly<Record<string, (given: Parameters) => unknown>> = {
    getme: () => ({
      id: this.#id,
      is_bot: true,
      first_name: "holdfast",
      username: BOT_NAME,
      can_join_groups: true,
      can_read_all_group_messages: false,
      supports_inline_queries: false
    }),
    getupdates: (given) => this.#getUpdates(given),
    setwebhook: (given) => this.#setWebhook(given),
    deletewebhook: (given) => {
      if (flagAt(given, "drop_pending_updates")) this.updates.clear()
      this.deliveries.set(null)
      return true
    },
    getwebhookinfo: () => this.#webhookInfo(),
    sendmessage: (given) => this.#sendMessage(given),
    editmessagetext: (given) => this.#editMessage(given, (before) => ({ ...before, ...textOf(given) })),
    editmessagereplymarkup: (given) => this.#editMessage(given, (before) => before),
    answercallbackquery: (given) => this.#answerQuery(given),
    sendchataction: (given) => {
      this.chats.writable(wholeAt(given, "chat_id"))
      return true
    },
    setmycommands: (given) => {
      const commands = structureAt(given, "commands")
      if (!Array.isArray(commands) || commands.length > apiLimits.commandsMax)
        throw badRequest("expected an Array of BotCommand")
      return true
    }
  }

  #getUpdates(given: Parameters): unknown {
    if (this.deliveries.webhook !== null)
      throw conflict(
        "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
      )
    this.#allow(given)
    const limit = wholeAt(given, "limit") ?? apiLimits.updatesPerAnswerMax
    if (limit < 1 || limit > apiLimits.updatesPerAnswerMax)
      throw badRequest("limit must be between 1 and 100")
    const seconds = Math.min(apiLimits.pollSecondsMax, Math.max(0, wholeAt(given, "timeout") ?? 0))
    return this.poll.wait(wholeAt(given, "offset") ?? 0, limit, seconds * 1_000)
  }
  #allow(given: Parameters): void {
    const allowed = structureAt(given, "allowed_updates")
    if (allowed === undefined || allowed === null) return
    if (!Array.isArray(allowed)) throw badRequest("can't parse allowed_updates: expected an Array of String")
    this.updates.allowed = allowed.length === 0 ? null : allowed.map(String)
  }
  #setWebhook(given: Parameters): unknown {
    const url = textAt(given, "url") ?? ""
    const webhook =
      url === ""
        ? null
        : webhookOf(url, textAt(given, "secret_token"), wholeAt(given, "max_connections"), this.options.local)
    this.#allow(given)
    if (flagAt(given, "drop_pending_updates")) this.updates.clear()
    this.poll.end(conflict("terminated by setWebhook request"))
    this.deliveries.set(webhook)
    return true
  }
  #webhookInfo(): object {
    const { lastError, webhook } = this.deliveries
    return {
      url: webhook?.url ?? "",
      has_custom_certificate: false,
      pending_update_count: this.updates.waiting().length,
      ...(webhook === null ? {} : { max_connections: webhook.connectionsMax }),
      ...(lastError === null
        ? {}
        : { last_error_date: secondsOf(lastError.atMs), last_error_message: lastError.message }),
      ...(this.updates.allowed === null ? {} : { allowed_updates: this.updates.allowed })
    }
  }
  #sendMessage(given: Parameters): object {
    const chat = this.chats.writable(wholeAt(given, "chat_id"))
    const text = textOf(given)
    const keyboard = keyboardAt(given)
    if (this.options.limits) this.#rates.take(chat.id, this.now())
    const message = this.chats.add({
      chat: chat.id,
      user: null,
      date: secondsOf(this.now()),
      ...text,
      keyboard,
      silent: flagAt(given, "disable_notification")
    })
    this.heard(message)
    return messageObject(message, chat, this.#id)
  }
  #editMessage(given: Parameters, changed: (before: Message) => Message): object {
    const chat = this.chats.writable(wholeAt(given, "chat_id"))
    const before = this.chats.find(chat.id, wholeAt(given, "message_id"))
    if (before === undefined) throw badRequest("message to edit not found")
    if (before.user !== null) throw badRequest("message can't be edited")
    const after = { ...changed(before), keyboard: keyboardAt(given), edits: before.edits + 1 }
    if (
      after.written === before.written &&
      JSON.stringify(after.keyboard) === JSON.stringify(before.keyboard)
    )
      throw badRequest(
        "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message"
      )
    if (this.options.limits) this.#rates.take(chat.id, this.now())
    this.chats.replace(after)
    this.heard(after)
    return messageObject(after, chat, this.#id)
  }
  #answerQuery(given: Parameters): true {
    const text = textAt(given, "text") ?? ""
    if (Array.from(text).length > apiLimits.answerTextMax) throw badRequest("MESSAGE_TOO_LONG")
    const query = this.#queries.get(textAt(given, "callback_query_id") ?? "")
    if (query === undefined || this.now() - query.atMs > apiLimits.queryAnswerMs)
      throw badRequest("query is too old and response timeout expired or query ID is invalid")
    query.answered = text
    return true
  }

  /** A person writes. Returns the number of the update; null when the bot did not ask for messages. */
  say(chatId: number, user: number, text: string): number | null {
    const chat = this.chats.open(chatId)
    const date = secondsOf(this.now())
    const message = this.chats.add({
      chat: chatId,
      user,
      date,
      text,
      written: text,
      keyboard: [],
      silent: false
    })
    return this.#arrived(this.updates.add("message", messageObject(message, chat, this.#id)))
  }
  /** A person presses a button of a message. Returns the number of the query; null when there is no such button. */
  press(chatId: number, user: number, messageId: number, data: string): string | null {
    const chat = this.chats.open(chatId)
    const message = this.chats.find(chatId, messageId)
    if (message?.keyboard.flat().some((button) => button.callback_data === data) !== true) return null
    this.#queryCount += 1
    const id = String(7_000_000 + this.#queryCount)
    this.#queries.set(id, { atMs: this.now(), answered: null })
    this.#arrived(
      this.updates.add("callback_query", {
        id,
        from: userObject(user),
        chat_instance: String(chatId),
        message: messageObject(message, chat, this.#id),
        data
      })
    )
    return id
  }
  /** What the bot answered to a press; null while it did not. */
  answerTo(query: string): string | null {
    return this.#queries.get(query)?.answered ?? null
  }
  /** Puts an update of any form before the bot. */
  inject(content: Parameters): number | null {
    return this.#arrived(this.updates.addRaw(content))
  }
  #arrived(id: number | null): number | null {
    this.poll.look()
    this.deliveries.look()
    return id
  }
  stop(): void {
    this.poll.end(conflict("terminated by other getUpdates request; the server stops"))
    this.deliveries.stop()
  }
}
