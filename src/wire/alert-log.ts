/**
 * alert-log: a sender's exported log of alerts, and what became of each of its lines (G2).
 *
 * Promises: the totals add up to the lines; a line has its number in the file that was posted.
 * Never: shows a body.
 */
import { z } from "zod"
import { LINE_OUTCOMES } from "../domain/intake/alert-account.ts"
import { alertLogLimits } from "../domain/kernel/limits-kept.ts"
import { command, endpoint } from "./endpoint.ts"
import { count, instant, uuid } from "./words.ts"

const text = z.string().nullable()

const accountedLine = z
  .object({
    line: count.meta({ description: "Line of the log, from 1." }),
    at: instant.nullable().meta({ description: "When the alert was fired." }),
    id: text.meta({ description: "As the log names it." }),
    name: text,
    sender_status: text.meta({ description: "What the sender notes about the delivery." }),
    outcome: z.enum(LINE_OUTCOMES),
    reason: text,
    signal_id: uuid.nullable(),
    signal_status: text,
    refused_id: uuid.nullable(),
    received_at: instant.nullable(),
    delay_ms: z.number().nullable().meta({ description: "From the alert to its receipt." }),
    posts_taken: z.boolean().nullable().meta({
      description:
        "Of an alert that never arrived: whether this installation took posts then; null: not noted."
    })
  })
  .meta({ id: "AccountedAlert" })

export const accountedLog = z
  .object({
    source: z.string(),
    lines: count,
    others: count.meta({ description: "Lines of alerts with another name, which are left out." }),
    arrived: count.meta({ description: "Accepted and duplicates." }),
    complete: z.boolean().meta({ description: "All lines arrived." }),
    summary: z.string().meta({ examples: ["138 of 138 alerts arrived"] }),
    totals: z.object({
      accepted: count,
      duplicate: count.meta({ description: "Their signal had come before." }),
      refused: count,
      never_arrived: count,
      not_kept: count.meta({ description: "Older than what is kept: nothing is known of them." }),
      unreadable: count
    }),
    items: z.array(accountedLine)
  })
  .meta({ id: "AccountedAlertLog" })

export const alertLogBody = z
  .strictObject({
    source: z.string("must name a source").default("default"),
    name: z.string("must be the name of an alert").optional().meta({
      description: "Only alerts of this name: an export has those of all webhooks."
    }),
    log: z.string("must be the text of the log").meta({
      description:
        "CSV as TradingView exports it, CSV with columns time and text, a JSON list, or a JSON object per line."
    })
  })
  .meta({ id: "AlertLogBody" })

export const accountAlertLog = endpoint({
  ...command,
  path: "/api/v1/alert-log",
  tag: "operations",
  name: "accountAlertLog",
  summary: "Accounts for a sender's exported log of alerts, line by line; changes nothing.",
  body: alertLogBody,
  // Text inside JSON: line breaks and quotes take two bytes.
  bodyBytesMax: 2 * alertLogLimits.bytesMax,
  answers: { 200: accountedLog }
})
