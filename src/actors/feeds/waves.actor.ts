/**
 * Waves actor: the waves machine of one feed, with the ledger, the feed and the clock it decides by.
 *
 * Promises: the wall clock is read again at least once a second; the outcome of a wave is a row, a log line and, when it
 * was missed, an alert with its cost; a feed that leaves several consecutive checks unanswered is restarted
 * automatically, visibly; logs show UTC and name the local zone.
 * Never: trades a signal itself (it hands rows to the pipeline), or ends because a feed or the database is away.
 */
import { feedBell } from "../../layers/platform/bells.ts"
import { Clock, Effect } from "effect"
import { waveLimits } from "../../domain/kernel/limits-feeds.ts"
import {
  nextDueAtMs,
  paceOf,
  type ScheduledWave,
  searchedAt,
  searchMs,
  type WavePace
} from "../../domain/kernel/wave-clock.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { FeedBuffer } from "../../layers/feeds/feed-buffer.port.ts"
import { Feeds } from "../../layers/feeds/feeds.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { Instance, NodeUnknown } from "../../layers/platform/instance.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { type Take, type WaveLease, WavesStore } from "../../layers/feeds/waves-store.port.ts"
import {
  type AccountingReport,
  type LookReport,
  type WaveCheck,
  type WavesContext,
  wavesMachine
} from "../../machines/feeds/waves.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild } from "../../runtime/machine-child.ts"
import { waveFigures } from "./waves-figures.ts"
import { watchDatabase } from "../database/database-watch.ts"
import {
  endMissing,
  type Missing,
  nothingMissing,
  reportAccounted,
  reportDone,
  reportGivenBack,
  reportTaken,
  restartFeed,
  type WavesSpeaker
} from "./waves-report.ts"

/** What one incarnation keeps. All of it can be lost: the ledger is in the database. */
interface Scheduler extends WavesSpeaker {
  /** The feed runs in another process: nothing to ask and nothing to restart, its signals are in the table. */
  readonly remote: boolean
  readonly pace: WavePace
  readonly upSinceMs: number
  lease: WaveLease | null
  readonly missing: Missing
  startedAtMs: number
  /** Signals handed to the pipeline. */
  dispatched: number
  /** The wave that was released because the feed was down is claimed again when the feed is live. */
  waitsForFeed: boolean
}

const feedLive = (scheduler: Scheduler) =>
  Effect.map(Feeds, (feeds) => scheduler.remote || feeds.get(scheduler.feed).state() === "Live")

/** What was handed over is counted, and the pipeline is notified. */
const noteDispatched = (scheduler: Scheduler, many: number) =>
  Effect.map(Wake, (wake) => {
    scheduler.dispatched += many
    if (many > 0) wake.notify("signals")
    return many
  })

/** What the result of claiming a fresh wave means for the machine. */
const afterTake = (scheduler: Scheduler, wave: ScheduledWave, take: Take, nowMs: number) =>
  Effect.gen(function* () {
    const { schedule } = scheduler.waves
    const next = nextDueAtMs(schedule, nowMs)
    const waiting = (wakeAtMs: number) => ({ check: null, wakeAtMs: Math.min(wakeAtMs, next) })
    switch (take._tag) {
      case "Taken": {
        scheduler.lease = take.lease
        scheduler.startedAtMs = nowMs
        const ageMs = nowMs - wave.dueAtMs
        const check: WaveCheck = {
          ...wave,
          epoch: take.lease.epoch,
          deadlineMs: searchMs(schedule, scheduler.waves.freshMs, wave.dueAtMs, nowMs),
          late: ageMs > scheduler.pace.sliceMs
        }
        yield* reportTaken(scheduler, check, take)
        return { check, wakeAtMs: next }
      }
      case "Held":
        return waiting(nowMs + take.remainingMs + 1)
      case "WaitsForFeed":
        scheduler.waitsForFeed = true
        // Its end is reported when its time is over, not a period later.
        return waiting(wave.dueAtMs + scheduler.waves.freshMs + 1)
      case "Ended":
      case "Unknown":
        return waiting(next)
    }
  })

