/**
 * Trouble watch: reports what would go unnoticed unless somebody asked: a changed status, a database that stays away.
 *
 * Health is derived on demand. Here it is derived all the time, so that every change of it becomes a
 * log line; the same look measures how long the database is away, which no component can store while it lasts.
 *
 * Promises: an absence of more than five seconds is a HIGH alert while it lasts, and again, with its duration and cause and
 * the spooled and refused posts, when it ends; each absence is a row of its own; totals of refused posts are logged in time.
 * Never: counts a start or a stop as an absence.
 */
import { Clock, Effect } from "effect"
import { databaseActorLimits, healthLimits } from "../../domain/kernel/limits.ts"
import { lookAtOutage, type Outage, type OutageNews } from "../../domain/database/outage.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import { HealthSource } from "../../layers/health/health-source.port.ts"
import { RefusedPosts } from "../../layers/intake/refused-posts.port.ts"
import { IntakeQueue } from "../../layers/intake/intake-queue.port.ts"
import { Spool } from "../../layers/intake/spool.port.ts"
import { Lifecycle } from "../../layers/platform/lifecycle.port.ts"
import { ALL_THE_TIME, pacedLook } from "./paced-look.ts"

const component = "root/database"

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`
const posts = (count: number, what: string): string =>
  `${count} ${count === 1 ? "post was" : "posts were"} ${what}`

/** What it has cost: posts that are in the spool, and posts that nobody has. */
const cost = (spooled: number, refused: number): string =>
  [
    ...(spooled > 0 ? [posts(spooled, "spooled")] : []),
    ...(refused > 0 || spooled === 0 ? [posts(refused, "refused")] : [])
  ].join(" and ")

const reportOutage = (news: OutageNews) =>
  Alerts.use((alerts) => {
    const { cause, refused, sinceMs, spooled } = news
    const since = new Date(sinceMs).toISOString()
    const dedupKey = `database.away:${since}`
    const raised = alerts.raise({
      severity: "HIGH",
      kind: "database.away",
      dedupKey,
      component,
      message:
        news._tag === "Away"
          ? `the database has been away for more than ${seconds(databaseActorLimits.awayMsMax)}: ${cause}`
          : `the database was away for ${seconds(news.lastedMs)}: ${cause}; ${cost(spooled, refused)} meanwhile`,
      detail: {
        since,
        cause,
        refused,
        spooled,
        ...(news._tag === "Away" ? {} : { lasted_ms: news.lastedMs })
      }
    })
    return news._tag === "Away"
      ? raised
      : Effect.andThen(raised, alerts.resolve(dedupKey, "the database is back"))
  })

/** Runs until it is interrupted. */
export const troubleWatch = Effect.gen(function* () {
  const health = yield* HealthSource
  const database = yield* Database
  const queue = yield* IntakeQueue
  const spool = yield* Spool
  const lifecycle = yield* Lifecycle
  const refused = yield* RefusedPosts
  let outage: Outage = null
  let everThere = false
  const look = Effect.gen(function* () {
    const { component: componentAt } = health.health()
    // A frozen server refuses nothing: the intake's overdue commit reveals it first.
    const there = database.availability.current() === "available" && !queue.stalled()
    everThere ||= there
    const row = there ? undefined : componentAt(component)
    const attempt = row?.detail["attempt"]
    const started = everThere || (typeof attempt === "number" && attempt > 0)
    const { inRow, total } = refused.unavailable()
    const { sinceEmpty, spooled } = spool.look()
    const now = lookAtOutage(
      outage,
      {
        nowMs: yield* Clock.currentTimeMillis,
        away: !there && started && !lifecycle.stopping(),
        cause: row?.last_error ?? null,
        refused: total,
        refusedInRow: inRow,
        spooled,
        spooledInRow: sinceEmpty
      },
      databaseActorLimits.awayMsMax
    )
    outage = now.outage
    if (now.news !== null) yield* reportOutage(now.news)
    yield* refused.sumUp("over")
    return { everyMs: healthLimits.lookEveryMs, times: ALL_THE_TIME }
  })
  return yield* Effect.ensuring(pacedLook(look), refused.sumUp("all"))
})
