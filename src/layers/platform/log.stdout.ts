/**
 * Log on stdout: one JSON object per line, or one readable line per event on a terminal.
 *
 * The shape is part of the outside contract: `ts`, `level`, `event`, `msg`, `component`, `correlation_id` where
 * one exists, then the fields. Writing is one synchronous call per line, so the last line before an exit is
 * never lost in a buffer.
 *
 * Promises: every line parses as JSON in json format; a configured secret is replaced wherever it would appear, and so
 * is what could be one in any URL.
 * Never: throws into the program, whatever is logged or whoever closed the pipe.
 * Failure: a closed stdout is ignored, because a service must not die with its log reader.
 */
import { Cause, Layer, Logger, References } from "effect"
import { makeMask, type Mask } from "../../domain/kernel/redaction.ts"
import type { LogFormat, LogLevel } from "../../domain/kernel/settings.ts"

export interface LogOptions {
  readonly level: LogLevel
  readonly format: LogFormat
  /** Clear text that must never be printed. */
  readonly secrets: ReadonlyArray<string>
  /** Hides what became secret after the settings were read. */
  readonly mask?: Mask
  readonly write?: (line: string) => void
}

const levelNames: Readonly<Record<string, LogLevel>> = {
  Trace: "debug",
  Debug: "debug",
  Info: "info",
  Warn: "warn",
  Error: "error",
  Fatal: "error"
}
const minimumLevels = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

/** Values JSON cannot represent become text: a log line is never lost because of what it contains. */
const jsonValue = (_key: string, value: unknown): unknown => {
  if (typeof value === "bigint") return value.toString()
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return [...value]
  if (value instanceof Error) return `${value.name}: ${value.message}`
  return value
}

const encode = (fields: Record<string, unknown>): string => {
  try {
    return JSON.stringify(fields, jsonValue)
  } catch (error) {
    // Cyclic or hostile values: log the line without them.
    return JSON.stringify({
      ts: fields["ts"],
      level: fields["level"],
      event: fields["event"],
      msg: fields["msg"],
      component: fields["component"],
      log_error: error instanceof Error ? error.message : "not serialisable"
    })
  }
}

const pretty = (fields: Record<string, unknown>): string => {
  const { component, event, level, msg, ts, ...rest } = fields
  const text = (value: unknown): string => (typeof value === "string" ? value : "")
  // For a person the process itself is no place.
  const where = typeof component === "string" && component !== "root" ? `[${component}] ` : ""
  const tail = Object.keys(rest).length === 0 ? "" : ` ${encode(rest)}`
  return `${text(ts).slice(11, 23)} ${text(level).toUpperCase().padEnd(5)} ${text(event).padEnd(24)} ${where}${text(msg)}${tail}`
}

const textOf = (message: unknown): string => {
  const parts = Array.isArray(message) ? message : [message]
  return parts.map((part) => (typeof part === "string" ? part : encode({ value: part }))).join(" ")
}

/** Builds the line for a set of fields; shared with the lines written outside any fiber (boot, fatal). */
export const makeLineWriter = (options: LogOptions): ((fields: Record<string, unknown>) => void) => {
  const write =
    options.write ??
    ((line: string) => {
      process.stdout.write(line)
    })
  const mask = makeMask(options.secrets)
  return (fields) => {
    const line = options.format === "json" ? encode(fields) : pretty(fields)
    write(`${mask(options.mask?.(line) ?? line)}\n`)
  }
}

/** The logger layer of the whole process. */
export const logLayer = (options: LogOptions): Layer.Layer<never> => {
  const writeLine = makeLineWriter(options)
  const logger = Logger.make<unknown, void>(({ cause, date, fiber, logLevel, message }) => {
    const { component, correlation_id, event, ...fields } = fiber.getRef(References.CurrentLogAnnotations)
    writeLine({
      ts: date.toISOString(),
      level: levelNames[logLevel] ?? "info",
      event: event ?? "log",
      msg: textOf(message),
      // What happens outside of any component is the process's.
      component: component ?? "root",
      ...(correlation_id === undefined ? {} : { correlation_id }),
      ...fields,
      ...(cause.reasons.length === 0 ? {} : { cause: Cause.pretty(cause).slice(0, 4_000) })
    })
  })
  return Layer.mergeAll(
    Logger.layer([logger]),
    Layer.succeed(References.MinimumLogLevel, minimumLevels[options.level])
  )
}
