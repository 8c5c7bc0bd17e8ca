/**
 * TelegramApi: the port to the Bot API: one call, one outcome.
 *
 * Promises: a call ends within its deadline; what went wrong is one of a few kinds, each of which somebody handles differently.
 * Never: retries; puts the token, or the URL that has it, into a failure.
 */
import { Context, Data, type Effect } from "effect"
import type { ReceivedUpdate } from "../intake/telegram-inbox.port.ts"

/**
 * `credentials`: the token is refused. `conflict`: somebody else polls, or a webhook is set. `rate`: not before `retryAfterMs`.
 * `refused`: Telegram will never take it. `server`: it answered that it cannot. `long`: its answer is longer than we read. `network`:
 * no answer, so it may have been done.
 */
export type TelegramFailure = "credentials" | "conflict" | "rate" | "refused" | "server" | "long" | "network"

export class TelegramFailed extends Data.TaggedError("TelegramFailed")<{
  readonly kind: TelegramFailure
  readonly method: string
  readonly reason: string
  readonly retryAfterMs: number
}> {
  override get message(): string {
    return `${this.method}: ${this.reason}`
  }
}

/** What Telegram reports of the webhook. */
export interface WebhookReport {
  /** "": none is set. */
  readonly url: string
  /** Updates that wait to be delivered. */
  readonly pending: number
  /** Epoch milliseconds of our clock, whatever Telegram's says; null: there was no error. */
  readonly lastErrorMs: number | null
  readonly lastError: string | null
}

type Call<A> = Effect.Effect<A, TelegramFailed>

export interface TelegramApiService {
  /** Calls a method with these parameters. The number of the message that the answer names; null: it names none. */
  readonly call: (method: string, parameters: Readonly<Record<string, unknown>>) => Call<number | null>
  /** The user name of the bot, which proves its token. */
  readonly botName: Call<string>
  /** One long poll of at most `limit` updates; the offset confirms what is before it. */
  readonly updates: (
    offset: number | null,
    limit: number,
    allowed: ReadonlyArray<string>
  ) => Call<ReadonlyArray<ReceivedUpdate>>
  /** Posts to the webhook as Telegram does, and finds our own route there. Not a call of the Bot API. */
  readonly probe: (url: string, word: string) => Call<void>
  readonly webhook: Call<WebhookReport>
}

export class TelegramApi extends Context.Service<TelegramApi, TelegramApiService>()(
  "holdfast/layers/TelegramApi"
) {}
