/**
 * Refused posts: what is logged and alerted about posts that were not accepted.
 *
 * A refused post is a signal that will not be traded, and its sender may never read responses. So each has a
 * line, until there are so many of one kind that they would only fill the disk: then a total follows at the end of the minute.
 *
 * Promises: at most `refusalLinesMax` lines and one total per source, status and reason in `refusalLinesPerMs`; an authenticated
 * post that was refused is a MEDIUM alert per source and reason (a conflict has its own), and a sender that was accepted before
 * and now gets only 401 a HIGH one.
 * Never: reveals which authentication check failed, repeats a body, or keys anything by a name an unauthenticated sender chose.
 * Failure: noting is synchronous and cannot fail the answer.
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { RefusalReason } from "../../domain/intake/refused-post.ts"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { Alerts } from "../alerts/alerts.port.ts"

/** A post that was answered. */
export interface AnsweredPost {
  readonly status: number
  /** The status name of the response, such as `INVALID`. */
  readonly reason: string
  /** Why it was refused after its sender was authenticated; null for any other. */
  readonly refusal: RefusalReason | null
  /** Name of a configured source; null for any other. */
  readonly source: string | null
  readonly address: string
  readonly requestId: string
  readonly errors: ReadonlyArray<FieldError>
}

export interface RefusedPostsService {
  /** Takes note of an answered post, refused or not. */
  readonly note: (post: AnsweredPost) => void
  /** Logs the totals of the minutes that have ended; of all of them when nothing more will come. */
  readonly sumUp: (which: "over" | "all") => Effect.Effect<void>
  /** Posts that were answered 503: since start, and since the last one that was accepted. */
  readonly unavailable: () => { readonly total: number; readonly inRow: number }
}

interface Minute {
  readonly status: number
  readonly reason: string
  readonly source: string | null
  readonly sinceMs: number
  lines: number
  unreported: number
}

const component = "root/http"
const nameOf = (source: string | null): string => (source === null ? "no known source" : `source ${source}`)
const textOf = (errors: ReadonlyArray<FieldError>): string =>
  errors.map(({ message, path }) => `${path === "" ? "the body" : path} ${message}`).join("; ")

/** The lines of each source and status, minute by minute. */
const makeMinutes = () => {
  const minutes = new Map<string, Minute>()
  const over = (minute: Minute, nowMs: number): boolean =>
    Math.abs(nowMs - minute.sinceMs) >= intakeLimits.refusalLinesPerMs
  return {
    /** Takes the minutes that have ended, or all of them. */
    end: (which: "over" | "all", nowMs: number): ReadonlyArray<Minute> => {
      const ended = [...minutes].filter(([, minute]) => which === "all" || over(minute, nowMs))
      for (const [key] of ended) minutes.delete(key)
      return ended.map(([, minute]) => minute)
    },
    /** How many of this kind have a line already, this one included; null when it gets none. */
    take: ({ reason, refusal, source, status }: AnsweredPost, nowMs: number): number | null => {
      const key = `${status} ${source ?? ""} ${refusal ?? ""}`
      const minute = minutes.get(key) ?? { status, reason, source, sinceMs: nowMs, lines: 0, unreported: 0 }
      minutes.set(key, minute)
      if (minute.lines >= intakeLimits.refusalLinesMax) {
        minute.unreported += 1
        return null
      }
      minute.lines += 1
      return minute.lines
    }
  }
}

/** Senders whose posts were accepted, and how often each was refused in a row since. Bounded; the oldest is forgotten. */
const makeSenders = () => {
  const refused = new Map<string, number>()
  const keyOf = ({ address, source }: AnsweredPost): string => `${source ?? ""} ${address}`
  return {
    taken: (post: AnsweredPost): void => {
      if (refused.size >= intakeLimits.sendersMax && !refused.has(keyOf(post))) {
        const oldest = refused.keys().next()
        if (oldest.done !== true) refused.delete(oldest.value)
      }
      refused.set(keyOf(post), 0)
    },
    /** Consecutive refusals of a sender that was accepted before; zero for an unknown one. */
    refusedAgain: (post: AnsweredPost): number => {
      const before = refused.get(keyOf(post))
      if (before === undefined) return 0
      refused.set(keyOf(post), before + 1)
      return before + 1
    }
  }
}

const logOne = (post: AnsweredPost) =>
  logEvent(
    "warn",
    "post.refused",
    `a post of ${nameOf(post.source)} was answered ${post.status} ${post.reason}${post.errors.length === 0 ? "" : `: ${textOf(post.errors.slice(0, 3))}`}`,
    {
      component,
      source: post.source,
      status: post.status,
      reason: post.reason,
      address: post.address,
      request_id: post.requestId
    }
  )

const sum = ({ reason, source, status, unreported }: Minute) =>
  logEvent(
    "warn",
    "post.refused",
    `${unreported} more posts of ${nameOf(source)} were answered ${status} ${reason}`,
    { component, source, status, reason, more: unreported }
  )

const raiseInvalid = ({ errors, refusal, requestId, source, status }: AnsweredPost) =>
  Alerts.use((alerts) =>
    alerts.raise({
      severity: "MEDIUM",
      kind: "post.refused",
      dedupKey: `post.refused:${source ?? ""}:${refusal ?? status}`,
      component,
      message: `posts of source ${source ?? ""} are refused: ${textOf(errors.slice(0, 3))}`,
      detail: { source, status, reason: refusal, request_id: requestId }
    })
  )

const raiseUnauthorized = ({ address, source }: AnsweredPost) =>
  Alerts.use((alerts) =>
    alerts.raise({
      severity: "HIGH",
      kind: "source.unauthorized",
      dedupKey: `source.unauthorized:${source ?? ""}`,
      component,
      message: `posts of source ${source ?? ""} from ${address} were accepted before and now get 401 every time: was a secret changed on one side only?`,
      detail: { source, address }
    })
  )

export class RefusedPosts extends Context.Service<RefusedPosts, RefusedPostsService>()(
  "holdfast/layers/RefusedPosts"
) {
  static readonly layer: Layer.Layer<RefusedPosts, never, Alerts> = Layer.effect(
    RefusedPosts,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const run = Effect.runSyncWith(yield* Effect.context<Alerts>())
      const minutes = makeMinutes()
      const senders = makeSenders()
      let total = 0
      let inRow = 0
      return RefusedPosts.of({
        note: (post) => {
          const { errors, refusal, status } = post
          if (status < 300) {
            inRow = 0
            senders.taken(post)
            return
          }
          if (status === 503) {
            total += 1
            inRow += 1
          }
          const nth = minutes.take(post, clock.currentTimeMillisUnsafe())
          if (nth !== null) run(logOne(post))
          if (nth === 1 && status === 400 && refusal !== null && errors.length > 0) run(raiseInvalid(post))
          if (status === 401 && senders.refusedAgain(post) === intakeLimits.unauthorizedInRow)
            run(raiseUnauthorized(post))
        },
        sumUp: (which) =>
          Effect.suspend(() =>
            Effect.forEach(
              minutes.end(which, clock.currentTimeMillisUnsafe()).filter(({ unreported }) => unreported > 0),
              sum,
              { discard: true }
            )
          ),
        unavailable: () => ({ total, inRow })
      })
    })
  )
}
