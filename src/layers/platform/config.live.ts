/**
 * Live settings: the settings in force, and the one place where they are replaced.
 *
 * Every component holds the same object and reads what it needs when it needs it; each property yields the value in force. So a
 * change is one assignment; `snapshotOf` (config.port.ts) returns the settings of one moment.
 *
 * Promises: an assignment is seen by every read after it and by none before it.
 * Failure: reading a property cannot fail.
 * Never: judges what is assigned (settings-change.ts and the reloader do).
 */
import type { Settings } from "../../domain/kernel/settings.ts"
import { IN_FORCE, type SettingsInForceService } from "./config.port.ts"

export interface LiveSettings extends SettingsInForceService {
  /** What components read. */
  readonly view: Settings
}

export const makeLiveSettings = (initial: Settings): LiveSettings => {
  let current = initial
  // Bounded by the layers that listen: one each.
  const listeners: Array<(next: Settings, before: Settings) => void> = []
  const properties = Object.fromEntries(
    Object.keys(initial).map((name) => [
      name,
      { enumerable: true, get: (): unknown => Reflect.get(current, name) }
    ])
  )
  const view = Object.defineProperties({}, properties)
  Object.defineProperty(view, IN_FORCE, { value: () => current })
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it gets every property of the settings
    view: view as Settings,
    current: () => current,
    assign: (next) => {
      const before = current
      current = next
      for (const heard of listeners) heard(next, before)
    },
    onAssign: (heard) => void listeners.push(heard)
  }
}
