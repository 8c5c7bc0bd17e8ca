/**
 * The settings of engine B's panel, for tests that decide.
 *
 * Promises: as they are without a configuration file.
 * Never: asserts anything.
 */
import type { PanelSettings } from "../../src/domain/kernel/settings.ts"

/** The panel as it is without settings. */
export const plainPanel: PanelSettings = {
  threshold: 0.1,
  quorum: 3,
  weights: {},
  deadlineMs: 250,
  barMs: 300_000
}
