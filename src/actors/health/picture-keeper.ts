/**
 * Picture keeper: follows the journal of this process and keeps a picture of it now and then, so that any moment can be shown (G6).
 *
 * What it keeps of components and health is folded from the journal's own entries, so a picture and the entries around it never
 * contradict each other. Orders and positions are read from their rows, because those of other processes are in no journal here.
 *
 * Promises: the first picture as soon as rows can be read, the next after a minute or some thousand entries; a failure is logged,
 * once an outbreak, and tried again.
 * Never: reads rows of a database that is away; ends before it is interrupted.
 */
import { Clock, Effect } from "effect"
import { nothingKnown, type PastComponent, PastState } from "../../domain/health/past.ts"
import { pictureLimits } from "../../domain/kernel/limits-kept.ts"
import { Database } from "../../layers/database/database.port.ts"
import {
  type ActorRow,
  HealthSource,
  type HealthSourceService
} from "../../layers/health/health-source.port.ts"
import { Pictures } from "../../layers/health/pictures.port.ts"
import { Journal, type JournalService } from "../../layers/platform/journal.port.ts"
import { describeCause } from "../../runtime/exit-reason.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** The tree as it is: where memory went on without us, the entries no longer tell. */
const componentsOf = (rows: ReadonlyArray<ActorRow>): ReadonlyArray<PastComponent> =>
  rows.map(
    ({ incarnation, lastError = null, machine, path, phase, ready, restarts, since, state, type }) => ({
      path,
      type,
      machine,
      phase,
      state,
      ready,
      since,
      incarnation,
      restarts,
      lastError
    })
  )

/** The journal of this process, folded up to `seen`. */
const makeFollower = (journal: JournalService, source: HealthSourceService, nowMs: number) => {
  const nothing = nothingKnown(journal.boot, nowMs)
  let state = new PastState(nothing)
  let seen = journal.base
  return {
    state: () => state,
    seen: () => seen,
    follow: (): void => {
      if (journal.first() > seen + 1) {
        state = new PastState({ ...nothing, components: componentsOf(source.actors()) })
        seen = journal.head()
      }
      for (const entry of journal.read(seen, Number.MAX_SAFE_INTEGER)) state.apply(entry, journal.boot)
      seen = journal.head()
    }
  }
}

/** Runs until it is interrupted. */
export const pictureKeeper = Effect.gen(function* () {
  const journal = yield* Journal
  const pictures = yield* Pictures
  const source = yield* HealthSource
  const { availability } = yield* Database
  const follower = makeFollower(journal, source, yield* Clock.currentTimeMillis)
  let last = { atMs: Number.NEGATIVE_INFINITY, number: journal.base }
  let isFailing = false
  const isDue = (nowMs: number): boolean => {
    const [entries, ms] = [journal.head() - last.number, nowMs - last.atMs]
    return (
      entries > 0 &&
      (ms >= pictureLimits.everyMs ||
        (ms >= pictureLimits.everyMsMin && entries >= pictureLimits.everyEntries))
    )
  }
  const take = Effect.gen(function* () {
    const state = follower.state()
    state.keepComponents(new Set(source.actors().map(({ path }) => path)))
    const [base, after] = [state.picture(), follower.seen()]
    const rows = yield* pictures.present
    const number = journal.head()
    last = { atMs: yield* Clock.currentTimeMillis, number }
    yield* pictures.keep({ picture: { ...base, ...rows }, after, number })
    isFailing = false
  }).pipe(
    Effect.catchCause((cause) => {
      const isFirst = !isFailing
      isFailing = true
      return isFirst
        ? logEvent(
            "warn",
            "picture.not_kept",
            `a moment of the journal could not be kept: ${describeCause(cause)}`,
            {
              component: "root/journal"
            }
          )
        : Effect.void
    })
  )
  return yield* Effect.forever(
    Effect.gen(function* () {
      follower.follow()
      if (availability.current() === "available" && isDue(yield* Clock.currentTimeMillis)) yield* take
      const isFirst = last.number === journal.base && !isFailing
      yield* Effect.sleep(isFirst ? pictureLimits.firstLookMs : pictureLimits.lookEveryMs)
    })
  )
})
