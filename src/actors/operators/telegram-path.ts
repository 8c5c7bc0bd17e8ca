/**
 * Telegram path: whether what people send comes through to an answer, from the rows and from nothing else.
 *
 * Health that asked whether the bot runs was green for hours while nobody was answered. So this looks at the oldest update that waits
 * and the oldest reply that was not sent, whatever the rest of the component believes.
 *
 * Promises: an answer that is overdue is reported within `unansweredMsMax` and a look, with the place where it is stuck, as the
 * reason in health and as an alert; it ends when it is over.
 * Never: counts what it has not read; asks the component how it is.
 */
import { Effect } from "effect"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { lasting } from "../../domain/operators/telegram-text.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { type TelegramFigures, TelegramStore } from "../../layers/operators/telegram-store.port.ts"

/** Why commands are unanswered; null: they are answered. */
const unansweredOf = (figures: TelegramFigures): string | null => {
  const { nowMs, oldestUnsentMs, oldestWaitingMs, unsent, waiting } = figures
  const ageOf = (ms: number | null): number => (ms === null ? 0 : nowMs - ms)
  if (ageOf(oldestWaitingMs) > telegramLimits.unansweredMsMax)
    return `${waiting} updates are stored and not handled, the oldest for ${lasting(ageOf(oldestWaitingMs))}`
  if (ageOf(oldestUnsentMs) > telegramLimits.unansweredMsMax)
    return `${unsent} messages wait to be sent, the oldest reply for ${lasting(ageOf(oldestUnsentMs))}`
  return null
}

const DEDUP_KEY = "telegram.unanswered"

/** One look; `seen` gets what it found. */
const look = (
  path: string,
  seen: (figures: TelegramFigures) => void,
  report: (unanswered: string | null) => void
) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const alerts = yield* Alerts
    const figures = yield* store.figures
    const unanswered = unansweredOf(figures)
    seen(figures)
    report(unanswered)
    if (unanswered === null) return yield* alerts.resolve(DEDUP_KEY, "commands are answered")
    return yield* alerts.raise({
      severity: "HIGH",
      kind: "telegram.unanswered",
      dedupKey: DEDUP_KEY,
      message: `commands sent to the Telegram bot are not answered: ${unanswered}`,
      component: path,
      standing: true
    })
  })

/** Runs as long as the component does. Without a database nothing is known, and its own state says so. */
export const measurePath = (
  path: string,
  seen: (figures: TelegramFigures) => void,
  report: (unanswered: string | null) => void
) =>
  Effect.forever(
    Effect.andThen(
      look(path, seen, report).pipe(
        Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], () => Effect.void)
      ),
      Effect.sleep(telegramLimits.figuresEveryMs)
    )
  )
