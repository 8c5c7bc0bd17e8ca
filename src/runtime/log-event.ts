/**
 * One structured log line per event, through Effect's own logger.
 *
 * The runtime and everything above it logs what happened as a named event with fields; which sink and which
 * line format is used is decided once, by the logger layer of the program.
 * Promises: the event name is the annotation `event`; fields become annotations; nothing is formatted here.
 * Never: writes to a stream itself.
 */
import { Effect } from "effect"

export type LogLevelName = "debug" | "info" | "warn" | "error"

/**
 * Logs `msg` at a level with the annotations `{ event, ...fields }`.
 * Event names are dotted facts in lower case, such as `http.listening`.
 */
export const logEvent = (
  level: LogLevelName,
  event: string,
  msg: string,
  fields: Record<string, unknown> = {}
): Effect.Effect<void> => Effect.annotateLogs(writers[level](msg), { ...fields, event })

const writers = {
  debug: (msg: string) => Effect.logDebug(msg),
  info: (msg: string) => Effect.logInfo(msg),
  warn: (msg: string) => Effect.logWarning(msg),
  error: (msg: string) => Effect.logError(msg)
} as const
