/**
 * telegram: what the Bot API sends, as far as we read it.
 *
 * Promises: fields we do not use are left out; an update of a form that we do not know is none of ours, and never a failure of
 * those around it.
 * Never: describes what we send.
 */
import { z } from "zod"

const id = z.int()

/** What every update has; the rest is read when it is handled. */
export const telegramEnvelope = z
  .looseObject({ update_id: z.int().min(0) })
  .meta({ id: "TelegramUpdate", description: "As the Bot API describes it." })

/** No update, but a post of our own bot to its webhook. */
export const telegramProbe = z.strictObject({ update_id: z.literal(0), probe: z.string().max(64) })

const user = z.object({ id, is_bot: z.boolean().optional(), first_name: z.string().optional() })
const chat = z.object({ id, type: z.enum(["private", "group", "supergroup", "channel"]) })

const message = z.object({
  message_id: id,
  /** Seconds. */
  date: z.int(),
  chat,
  from: user.optional(),
  text: z.string().optional()
})

const callbackQuery = z.object({
  id: z.string(),
  from: user,
  /** Absent when the message is too old for Telegram to tell. */
  message: z.object({ message_id: id, date: z.int(), chat }).optional(),
  data: z.string().optional()
})

export const telegramUpdate = z.object({
  update_id: z.int(),
  message: message.optional(),
  callback_query: callbackQuery.optional()
})

/** How every method answers. */
export const telegramAnswer = z.union([
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({
    ok: z.literal(false),
    error_code: z.int(),
    description: z.string().default(""),
    parameters: z.object({ retry_after: z.number().optional(), migrate_to_chat_id: id.optional() }).optional()
  })
])

/** How the webhook answers: the probe is repeated, which no page of a proxy does. */
export const telegramTaken = z
  .object({ ok: z.literal(true), probe: z.string().exactOptional() })
  .meta({ id: "TelegramTaken" })

/** What a method that sends a message answers with; others answer otherwise. */
export const telegramSent = z.object({ message_id: id })

export const telegramBot = z.object({ id, username: z.string().default("") })

export const telegramWebhook = z.object({
  url: z.string(),
  pending_update_count: z.int().default(0),
  /** Seconds. */
  last_error_date: z.int().optional(),
  last_error_message: z.string().optional()
})
