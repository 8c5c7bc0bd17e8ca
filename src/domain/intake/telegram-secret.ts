/**
 * telegram-secret: what Telegram repeats with every post to the webhook, so that nobody else can post there.
 *
 * It follows from the token, so that a process that serves the webhook and one that sets it agree without telling each other, and a
 * restart changes nothing.
 *
 * Promises: 32 characters of those that Telegram allows; nothing of the token can be found from it.
 * Never: is stored or logged.
 */
import { digest128 } from "../kernel/ids.ts"

/** The secret of a bot's webhook. */
export const telegramSecret = (token: string): string => digest128("telegram.webhook", [token])
