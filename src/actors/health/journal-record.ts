/**
 * What the runtime does, as entries of the journal: transitions of machines and the lives of components.
 *
 * Promises: every transition and every report is one entry, in the order in which they happened; texts of peers are
 * masked before they are recorded; guards, actions and contexts are captured while somebody looks and only then.
 * Never: reads a context that its schema does not show (machines/context-shown.ts).
 */
import { Effect } from "effect"
import {
  type ContextSchema,
  contextDiff,
  type JournalFact,
  journalText,
  type JournalType
} from "../../domain/platform/journal.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import { Shedding } from "../../layers/platform/shedding.port.ts"
import { Journal, type JournalService } from "../../layers/platform/journal.port.ts"
import { catalog } from "../../machines/catalog.ts"
import { contextShown } from "../../machines/context-shown.ts"
import type { TransitionObserver } from "../../runtime/inspection.ts"
import { formatReport, type Observer, type SupervisionEvent } from "../../runtime/reports.ts"
import type { Tree } from "../../runtime/tree.ts"

const nothing: ContextSchema = {}
/** By the id that a machine gives itself. */
const schemas: ReadonlyMap<string, ContextSchema> = new Map(
  catalog.map(({ machine, name }) => [machine.id, contextShown[name] ?? nothing])
)

/** The observer of a tree's transitions. */
export const recordTransitions =
  (journal: JournalService, mask: Mask): TransitionObserver =>
  (transition, detail) => {
    const { cause, correlationId } = transition
    journal.record({
      type: "transition",
      at: transition.at,
      path: transition.path,
      incarnation: transition.incarnation,
      event: transition.event,
      from: transition.from,
      to: transition.to,
      since: transition.since ?? null,
      cause: cause === undefined ? null : journalText(mask(cause)),
      correlationId: correlationId === undefined ? null : journalText(correlationId),
      guard: detail === undefined || detail.guards.length === 0 ? null : detail.guards.join(", "),
      actions: detail === undefined ? null : detail.actions,
      context:
        detail === undefined
          ? null
          : contextDiff(detail.before, detail.after, schemas.get(detail.machine) ?? nothing, mask),
      detail: null
    })
  }

/** Names of reports, as their log lines have them, and which of them are about a restart. */
const names: Readonly<Record<SupervisionEvent["_tag"], readonly [JournalType, string]>> = {
  SupervisorError: ["restart", "component.failed"],
  Starting: ["component", "component.starting"],
  Started: ["component", "component.started"],
  Ignored: ["component", "component.ignored"],
  Ready: ["component", "component.ready"],
  Unready: ["component", "component.unready"],
  BackingOff: ["restart", "component.backing_off"],
  Parked: ["restart", "component.parked"],
  Escalated: ["restart", "component.escalated"],
  Stopped: ["component", "component.stopped"],
  Killed: ["restart", "component.killed"],
  Paused: ["component", "component.paused"],
  Resumed: ["component", "component.resumed"]
}

const detailOf = (event: SupervisionEvent): JournalFact["detail"] => {
  switch (event._tag) {
    case "Starting":
      return { type: event.offender.type, attempt: event.attempt }
    case "BackingOff": {
      const { max, used, withinMs } = event.budget
      return {
        attempt: event.attempt,
        delay_ms: Math.round(event.delayMs),
        budget: { used, max: Number.isFinite(max) ? max : null, within_ms: withinMs }
      }
    }
    case "Parked":
      return { attempt: event.attempt, retry_every_ms: event.retryEveryMs }
    case "Started":
      return { elapsed_ms: Math.round(event.elapsedMs) }
    case "Stopped":
      return { elapsed_ms: Math.round(event.elapsedMs) }
    case "SupervisorError":
      return { context: event.errorContext }
    case "Escalated":
      return { why: event.why }
    case "Unready":
      return { state: event.state }
    default:
      return null
  }
}

const causeOf = (event: SupervisionEvent): string | null => {
  switch (event._tag) {
    case "BackingOff":
    case "Parked":
      return event.lastError
    case "Escalated":
    case "SupervisorError":
    case "Stopped":
      return event.reason
    case "Killed":
      return formatReport(event)
    default:
      return null
  }
}

/** The observer of a tree's reports. */
export const recordReports =
  (journal: JournalService, mask: Mask): Observer<SupervisionEvent> =>
  (event) => {
    const [usual, name] = names[event._tag]
    const restarted = event._tag === "Started" && event.restarted
    const cause = causeOf(event)
    journal.record({
      type: restarted ? "restart" : usual,
      at: event.at,
      path: event.offender.path,
      incarnation: event.offender.incarnation,
      event: restarted ? "component.restarted" : name,
      from: null,
      to: null,
      since: null,
      cause: cause === null ? null : journalText(mask(cause)),
      correlationId: null,
      guard: null,
      actions: null,
      context: null,
      detail: detailOf(event)
    })
  }

/**
 * Has the tree capture details for as long as somebody looks at the journal, unless that is given up (E9). Ends with the caller's
 * scope.
 */
export const captureWhileWatched = (tree: Tree) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const shedding = yield* Shedding
    let end: (() => void) | null = null
    let isWatched = false
    const set = (watched: boolean): void => {
      isWatched = watched
      if (watched && shedding.may("capture")) end ??= tree.inspection.capture()
      else {
        end?.()
        end = null
      }
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => [journal.onWatched(set), shedding.onChange(() => set(isWatched))]),
      (stops) =>
        Effect.sync(() => {
          for (const stop of stops) stop()
          set(false)
        })
    )
  })
