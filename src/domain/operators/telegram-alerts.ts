/**
 * telegram-alerts: which alerts a phone is sent, and in how few messages.
 *
 * Alerts come alone or by the hundred. One is a message; those of one kind are one message that counts the rest; when many kinds come
 * at once, what is CRITICAL stays apart and the rest is one list.
 *
 * Promises: every CRITICAL alert is named, however many there are; the order is that in which they came; what the settings switch
 * off is left out, and CRITICAL cannot be; a message without sound has none but such alerts.
 * Never: knows a chat.
 */
import { type AlertGroup, groupsOf, moreWords } from "../alerts/alert-groups.ts"
import type { TelegramAlertMode, TelegramSettings } from "../kernel/settings.ts"
import type { AlertSeverity } from "../kernel/settings-alerts.ts"
import { oneLine } from "../kernel/text-line.ts"
import { telegramLimits } from "./telegram-limits.ts"
import { quietAmong } from "./telegram-quiet.ts"
import { bold, escaped, linkBelow, pagesOf } from "./telegram-text.ts"

export interface SentAlert {
  readonly id: string
  readonly severity: AlertSeverity
  readonly kind: string
  readonly message: string
  /** The strategy that it is about; null: none, or it says none. */
  readonly strategy: string | null
  /** When it began, epoch milliseconds. */
  readonly atMs: number
}

export interface AlertMessage {
  readonly html: string
  readonly isSilent: boolean
  /** The alert that it is about, where it is one. */
  readonly alertId: string | null
}

type Rules = Pick<TelegramSettings, "alerts" | "consoleUrl" | "quiet" | "strategies">

/** What becomes of an alert of this severity and kind, about this strategy. */
const alertMode = (
  { alerts, strategies }: Rules,
  { kind, severity, strategy }: Pick<SentAlert, "kind" | "severity" | "strategy">
): TelegramAlertMode => {
  const own = strategy !== null && Object.hasOwn(strategies, strategy) ? strategies[strategy] : undefined
  const ofKind = Object.hasOwn(alerts.kinds, kind) ? alerts.kinds[kind] : undefined
  const mode = own ?? ofKind ?? alerts[severity]
  return mode === "off" && severity === "CRITICAL" ? "on" : mode
}

type Group = AlertGroup<SentAlert>

/** On a line of its own. */
const below = (words: string): string => (words === "" ? "" : `\n${words}`)
const headOf = ({ kind, severity }: SentAlert): string => `${bold(severity)} ${escaped(kind)}`

/** Where the console shows it. */
const linkTo = ({ consoleUrl }: Rules, { kind }: SentAlert): string =>
  linkBelow(consoleUrl, `alerts?kind=${encodeURIComponent(kind)}`)

/** One kind: its first alert and how many more; of what is CRITICAL, each. */
const messagesOfGroup = (rules: Rules, { all, first }: Group): ReadonlyArray<AlertMessage> => {
  // Alerts of one kind may be about several strategies.
  const isSilent = all.every((alert) => alertMode(rules, alert) === "silent")
  if (first.severity === "CRITICAL" && all.length > 1)
    return pagesOf(
      headOf(first),
      all.map(({ message }) => `- ${oneLine(message)}`)
    ).map((html) => ({ html: `${html}${linkTo(rules, first)}`, isSilent, alertId: null }))
  return [
    {
      html: `${headOf(first)}\n${escaped(oneLine(first.message, 1_000))}${below(moreWords(all.length - 1))}${linkTo(rules, first)}`,
      isSilent,
      alertId: all.length === 1 ? first.id : null
    }
  ]
}

const summaryOf = (rules: Rules, groups: ReadonlyArray<Group>, during = ""): ReadonlyArray<AlertMessage> => {
  const count = groups.reduce((sum, { all }) => sum + all.length, 0)
  const named = groups.slice(0, telegramLimits.alertsNamedMax)
  const rest = groups.length - named.length
  const lines = named.map(
    ({ all, first }) => `${all.length} x ${first.severity} ${first.kind}: ${oneLine(first.message, 160)}`
  )
  return pagesOf(bold(`${count} alerts${during}`), [
    ...lines,
    ...(rest === 0 ? [] : [`and ${rest} more kinds: /alerts`])
  ]).map((html) => ({
    html: `${html}${linkBelow(rules.consoleUrl, "alerts")}`,
    isSilent: groups.every(({ all }) => all.every((alert) => alertMode(rules, alert) === "silent")),
    alertId: null
  }))
}

const messagesOf = (rules: Rules, groups: ReadonlyArray<Group>): ReadonlyArray<AlertMessage> => {
  if (groups.length <= telegramLimits.alertsSingleMax)
    return groups.flatMap((group) => messagesOfGroup(rules, group))
  const isCritical = ({ first }: Group): boolean => first.severity === "CRITICAL"
  const rest = groups.filter((group) => !isCritical(group))
  return [
    ...groups.filter(isCritical).flatMap((group) => messagesOfGroup(rules, group)),
    ...(rest.length === 0 ? [] : summaryOf(rules, rest))
  ]
}

/** The messages about alerts, which are in the order in which they came; what quiet hours kept is one summary before them. */
export const alertMessages = (
  rules: Rules,
  alerts: ReadonlyArray<SentAlert>
): ReadonlyArray<AlertMessage> => {
  const sent = alerts.filter((alert) => alertMode(rules, alert) !== "off")
  const isQuiet = quietAmong(
    rules.quiet,
    sent.map(({ atMs }) => atMs)
  )
  const wasKept = ({ atMs, severity }: SentAlert): boolean => severity !== "CRITICAL" && isQuiet(atMs)
  const kept = sent.filter(wasKept)
  const fresh = sent.filter((alert) => !wasKept(alert))
  return [
    ...(kept.length === 0 ? [] : summaryOf(rules, groupsOf(kept), " of the quiet hours")),
    ...messagesOf(rules, groupsOf(fresh))
  ]
}
