/**
 * Control of the stand-in: what the people in its chats do, and what goes wrong.
 *
 * Promises: JSON in, JSON out; what cannot be understood is a 400 that names it.
 * Never: is part of the Bot API; a bot has no reason to call it.
 */
import { Result } from "effect"
import type { Bot } from "./bot.ts"
import { readFaults } from "./faults.ts"
import { isRecord, type Parameters } from "./wire.ts"

interface Controlled {
  readonly bot: Bot
  readonly revoke: (revoked: boolean) => void
}

interface ControlAnswer {
  readonly status: number
  readonly body: object
}

const ok = (body: object): ControlAnswer => ({ status: 200, body })
const wrong = (...problems: ReadonlyArray<string>): ControlAnswer => ({ status: 400, body: { problems } })

const parsed = (text: string): unknown => {
  try {
    return text === "" ? {} : JSON.parse(text)
  } catch {
    // The caller refuses what is no object.
    return undefined
  }
}

const numberAt = (given: Parameters, name: string): number | null => {
  const value = given[name]
  return typeof value === "number" && Number.isSafeInteger(value) ? value : null
}

const say = ({ bot }: Controlled, given: Parameters): ControlAnswer => {
  const chat = numberAt(given, "chat")
  const user = numberAt(given, "user") ?? chat
  const text = given["text"]
  if (chat === null || user === null || typeof text !== "string")
    return wrong("chat, user and text are needed")
  return ok({ update_id: bot.say(chat, user, text) })
}

const press = ({ bot }: Controlled, given: Parameters): ControlAnswer => {
  const chat = numberAt(given, "chat")
  const user = numberAt(given, "user") ?? chat
  const message = numberAt(given, "message_id")
  const data = given["data"]
  if (chat === null || user === null || message === null || typeof data !== "string")
    return wrong("chat, user, message_id and data are needed")
  const query = bot.press(chat, user, message, data)
  return query === null ? wrong("that message has no such button") : ok({ query })
}

/** Answers a request to `/control/<name>`. */
export const control = (
  controlled: Controlled,
  path: string,
  query: URLSearchParams,
  text: string
): ControlAnswer => {
  const { bot, revoke } = controlled
  const body = parsed(text)
  const given = isRecord(body) ? body : {}
  switch (path.slice("/control/".length)) {
    case "say":
      return say(controlled, given)
    case "press":
      return press(controlled, given)
    case "open": {
      const chat = numberAt(given, "chat")
      if (chat === null) return wrong("chat is needed")
      bot.chats.setBlocked(chat, given["blocked"] === true)
      return ok({})
    }
    case "update":
      return ok({ update_id: bot.inject(given) })
    case "revoke":
      revoke(given["revoked"] !== false)
      return ok({})
    case "faults": {
      const faults = readFaults(body)
      if (Result.isFailure(faults)) return wrong(...faults.failure)
      bot.faults.set(faults.success)
      return ok({})
    }
    case "messages": {
      const chat = query.get("chat")
      return ok({ messages: bot.chats.messages(chat === null ? null : Number(chat)) })
    }
    case "state":
      return ok({
        calls: Object.fromEntries(bot.calls),
        waiting: bot.updates.waiting().map(({ update }) => update.update_id),
        given_up: bot.deliveries.givenUp,
        webhook: bot.deliveries.webhook?.url ?? null
      })
    default:
      return { status: 404, body: { problems: ["no such control"] } }
  }
}
