/**
 * Drill runner: breaks what practice mode runs for itself, watches the installation recover, and writes the receipt (G4).
 *
 * Signals go in before, during and after the fault, each with a symbol of its own. What became of them is read from the rows, and
 * whether the fault was there from the journal: a drill whose fault left no trace has proven nothing. Afterwards what was
 * opened is closed again, by signals too.
 *
 * Promises: every drill that begins ends with a receipt, or is `interrupted` if its process ended; what was injected is lifted
 * however the drill ends.
 * Never: runs two at once; begins on an installation that is not well, whose recovery would be somebody else's.
 */
import { Clock, Effect, Ref, Schedule, Stream } from "effect"
import {
  type DrillFault,
  drillLimits,
  type DrillOutcome,
  type DrillReceipt,
  isSettled,
  receiptOf
} from "../../domain/control/drill.ts"
import type { ControlRefused } from "../../domain/control/control.ts"
import type { HealthDocument } from "../../domain/health/health.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { takersOf } from "../../domain/signals/routing.ts"
import { Database } from "../../layers/database/database.port.ts"
import { HealthSource } from "../../layers/health/health-source.port.ts"
import { type DrillRequest, DrillsStore } from "../../layers/operators/drills-store.port.ts"
import { type FaultNotPossible, Faults } from "../../layers/operators/faults.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { Journal } from "../../layers/platform/journal.port.ts"
import { describeCause } from "../../runtime/exit-reason.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { DrillControl } from "./drill-control.ts"
import { drillSignal, sendUntilTaken, sourceOf } from "./drill-signals.ts"

/** Where a drill takes place: names of the settings. */
interface Place {
  readonly source: string
  readonly account: string
  readonly broker: string
  readonly feed: string
}

/** Null where no strategy takes a source to an account. */
const placeOf = (settings: Settings): Place | null => {
  const source = sourceOf(settings)
  const [, strategy] = (source === null ? [] : takersOf(settings.strategies, source, null))[0] ?? []
  const account = strategy?.accounts[0]
  if (source === null || account === undefined) return null
  const broker = settings.accounts[account]?.broker ?? ""
  const [feed = ""] = Object.entries(settings.feeds).flatMap(([name, { url }]) =>
    url === null ? [name] : []
  )
  return { source, account, broker, feed }
}

/** The component that a fault is about. */
const pathOf = (fault: DrillFault, { account, broker, feed }: Place): string => {
  switch (fault) {
    case "pipeline.restart":
      return "root/trading/pipeline"
    case "executor.restart":
      return `root/trading/accounts/${account}`
    case "feed.cut":
      return `root/feeds/feed:${feed}`
    case "broker.cut":
    case "broker.silent":
      return `root/trading/brokers/${broker}`
    case "database.kill":
      return "root/database"
  }
}

/** A fault that is there, and how it ends. */
interface Injected {
  readonly lift: Effect.Effect<void, FaultNotPossible>
}

const inject = (
  fault: DrillFault,
  place: Place
): Effect.Effect<Injected, ControlRefused | FaultNotPossible, Faults | HealthSource> =>
  Effect.gen(function* () {
    if (fault === "pipeline.restart" || fault === "executor.restart") {
      const source = yield* HealthSource
      yield* source.control({ command: "restart", path: pathOf(fault, place), confirmed: true })
      return { lift: Effect.void }
    }
    const faults = yield* Faults
    return yield* faults.inject(fault, fault === "feed.cut" ? place.feed : place.broker)
  })

/** What health says but for its figures. */
const sayings = ({ reasons }: HealthDocument): ReadonlySet<string> =>
  new Set(reasons.map((reason) => reason.replaceAll(/\d+/g, "0")))

/** What the journal shows of a fault since `from`: its component's life, or orders whose answer was lost. */
const seenSince = (from: number, fault: DrillFault, path: string, signals: ReadonlySet<string>) =>
  Effect.map(
    Journal,
    (journal) =>
      journal
        .read(from, Number.MAX_SAFE_INTEGER)
        .filter(({ correlationId, path: where, to, type }) =>
          fault === "broker.silent"
            ? type === "order" && to === "unknown" && signals.has(correlationId ?? "")
            : where === path && (type === "component" || type === "restart")
        ).length
  )

