/**
 * What is reported of a file of the spool that is not what was written.
 *
 * Promises: a torn end, as any kill leaves it, is a line; everything else is a HIGH alert, because posts that were answered 202
 * may be in it and a person has to look.
 * Never: names anything a sender chose.
 */
import type { Effect } from "effect"
import { logEvent } from "../../runtime/log-event.ts"
import type { AlertsService } from "../alerts/alerts.port.ts"
import type { SpoolFinding } from "./spool.port.ts"

const component = "root/spool"

export const reportFinding =
  (alerts: AlertsService) =>
  ({ detail, file, what }: SpoolFinding): Effect.Effect<void> =>
    what === "torn"
      ? logEvent("info", "spool.torn", `${file}: ${detail}; a write was in progress when the process ended`, {
          component,
          file
        })
      : alerts.raise({
          severity: "HIGH",
          kind: "spool.damaged",
          dedupKey: `spool.damaged:${file}`,
          component,
          message: `the spool's file ${file} is ${what}: ${detail}; it is kept beside the others, and posts that were answered 202 may be missing`,
          detail: { file, what }
        })
