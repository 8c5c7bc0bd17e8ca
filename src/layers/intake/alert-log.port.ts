/**
 * AlertLogs: the port to what is stored about the alerts that a sender reports as fired.
 *
 * Promises: looks up and nothing else; what it returns may be shown.
 * Never: returns a body.
 */
import { Context, type Effect } from "effect"
import type { Accounted } from "../../domain/intake/alert-account.ts"
import type { LogLine } from "../../domain/intake/alert-log.ts"
import type { DatabaseError } from "../database/database.port.ts"

export interface AccountedLine extends Accounted {
  /** Of an alert that never arrived: whether posts were taken when it was fired. Null: nobody noted that. */
  readonly postsTaken: boolean | null
}

export interface AlertLogsService {
  /** What became of each line of the log of a source, in the order of the log. */
  readonly account: (
    source: string,
    lines: ReadonlyArray<LogLine>
  ) => Effect.Effect<ReadonlyArray<AccountedLine>, DatabaseError>
}

export class AlertLogs extends Context.Service<AlertLogs, AlertLogsService>()("holdfast/layers/AlertLogs") {}