/** Watches health until its scope ends: when the installation was last not as before. */
const watchHealth = Effect.gen(function* () {
  const source = yield* HealthSource
  const before = sayings(source.health().document)
  const lastAmissMs = yield* Ref.make(0)
  const look = Effect.gen(function* () {
    const { document } = source.health()
    const isWell =
      document.ready && document.can_trade && [...sayings(document)].every((reason) => before.has(reason))
    if (!isWell) yield* Ref.set(lastAmissMs, yield* Clock.currentTimeMillis)
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(drillLimits.lookMs))))
  return Ref.get(lastAmissMs)
})

const unread: ReadonlyArray<DrillOutcome> = []

/** The rows, or none while the database is away. */
const outcomesOf = (ids: ReadonlyArray<string>) =>
  DrillsStore.use((store) =>
    store.outcomes(ids).pipe(Effect.catchTag("DatabaseUnavailable", () => Effect.succeed(unread)))
  )

/** Waits until every signal is settled and everything was as before for a while; when that was, or null. */
const awaitRecovery = (ids: ReadonlyArray<string>, lastAmiss: Effect.Effect<number>, injectedMs: number) =>
  Effect.gen(function* () {
    let settledMs: number | null = null
    for (;;) {
      const nowMs = yield* Clock.currentTimeMillis
      const outcomes = yield* outcomesOf(ids)
      const isDone = outcomes.length === ids.length && outcomes.every(isSettled)
      settledMs = isDone ? (settledMs ?? nowMs) : null
      const amissMs = yield* lastAmiss
      if (settledMs !== null && nowMs - Math.max(amissMs, settledMs) >= drillLimits.wellMs)
        return Math.max(amissMs, settledMs, injectedMs) - injectedMs
      yield* Effect.sleep(drillLimits.lookMs)
    }
  }).pipe(
    Effect.timeoutOption(drillLimits.recoveryMsMax),
    Effect.map((found) => (found._tag === "Some" ? found.value : null))
  )

/** Closes what the drill opened, and waits until nothing of it is held. */
const cleanUp = (drill: DrillRequest, source: string, count: number) =>
  Effect.gen(function* () {
    const store = yield* DrillsStore
    const nowMs = yield* Clock.currentTimeMillis
    const signals = Array.from({ length: count }, (_, index) =>
      drillSignal(drill, source, "SELL", index + 1, nowMs)
    )
    yield* Effect.forEach(signals, sendUntilTaken, { discard: true })
    const symbols = signals.map(({ symbol }) => symbol)
    return yield* store.held(symbols).pipe(
      Effect.map((held) => held.length === 0),
      Effect.orElseSucceed(() => false),
      Effect.repeat({ until: (isFlat) => isFlat, schedule: Schedule.spaced(drillLimits.lookMs) })
    )
  }).pipe(
    Effect.timeoutOption(drillLimits.recoveryMsMax / 3),
    Effect.map((found) => found._tag === "Some")
  )

const failedBefore = (...problems: ReadonlyArray<string>): DrillReceipt => ({
  ...receiptOf({ sent: 0, resent: 0, outcomes: [], seen: 0, recoveredMs: null, flat: true }),
  problems
})

