/**
 * Telegram path: whether what people send comes through to an answer, and what they are to know to their phones, from the rows and from
 * nothing else.
 *
 * Health that asked whether the bot runs was green for hours while nobody was answered. So this looks at the oldest update that waits,
 * the oldest reply and the oldest alert that were not sent, at the last self-test, and at chats whose last message Telegram did not take, whatever the rest of
 * the component believes.
 *
 * Promises: an answer or an alert that is overdue is reported within its limit and a look, with the place where it is stuck, as the reason
 * in health and as an alert; it ends when it is over.
 * Never: counts what it has not read; asks the component how it is.
 */
import { Effect } from "effect"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { lasting } from "../../domain/operators/telegram-text.ts"
import { selfTestTrouble } from "../../domain/operators/telegram-self-test.ts"
import { isUnreachable } from "../../domain/operators/telegram-unreachable.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { type TelegramFigures, TelegramStore } from "../../layers/operators/telegram-store.port.ts"

/** What is wrong with the path; null each: nothing. */
export interface PathTrouble {
  /** Why commands are unanswered. */
  readonly unanswered: string | null
  /** Why people are not told. */
  readonly undelivered: string | null
}

const ageIn = ({ nowMs }: TelegramFigures, ms: number | null): number => (ms === null ? 0 : nowMs - ms)

const unansweredOf = (figures: TelegramFigures): string | null => {
  const { oldestUnsentMs, oldestWaitingMs, unsent, waiting } = figures
  const handledMs = ageIn(figures, oldestWaitingMs)
  if (handledMs > telegramLimits.unansweredMsMax)
    return `${waiting} updates are stored and not handled, the oldest for ${lasting(handledMs)}`
  const sentMs = ageIn(figures, oldestUnsentMs)
  if (sentMs > telegramLimits.unansweredMsMax)
    return `${unsent} messages wait to be sent, the oldest reply for ${lasting(sentMs)}`
  return null
}

const undeliveredOf = (figures: TelegramFigures): string | null => {
  const { dropped, nowMs, oldestAlertMs, tests, unsent } = figures
  const alertMs = ageIn(figures, oldestAlertMs)
  if (alertMs > telegramLimits.alertUnsentMsMax)
    return `${unsent} messages wait to be sent, the oldest alert for ${lasting(alertMs)}`
  const untested = selfTestTrouble(tests, nowMs)
  if (untested !== null) return untested
  const lost = dropped.filter(
    ({ atMs, reason }) => isUnreachable(reason) || nowMs - atMs < telegramLimits.droppedMsMax
  )
  return lost.length === 0
    ? null
    : lost
        .slice(0, 3)
        .map(({ chat, reason }) => `the last message to ${chat} was not delivered: ${reason}`)
        .join("; ")
}

const ALERTS = {
  unanswered: { kind: "telegram.unanswered", what: "commands sent to the Telegram bot are not answered" },
  undelivered: { kind: "telegram.undelivered", what: "messages of the Telegram bot do not arrive" }
} as const

const speak = (path: string, trouble: PathTrouble) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    for (const name of ["unanswered", "undelivered"] as const) {
      const { kind, what } = ALERTS[name]
      const reason = trouble[name]
      if (reason === null) yield* alerts.resolve(kind, "messages come through")
      else
        yield* alerts.raise({
          severity: "HIGH",
          kind,
          dedupKey: kind,
          message: `${what}: ${reason}`,
          component: path,
          standing: true
        })
    }
  })

/** One look; `seen` gets what it found. */
const look = (
  path: string,
  seen: (figures: TelegramFigures) => void,
  report: (trouble: PathTrouble) => void
) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const figures = yield* store.figures
    const trouble = { unanswered: unansweredOf(figures), undelivered: undeliveredOf(figures) }
    seen(figures)
    report(trouble)
    return yield* speak(path, trouble)
  })

/** Runs as long as the component does. Without a database nothing is known, and its own state says so. */
export const measurePath = (
  path: string,
  seen: (figures: TelegramFigures) => void,
  report: (trouble: PathTrouble) => void
) =>
  Effect.forever(
    Effect.andThen(
      look(path, seen, report).pipe(
        Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], () => Effect.void)
      ),
      Effect.sleep(telegramLimits.figuresEveryMs)
    )
  )
