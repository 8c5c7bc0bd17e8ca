/**
 * Journal actor: the journal machine with the effects that store what was recorded.
 *
 * Promises: one batch at a time, twice a second; a batch the database could not take is taken again; one that it refuses is
 * stored entry by entry, so that only the entry it refuses is lost, and counted; a loss is an alert.
 * Never: holds up whoever recorded; records what it does itself, beyond its transitions.
 */
import { Effect } from "effect"
import { journalLimits } from "../../domain/kernel/limits-kept.ts"
import type { JournalEntry } from "../../domain/platform/journal.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import type { DatabaseUnavailable } from "../../layers/database/database.port.ts"
import { JournalStore } from "../../layers/health/journal-store.port.ts"
import { type Family, Figures } from "../../layers/platform/figures.port.ts"
import { Journal, type JournalService } from "../../layers/platform/journal.port.ts"
import { journalMachine } from "../../machines/health/journal.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"

type StoreBatch = Effect.Effect<void, DatabaseUnavailable, Journal | JournalStore>

const storeBatch = (path: string, batch: ReadonlyArray<JournalEntry>): StoreBatch =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const store = yield* JournalStore
    const last = batch.at(-1)
    if (last === undefined) return undefined
    return yield* store.store(journal.boot, batch).pipe(
      Effect.andThen(Effect.sync(() => journal.settle(last.seq))),
      Effect.catchTag("DatabaseFault", (fault): StoreBatch => {
        if (batch.length > 1)
          return Effect.forEach(batch, (entry) => storeBatch(path, [entry]), { discard: true })
        journal.giveUp(last.seq)
        return logEvent("error", "journal.not_stored", `an entry could not be stored: ${fault.message}`, {
          component: path,
          entry: last.event,
          seq: last.seq
        })
      })
    )
  })

/** Stores the next batch; false when nothing waits. */
const storeNext = (path: string) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const batch = journal.take(journalLimits.batchMax)
    if (batch.length === 0) return false
    yield* storeBatch(path, batch).pipe(Effect.onError(() => Effect.sync(() => journal.release())))
    return true
  })

/** A loss is an event: somebody looks for entries that are nowhere. */
const alertLoss = (path: string, lost: number) =>
  Alerts.use((alerts) =>
    alerts.raise({
      severity: "MEDIUM",
      kind: "journal.lost",
      dedupKey: "journal.lost",
      component: path,
      message: `${lost} entries of the journal are not in the database: it was away for longer than memory lasts, or refused them`,
      detail: { lost }
    })
  )

/** `reported`: losses that an alert has named. An outage ends the actor, and must not have the same ones alerted again. */
const storeEntries = (path: string, reported: { lost: number }) =>
  streamActor("journal.store", ({ send }) =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const once = Effect.gen(function* () {
        const more = yield* storeNext(path)
        const { lost } = journal.counts()
        if (lost > reported.lost) {
          reported.lost = lost
          yield* alertLoss(path, lost)
        }
        // A full batch waits behind this one only under load; a pause then would let it grow.
        if (!more || journal.counts().waiting < journalLimits.batchMax)
          yield* Effect.sleep(journalLimits.flushEveryMs)
      })
      yield* Effect.forever(once).pipe(
        Effect.catchTag("DatabaseUnavailable", ({ message }) =>
          Effect.sync(() => send({ type: "batch.failed", error: message }))
        )
      )
    })
  )

const flush = (path: string) =>
  effectActor("journal.flush", () => Effect.repeat(storeNext(path), { while: (more) => more }))

const figuresOf = (journal: JournalService): ReadonlyArray<Family> => {
  const { lost, recorded, stored, waiting } = journal.counts()
  const one = (name: string, type: Family["type"], help: string, value: number): Family => ({
    name: `holdfast_journal_${name}`,
    help,
    type,
    samples: [{ labels: {}, value }]
  })
  return [
    one("entries_total", "counter", "Entries of the journal that were recorded.", recorded),
    one("stored_total", "counter", "Entries that were stored in the database.", stored),
    one("lost_total", "counter", "Entries that never will be stored.", lost),
    one("waiting", "gauge", "Entries in memory that wait to be stored.", waiting)
  ]
}

/** The component `root/journal`. */
export const journalActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const figures = yield* Figures
    yield* Effect.acquireRelease(
      Effect.sync(() => figures.show(self.path, () => figuresOf(journal))),
      (withdraw) => Effect.sync(withdraw)
    )
    return yield* machineChild({
      machine: journalMachine,
      input: { retryMs: journalLimits.retryMs, flushDeadlineMs: journalLimits.flushMsMax },
      actors: {
        watchDatabase: watchDatabase(),
        storeEntries: storeEntries(self.path, { lost: 0 }),
        flush: flush(self.path)
      },
      stopEvent: { type: "journal.stop" },
      status: () => {
        const { lost, recorded, stored, waiting } = journal.counts()
        return { detail: { boot: journal.boot, seq: journal.head(), recorded, stored, waiting, lost } }
      }
    })(self)
  })