const account = (scheduler: Scheduler) =>
  effectActor("waves.account", ({ outage }: { readonly outage: boolean }) =>
    Effect.gen(function* () {
      const store = yield* WavesStore
      const instance = yield* Instance
      const standing = yield* instance.settled
      const owner = instance.current()?.life
      if (owner === undefined) return yield* new NodeUnknown()
      const { feed, pace, waves } = scheduler
      const nowMs = yield* Clock.currentTimeMillis
      scheduler.lease = null
      scheduler.waitsForFeed = false
      const { freshMs, schedule } = waves
      // A copy of a node leaves the waves to the process it was copied from, and looks again soon.
      if (standing._tag === "Cloned") {
        const next = nextDueAtMs(schedule, nowMs)
        const wakeAtMs = Math.min(next, nowMs + waveLimits.requestMsMax)
        return { check: null, wakeAtMs, nextDueAtMs: next, missed: 0 } satisfies AccountingReport
      }
      const accounted = yield* store.account({
        feed,
        schedule,
        freshMs,
        nowMs,
        owner,
        upSinceMs: scheduler.upSinceMs,
        outage
      })
      yield* noteDispatched(scheduler, accounted.handedOver)
      yield* reportAccounted(scheduler, scheduler.missing, accounted)
      const missed = accounted.closed.filter(({ status }) => status === "missed").length
      const next = nextDueAtMs(schedule, nowMs)
      const report = { check: null, wakeAtMs: next, nextDueAtMs: next, missed } satisfies AccountingReport
      const searched = searchedAt(schedule, freshMs, nowMs)
      if (searched === null) return report
      const take = yield* store.take(
        { feed, waveMs: searched.waveMs, owner },
        {
          leaseMs: pace.leaseMs,
          late: nowMs - searched.dueAtMs > pace.sliceMs,
          feedLive: yield* feedLive(scheduler)
        }
      )
      return { ...report, ...(yield* afterTake(scheduler, searched, take, nowMs)) } satisfies AccountingReport
    })
  )

/** Hands over what arrived for waves that are due and fresh although no check searches for them any longer. */
const handOver = (scheduler: Scheduler, nowMs: number) =>
  Effect.gen(function* () {
    const { feed, waves } = scheduler
    if (nowMs - (nextDueAtMs(waves.schedule, nowMs) - waves.schedule.periodMs) > waves.freshMs) return 0
    const store = yield* WavesStore
    return yield* noteDispatched(scheduler, yield* store.handOver(feed, nowMs, waves.freshMs))
  })

/**
 * Sleeps until `untilMs` of the wall clock, in slices: a timer alone would sleep through a suspension, and through a
 * clock that was set. Ends early when by the clock another wave is the next, forwards or backwards, when a wave
 * waits for a feed that is live, and when late signals were handed over, so that they are counted.
 */
const wait = (scheduler: Scheduler) =>
  effectActor("waves.wait", ({ untilMs }: { readonly untilMs: number }) =>
    Effect.gen(function* () {
      const wake = yield* Wake
      const { pace, waves } = scheduler
      for (let slice = 1; ; slice += 1) {
        const beforeMs = yield* Clock.currentTimeMillis
        const sliceMs = Math.min(pace.sliceMs, untilMs - beforeMs)
        if (sliceMs <= 0) return
        yield* wake.wait(feedBell(scheduler.feed), sliceMs)
        const wokeMs = yield* Clock.currentTimeMillis
        // A bell lets the slice run out, so that a storm of signals is one look a second.
        const rung = wokeMs - beforeMs < sliceMs
        if (rung && wokeMs >= beforeMs) yield* Effect.sleep(sliceMs - (wokeMs - beforeMs))
        const nowMs = yield* Clock.currentTimeMillis
        if (nextDueAtMs(waves.schedule, nowMs) !== nextDueAtMs(waves.schedule, beforeMs)) return
        if (scheduler.waitsForFeed && (yield* feedLive(scheduler))) return
        // Signals stored by another process ring no bell here.
        const mayHave = rung || scheduler.remote || slice % waveLimits.silentSlices === 0
        if (mayHave && (yield* handOver(scheduler, nowMs)) > 0) return
      }
    })
  )

const request = (scheduler: Scheduler) =>
  effectActor("waves.request", () =>
    Effect.flatMap(Feeds, (feeds) =>
      scheduler.remote ? Effect.void : feeds.get(scheduler.feed).requestSignals(scheduler.pace.requestMs)
    )
  )

const pause = (scheduler: Scheduler) =>
  effectActor("waves.pause", ({ maxMs }: { readonly maxMs: number }) =>
    Effect.flatMap(Wake, (wake) => wake.wait(feedBell(scheduler.feed), maxMs))
  )

