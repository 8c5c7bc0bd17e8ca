/**
 * settings-telegram: the bot, as the settings have it.
 *
 * Promises: as settings.ts, which this is a part of; a chat that is not named may do nothing.
 * Never: holds a token in clear longer than it is read.
 */
import { z } from "zod"
import { PERMISSIONS } from "../domain/control/commands.ts"
import { isZone } from "../domain/kernel/day.ts"
import { WEEKDAYS } from "../domain/kernel/settings.ts"
import { clock } from "./settings-expected.ts"
import { mapOf, text, wholeFrom, zoneWords } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const idWords = "must be the number of a chat or a user, such as 123456789 or -1001234567890"
const chatId = z.string(idWords).regex(/^-?[1-9]\d{0,15}$/, idWords)
const rootWords = "must be an http or https URL without a path of its own"
const consoleWords = "must be an http or https URL, without a query, a fragment or a user"
const hookWords = "must be an https URL, or an http one of this machine"

const chat = z
  .strictObject({
    role: oneOf(PERMISSIONS).default("viewer").meta({
      description:
        "What may be done in this chat. In a group everybody reads; controls are for operators who are named, here or by a chat of their own."
    }),
    users: mapOf(chatId, oneOf(PERMISSIONS))
      .default({})
      .meta({ description: "In a group: what single users may do there, by their numbers." }),
    alerts: z
      .boolean("must be true or false")
      .exactOptional()
      .meta({ description: "Whether alerts are sent to this chat. Absent: to chats of operators." })
  })
  .meta({ id: "TelegramChatSettings", description: "A chat that the bot answers." })

const mode = oneOf(["on", "silent", "off"])
const alerts = z
  .strictObject({
    LOW: mode.default("off"),
    MEDIUM: mode.default("silent"),
    HIGH: mode.default("on"),
    CRITICAL: mode.default("on"),
    kinds: mapOf(z.string(), mode).default({}).meta({
      description:
        "By kind, such as `feed.flapping`; overrides the severity, except that CRITICAL is never off."
    })
  })
  .meta({
    id: "TelegramAlertSettings",
    description: "Which alerts are sent, by severity: on, silent or off."
  })

const quiet = z
  .strictObject({
    zone: text
      .refine(isZone, zoneWords)
      .default("UTC")
      .meta({ description: "Time zone of `from` and `to`." }),
    from: clock.meta({ description: "When they begin." }),
    to: clock.meta({ description: "When they end; not after `from`: on the next day." }),
    days: z
      .array(oneOf(WEEKDAYS), "must be a list of days")
      .min(1, "names no day; leave it out for all of them")
      .default([...WEEKDAYS])
      .meta({ description: "The days on which they begin." })
  })
  .meta({
    id: "TelegramQuietHours",
    description:
      "Hours in which alerts other than CRITICAL are kept, and summarised when they end. null: none. Replies, and entries that wait for a human, are never kept."
  })

export const telegram = z
  .strictObject({
    token: text.exactOptional().meta({ description: "The token of the bot; absent: there is no bot." }),
    apiRoot: z
      .string(rootWords)
      .regex(/^https?:\/\/[^/\s?#@]+\/?$/, rootWords)
      .default("https://api.telegram.org")
      .meta({ description: "Where the Bot API is." }),
    chats: mapOf(chatId, chat)
      .default({})
      .meta({ description: "Whom the bot answers, by the number of the chat; nobody else." }),
    webhookUrl: z
      .string(hookWords)
      .regex(/^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost)[:/])[^\s]+$/, hookWords)
      .nullable()
      .default(null)
      .meta({
        description:
          "Where Telegram posts updates: the path `/telegram` of this service, as it is reached from outside. null: long polling."
      }),
    alerts: alerts.prefault({}),
    strategies: mapOf(z.string(), mode).default({}).meta({
      description:
        "By strategy: whether alerts about it are sent; overrides severity and kind, except that CRITICAL is never off."
    }),
    quiet: quiet.nullable().default(null),
    selfTestEveryMs: wholeFrom(60_000, 7 * 86_400_000)
      .nullable()
      .default(86_400_000)
      .meta({
        description:
          "How often a message without sound goes to every chat that gets alerts, to see whether Telegram takes it; not in quiet hours. null: only when an operator asks."
      }),
    consoleUrl: z
      .string(consoleWords)
      .regex(/^https?:\/\/[^\s?#@]+$/, consoleWords)
      .nullable()
      .default(null)
      .meta({ description: "Where people open the console; messages link to it. null: no links." })
  })
  .meta({ id: "TelegramSettings", description: "The Telegram bot: docs/telegram.md." })
