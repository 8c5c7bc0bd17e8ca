/**
 * Settings record: stores which settings are in force, as soon as the database accepts it.
 *
 * Promises: the version of the start and every change after it is stored once; what cannot be stored now waits, and the
 * decisions made meanwhile name it already.
 * Never: holds up a reload; keeps more than `WAITING_MAX` changes: beyond that the oldest is dropped with a log line.
 */
import { Clock, Context, Effect, Layer, Stream } from "effect"
import type { Settings } from "../../domain/kernel/settings.ts"
import { versionOf } from "../../domain/kernel/settings-change.ts"
import { type SettingsChange, SettingsVersions } from "../../layers/control/settings-versions.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import { describeSettings } from "../../domain/kernel/settings-shown.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { SettingsInForce } from "../../layers/platform/config.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

const WAITING_MAX = 32
const RETRY_MS = 1_000

type Waiting = Omit<SettingsChange, "node" | "life">

export interface SettingsRecordService {
  readonly add: (settings: Settings, by: string, changed: ReadonlyArray<string>, atMs: number) => void
  /** The oldest change that is not stored; waits for one. */
  readonly next: Effect.Effect<Waiting>
  readonly stored: (change: Waiting) => void
}

const makeRecord = (): SettingsRecordService => {
  const waiting: Array<Waiting> = []
  let ring: (() => void) | null = null
  return {
    add: (settings, by, changed, atMs) => {
      if (waiting.length === WAITING_MAX) waiting.shift()
      waiting.push({
        version: versionOf(settings),
        settings: describeSettings(settings),
        by,
        changed,
        at: new Date(atMs)
      })
      ring?.()
    },
    next: Effect.callback<Waiting>((resume) => {
      const [first] = waiting
      if (first !== undefined) {
        resume(Effect.succeed(first))
        return undefined
      }
      ring = () => {
        ring = null
        const [added] = waiting
        if (added !== undefined) resume(Effect.succeed(added))
      }
      return Effect.sync(() => {
        ring = null
      })
    }),
    stored: (change) => {
      const at = waiting.indexOf(change)
      if (at >= 0) waiting.splice(at, 1)
    }
  }
}

export class SettingsRecord extends Context.Service<SettingsRecord, SettingsRecordService>()(
  "holdfast/actors/SettingsRecord"
) {
  static readonly layer: Layer.Layer<SettingsRecord> = Layer.sync(SettingsRecord, makeRecord)
}

const untilAvailable = Effect.flatMap(Database, ({ availability }) =>
  availability.changes.pipe(
    Stream.filter((state) => state === "available"),
    Stream.runHead
  )
)

/** Stores the settings of the start and every change after it, until it is interrupted. */
export const settingsRecorder = Effect.gen(function* () {
  const record = yield* SettingsRecord
  const inForce = yield* SettingsInForce
  const versions = yield* SettingsVersions
  const instance = yield* Instance
  record.add(inForce.current(), "start", [], yield* Clock.currentTimeMillis)
  const storeNext = Effect.gen(function* () {
    const change = yield* record.next
    yield* untilAvailable
    const identity = instance.current()
    yield* versions.record({ ...change, node: identity?.nodeId ?? "", life: identity?.life ?? null })
    record.stored(change)
    yield* logEvent("info", "settings.stored", `settings ${change.version}`, {
      component: "root",
      version: change.version
    })
  })
  return yield* Effect.forever(
    storeNext.pipe(
      Effect.catchTag("DatabaseUnavailable", () => Effect.sleep(RETRY_MS)),
      Effect.catchTag("DatabaseFault", (fault) =>
        Effect.andThen(
          logEvent("error", "settings.not_stored", fault.message, { component: "root" }),
          Effect.sleep(RETRY_MS * 60)
        )
      )
    )
  )
})
