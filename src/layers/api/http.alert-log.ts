/**
 * The route that accounts for a sender's log of alerts.
 *
 * Promises: a log that cannot be read is a 400 that names what would be right.
 * Never: changes anything, so it is no command and needs no key.
 * Failure: that of the routes: what the store cannot answer now is 503.
 */
import { Effect, Result } from "effect"
import { totalsOf } from "../../domain/intake/alert-account.ts"
import { readAlertLog } from "../../domain/intake/alert-log.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { alertLogLimits } from "../../domain/kernel/limits-kept.ts"
import { accountAlertLog } from "../../wire/alert-log.ts"
import type { AccountedLine, AlertLogsService } from "../intake/alert-log.port.ts"
import { AlertLogs } from "../intake/alert-log.port.ts"
import { Config } from "../platform/config.port.ts"
import { Refused, type Route, route } from "./http.route.ts"

const invalid = (path: string, message: string) => new Refused({ status: 400, errors: [{ path, message }] })

const itemOf = ({ line, outcome, postsTaken, reason, refusal, signal }: AccountedLine) => {
  const { alert, id, name, senderStatus } = line
  const receivedMs = signal?.receivedMs ?? refusal?.receivedMs ?? null
  return {
    line: line.line,
    at: alert === null ? null : isoOf(alert.atMs),
    id,
    name,
    sender_status: senderStatus,
    outcome,
    reason,
    signal_id: signal?.id ?? null,
    signal_status: signal?.status ?? null,
    refused_id: refusal?.id ?? null,
    received_at: receivedMs === null ? null : isoOf(receivedMs),
    delay_ms: receivedMs === null || alert === null ? null : Math.round(receivedMs - alert.atMs),
    posts_taken: postsTaken
  }
}

const handle = (
  logs: AlertLogsService,
  isSource: (name: string) => boolean,
  { log, name, source }: { readonly log: string; readonly name?: string | undefined; readonly source: string }
) =>
  Effect.gen(function* () {
    if (!isSource(source)) return yield* invalid("source", `there is no source "${source}"`)
    if (Buffer.byteLength(log) > alertLogLimits.bytesMax)
      return yield* invalid("log", `must have at most ${alertLogLimits.bytesMax} bytes; split it`)
    const read = readAlertLog(log)
    if (Result.isFailure(read)) return yield* invalid(read.failure.path, read.failure.message)
    const lines = read.success.filter((line) => name === undefined || line.name === name)
    const accounted = yield* logs.account(source, lines)
    const totals = totalsOf(accounted)
    const arrived = totals.accepted + totals.duplicate
    const json = {
      source,
      lines: lines.length,
      others: read.success.length - lines.length,
      arrived,
      complete: arrived === lines.length,
      summary: `${arrived} of ${lines.length} alerts arrived`,
      totals,
      items: accounted.map(itemOf)
    }
    return { status: 200, json }
  })

/** The routes of this file. */
export const alertLogRoutes: Effect.Effect<ReadonlyArray<Route>, never, AlertLogs | Config> = Effect.gen(
  function* () {
    const logs = yield* AlertLogs
    const settings = yield* Config
    const isSource = (name: string): boolean => Object.hasOwn(settings.sources, name)
    return [route(accountAlertLog, ({ body }) => handle(logs, isSource, body), alertLogLimits.deadlineMs)]
  }
)
