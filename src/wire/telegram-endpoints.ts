/**
 * telegram-endpoints: where Telegram posts.
 *
 * Promises: as endpoints.ts, which this is a part of.
 * Never: handles anything.
 */
import { endpoint } from "./endpoint.ts"
import { telegramEnvelope, telegramTaken } from "./telegram.ts"

export const postTelegramUpdate = endpoint({
  method: "POST",
  path: "/telegram",
  access: "open",
  tag: "intake",
  name: "postTelegramUpdate",
  summary:
    "An update of the Telegram bot, where `telegram.webhookUrl` is set; taken with the secret in `x-telegram-bot-api-secret-token` alone.",
  body: telegramEnvelope,
  answers: { 200: telegramTaken }
})