const runDrill = (drill: DrillRequest) =>
  Effect.gen(function* () {
    const source = yield* HealthSource
    const journal = yield* Journal
    const place = placeOf(snapshotOf(yield* Config))
    const { document } = source.health()
    if (place === null) return failedBefore("no strategy takes a source to an account")
    if (!document.ready || !document.can_trade)
      return failedBefore("it was not begun: the service did not trade before the fault", ...document.reasons)
    const lastAmiss = yield* watchHealth
    const taken: Array<string> = []
    let [sent, resent] = [0, 0]
    const stage = Effect.forEach(
      Array.from({ length: drillLimits.signalsEach }),
      () =>
        Effect.gen(function* () {
          sent += 1
          const signal = drillSignal(drill, place.source, "BUY", sent, yield* Clock.currentTimeMillis)
          const done = yield* sendUntilTaken(signal)
          taken.push(done.signalId)
          resent += done.resent
          yield* Effect.sleep(drillLimits.everyMs)
        }),
      { discard: true }
    )
    yield* stage
    const [from, injectedMs] = [journal.head(), yield* Clock.currentTimeMillis]
    yield* Effect.acquireUseRelease(
      inject(drill.fault, place),
      ({ lift }) =>
        Effect.all([stage, Effect.andThen(Effect.sleep(drillLimits.heldMs), lift)], { concurrency: 2 }),
      ({ lift }) => Effect.ignore(lift)
    )
    yield* stage
    const recoveredMs = yield* awaitRecovery(taken, lastAmiss, injectedMs)
    const seen = yield* seenSince(from, drill.fault, pathOf(drill.fault, place), new Set(taken))
    const outcomes = yield* outcomesOf(taken)
    const flat = yield* cleanUp(drill, place.source, sent)
    return receiptOf({ sent, resent, outcomes, seen, recoveredMs, flat })
  }).pipe(
    Effect.scoped,
    Effect.catchTag(["FaultNotPossible", "ControlRefused"], (error) =>
      Effect.succeed(failedBefore(`the fault could not be injected: ${error.message}`))
    ),
    Effect.timeoutOption(drillLimits.totalMsMax),
    Effect.map((found) =>
      found._tag === "Some" ? found.value : failedBefore("it was not over when its time was")
    )
  )

/**
 * Stores a receipt, however long the database is away: while its row says that it runs no other can begin, so there is nothing else
 * to do.
 */
const store = (drill: DrillRequest, receipt: DrillReceipt) =>
  Effect.gen(function* () {
    const drills = yield* DrillsStore
    const status = receipt.problems.length === 0 ? "passed" : "failed"
    yield* drills.end(drill.id, status, receipt).pipe(Effect.retry(Schedule.spaced(drillLimits.storeEveryMs)))
    yield* logEvent(
      status === "passed" ? "info" : "warn",
      `drill.${status}`,
      `the drill ${drill.fault} ${status}: ${receipt.sent} in, ${receipt.decided} decided, ${receipt.ordered_once} ordered once, ${receipt.lost} lost${receipt.recovered_ms === null ? "" : `, recovered in ${receipt.recovered_ms} ms`}`,
      { component: "root", drill_id: drill.id, fault: drill.fault, ...receipt }
    )
  })

/** Ends what former lives left, once the database is there for the first time. */
const endFormer = Effect.gen(function* () {
  const { availability } = yield* Database
  const drills = yield* DrillsStore
  yield* availability.changes.pipe(
    Stream.filter((state) => state === "available"),
    Stream.take(1),
    Stream.runDrain
  )
  yield* Effect.retry(drills.interrupt, {
    times: drillLimits.storeTries,
    schedule: Schedule.spaced(drillLimits.storeEveryMs)
  })
})

const report = (what: string) => (cause: Parameters<typeof describeCause>[0]) =>
  logEvent("error", "drill.broken", `${what}: ${describeCause(cause)}`, { component: "root" })

/** Runs until it is interrupted. */
export const drillRunner = Effect.gen(function* () {
  const control = yield* DrillControl
  yield* endFormer.pipe(Effect.catchCause(report("drills of former lives were not ended")))
  return yield* Effect.forever(
    Effect.gen(function* () {
      const drill = yield* control.next
      yield* logEvent("info", "drill.begun", `the drill ${drill.fault} begins`, {
        component: "root",
        drill_id: drill.id,
        fault: drill.fault,
        by: drill.by
      })
      const receipt = yield* runDrill(drill).pipe(
        Effect.catchCause((cause) =>
          Effect.as(report("a drill failed by itself")(cause), failedBefore(describeCause(cause)))
        )
      )
      yield* store(drill, receipt).pipe(Effect.catchCause(report("a receipt was not stored")))
    })
  )
})
