/**
 * The Telegram stand-in inside a test: its verbs, and calls of the Bot API as a bot makes them.
 *
 * Promises: every wait has a deadline and reports what was written last.
 * Never: sleeps for a guess.
 */
import { Effect, Exit, Scope } from "effect"
import type { Message } from "../../peers/telegram/chats.ts"
import { type Fault } from "../../peers/telegram/faults.ts"
import { plainOptions, type StandInOptions } from "../../peers/telegram/options.ts"
import { startTelegram, type TelegramStandIn } from "../../peers/telegram/server.ts"
import { waitUntil } from "./exchange.ts"

export interface ApiAnswer {
  readonly ok: boolean
  readonly error_code?: number
  readonly description?: string
  readonly parameters?: { readonly retry_after?: number }
  // What a method answers is each test's to know.
  readonly result?: unknown
}

export class Telegram {
  readonly #scope: Scope.Closeable
  readonly server: TelegramStandIn
  readonly token: string

  private constructor(scope: Scope.Closeable, server: TelegramStandIn, token: string) {
    this.#scope = scope
    this.server = server
    this.token = token
  }
  static async open(options: Partial<StandInOptions> = {}, now?: () => number, port = 0): Promise<Telegram> {
    const scope = Effect.runSync(Scope.make())
    const all = { ...plainOptions, ...options }
    const server = await Effect.runPromise(startTelegram(all, port, now).pipe(Scope.provide(scope)))
    return new Telegram(scope, server, all.token)
  }
  async dispose(): Promise<void> {
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }
  get bot() {
    return this.server.bot
  }
  /** A call of the Bot API. */
  async call(method: string, parameters: object = {}, token = this.token): Promise<ApiAnswer> {
    const answer = await fetch(`${this.server.url}/bot${token}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(parameters)
    })
    return (await answer.json()) as ApiAnswer
  }
  faults(...faults: ReadonlyArray<Fault>): void {
    this.bot.faults.set(faults)
  }
  /** What the bot wrote in a chat. */
  written(chat: number): ReadonlyArray<Message> {
    return this.bot.chats.messages(chat).filter(({ user }) => user === null)
  }
  /** Says something and waits for the `count`-th next message of the bot in that chat. */
  async ask(chat: number, user: number, text: string, deadlineMs = 60_000, count = 1): Promise<Message> {
    const before = this.written(chat).length
    this.bot.say(chat, user, text)
    return await this.next(chat, before + count - 1, deadlineMs)
  }
  /** The message of the bot after the first `before`. */
  next(chat: number, before: number, deadlineMs = 60_000): Promise<Message> {
    return waitUntil(
      () =>
        `message ${before + 1} of the bot in chat ${chat}; written: ${this.written(chat)
          .map(({ text }) => text)
          .join(" | ")
          .slice(-2_000)}`,
      () => this.written(chat)[before],
      deadlineMs
    )
  }
}
