/**
 * sink-message: a delivery as a message, and in the shapes that each kind of sink takes.
 *
 * Promises: the same delivery gives the same message however often it is tried; texts from outside are on one line, escaped where
 * they go, and bounded; of CRITICAL alerts each has a line.
 * Never: names a secret or an address.
 */
import { moreWords } from "../alerts/alert-groups.ts"
import type { OutboxAlert } from "../alerts/outbox-delivery.ts"
import { outboxLimits } from "../alerts/outbox-limits.ts"
import { isoOf } from "../kernel/iso-time.ts"
import type { Mode } from "../kernel/settings.ts"
import { oneLine } from "../kernel/text-line.ts"

export interface SinkMessage {
  /** Stable, so that a receiver recognises a repetition. */
  readonly id: string
  readonly mode: Mode
  readonly isEscalated: boolean
  readonly first: OutboxAlert
  /** The alerts that are named, the first included. */
  readonly named: ReadonlyArray<OutboxAlert>
  /** How many more there are of them. */
  readonly more: number
}

/** A delivery as a message: one names its first alert and counts the rest; of CRITICAL alerts, each is named. */
export const sinkMessage = (
  mode: Mode,
  delivery: {
    readonly id: string
    readonly isEscalated: boolean
    readonly alerts: readonly [OutboxAlert, ...ReadonlyArray<OutboxAlert>]
  }
): SinkMessage => {
  const { alerts, id, isEscalated } = delivery
  const [first] = alerts
  const named = first.severity === "CRITICAL" ? alerts.slice(0, outboxLimits.namedMax) : [first]
  return { id, mode, isEscalated, first, named, more: alerts.length - named.length }
}

/** One line above the others. */
export const titleOf = ({ first, isEscalated, mode, named }: SinkMessage): string =>
  [
    mode,
    first.severity,
    first.kind,
    ...(named.length > 1 ? [`x ${named.length}`] : []),
    ...(isEscalated ? ["- nobody has acknowledged it"] : [])
  ].join(" ")

/** What happened, in lines of at most `charsMax` characters together. */
export const linesOf = ({ more, named }: SinkMessage, charsMax: number): ReadonlyArray<string> => {
  const lineMax = Math.min(outboxLimits.messageMax, Math.floor(charsMax / (named.length + 1)))
  const rest = moreWords(more)
  return [...named.map(({ message }) => oneLine(message, lineMax)), ...(rest === "" ? [] : [rest])]
}

const alertDocument = ({ account, alertId, atMs, component, kind, message, severity }: OutboxAlert) => ({
  alert_id: alertId,
  severity,
  kind,
  message,
  component,
  account,
  at: isoOf(atMs)
})

/** The document of a webhook, and of a line of a file. */
export const documentOf = (message: SinkMessage) => ({
  type: message.isEscalated ? "alert.escalated" : "alert.raised",
  timestamp: isoOf(message.first.atMs),
  data: {
    delivery_id: message.id,
    mode: message.mode,
    ...alertDocument(message.first),
    also: message.named.slice(1).map(alertDocument),
    more: message.more
  }
})

/** Characters that a chat service takes, with room for the title. */
const SLACK_MAX = 3_000
const DISCORD_MAX = 1_700

const slackEscaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

export const slackDocument = (message: SinkMessage) => ({
  text: [`*${slackEscaped(titleOf(message))}*`, ...linesOf(message, SLACK_MAX).map(slackEscaped)].join("\n")
})

/** Discord's formatting marks mean nothing in an alert, and nobody is called by what a peer wrote. */
const discordEscaped = (text: string): string => text.replaceAll(/[\\*_~`|>#[\]]/g, (mark) => `\\${mark}`)

export const discordDocument = (message: SinkMessage) => ({
  content: [
    `**${discordEscaped(titleOf(message))}**`,
    ...linesOf(message, DISCORD_MAX).map((line) => discordEscaped(line).slice(0, DISCORD_MAX))
  ]
    .join("\n")
    .slice(0, 2_000),
  allowed_mentions: { parse: [] }
})

export const mailOf = (message: SinkMessage): { readonly subject: string; readonly text: string } => {
  const { first, more } = message
  const about = [
    ...(first.account === null ? [] : [`Account: ${oneLine(first.account)}`]),
    ...(first.component === null ? [] : [`Component: ${oneLine(first.component)}`]),
    `Since: ${isoOf(first.atMs)}`,
    `Alert: ${first.alertId}`
  ]
  const count = more === 0 ? "" : ` (and ${more} more)`
  return {
    subject: `[holdfast] ${titleOf(message)}${count}`,
    text: [...linesOf(message, outboxLimits.namedMax * outboxLimits.messageMax), "", ...about, ""].join("\n")
  }
}