const look = (scheduler: Scheduler) =>
  effectActor("waves.look", ({ check }: { readonly check: WaveCheck | null }) =>
    Effect.gen(function* () {
      const store = yield* WavesStore
      const live = yield* feedLive(scheduler)
      const { lease } = scheduler
      const gone: LookReport = { owned: false, feedLive: live, dispatched: 0, found: 0, pending: 0 }
      if (lease === null || check === null) return gone
      const taken = yield* (yield* FeedBuffer).dispatch(scheduler.feed, check.waveMs, check.dueAtMs)
      const dispatched = yield* noteDispatched(scheduler, taken.length)
      const tally = yield* store.look(lease, scheduler.pace.leaseMs)
      return tally === null
        ? gone
        : ({
            owned: true,
            feedLive: live,
            dispatched,
            found: tally.found,
            pending: tally.pending
          } satisfies LookReport)
    })
  )

const finish = (scheduler: Scheduler) =>
  effectActor("waves.finish", ({ check }: { readonly check: WaveCheck | null }) =>
    Effect.gen(function* () {
      const store = yield* WavesStore
      const { lease } = scheduler
      if (lease === null || check === null) return
      const durationMs = Math.max(0, (yield* Clock.currentTimeMillis) - scheduler.startedAtMs)
      const tally = yield* store.settle(lease, durationMs)
      if (tally === null) return
      yield* reportDone(scheduler, check, tally, durationMs)
      yield* endMissing(scheduler, check)
    })
  )

const giveUp = (scheduler: Scheduler) =>
  effectActor(
    "waves.give_up",
    ({ check, failedChecks }: { readonly check: WaveCheck | null; readonly failedChecks: number }) =>
      Effect.gen(function* () {
        const store = yield* WavesStore
        const { lease } = scheduler
        if (lease === null || check === null) return
        yield* store.giveBack(lease, "feed_down")
        yield* reportGivenBack(scheduler, check, failedChecks)
        // Again after as many more: a feed that stays away is not restarted at every wave.
        if (failedChecks % waveLimits.failedChecksMax === 0) yield* restartFeed(scheduler, failedChecks)
      })
  )

const release = (scheduler: Scheduler) =>
  effectActor("waves.release", () =>
    Effect.flatMap(WavesStore, (store) =>
      scheduler.lease === null ? Effect.succeed(false) : store.giveBack(scheduler.lease, null)
    )
  )

const shown = (ms: number | null): string | null =>
  ms === null || ms === 0 ? null : new Date(ms).toISOString()

const detailOf = (scheduler: Scheduler, context: WavesContext) => ({
  ...context.counters,
  dispatched: scheduler.dispatched,
  wave: shown(context.check?.waveMs ?? null),
  found: context.check === null ? null : context.found,
  next_due_at: shown(context.nextDueAtMs),
  last_wave: shown(context.lastDoneMs),
  failed_checks: context.failedChecks,
  // Before the first wave was due there is nothing to be behind on (B8).
  warming_up: context.counters.done + context.failedChecks + context.counters.missed === 0,
  period_ms: scheduler.waves.schedule.periodMs,
  zone: scheduler.zone
})

/** The component `root/feeds/waves:<feed>`. */
export const wavesActor = (feed: string) => (self: ChildSelf) =>
  Effect.gen(function* () {
    const { roles, waves } = yield* Config
    const pace = paceOf(waves.schedule)
    const scheduler: Scheduler = {
      path: self.path,
      feed,
      waves,
      remote: !roles.has("feeds"),
      pace,
      zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      // Not the first accounting: a database that is away when we start is no reason to report that the service was down.
      upSinceMs: yield* Clock.currentTimeMillis,
      lease: null,
      missing: nothingMissing(),
      startedAtMs: 0,
      dispatched: 0,
      waitsForFeed: false
    }
    let seen: WavesContext | null = null
    const running = yield* machineChild({
      machine: wavesMachine,
      input: {
        periodMs: waves.schedule.periodMs,
        firstLookMs: pace.firstLookMs,
        lookEveryMs: pace.lookEveryMs,
        askAgainLooks: waveLimits.askAgainLooks,
        callMsMax: waveLimits.storeMsMax,
        retryMs: waveLimits.retryMs
      },
      actors: {
        watchDatabase: watchDatabase(),
        account: account(scheduler),
        wait: wait(scheduler),
        request: request(scheduler),
        pause: pause(scheduler),
        look: look(scheduler),
        finish: finish(scheduler),
        giveUp: giveUp(scheduler),
        release: release(scheduler)
      },
      stopEvent: { type: "waves.stop" },
      status: ({ context }) => {
        seen = context
        return { detail: detailOf(scheduler, context) }
      }
    })(self)
    if (!("status" in running) || running.status === undefined) return running
    const { status } = running
    const figures = yield* Figures
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        figures.show(self.path, () => {
          status()
          return seen === null ? [] : waveFigures(feed, seen)
        })
      ),
      (withdraw) => Effect.sync(withdraw)
    )
    return running
  })
