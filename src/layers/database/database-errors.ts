/**
 * Database errors: from the SQL client's errors to those the port promises.
 *
 * The client has eleven reasons and calls a server that is shutting down "unknown, not retryable" and a connection
 * lost in a transaction a defect. Here every one becomes "away for now, because" or "a fault".
 *
 * Promises: total and pure: any cause of a call maps to exactly one outcome; a bug (a defect that is not a SQL error) stays
 * a defect.
 * Never: decides whether to retry.
 */
import * as Cause from "effect/Cause"
import * as SqlError from "effect/sql/SqlError"
import {
  type DatabaseError,
  DatabaseFault,
  DatabaseUnavailable,
  type UnavailableReason
} from "./database.port.ts"
import { errorCodeOf } from "../platform/error-code.ts"

/** SQLSTATE when the server answered, errno (`ECONNREFUSED`) when the socket did, else undefined. */
export const codeOf = (error: SqlError.SqlError): string | undefined => errorCodeOf(error.reason.cause)

const constraintOf = (error: SqlError.SqlError): string | undefined => {
  const cause: unknown = error.reason.cause
  return typeof cause === "object" &&
    cause !== null &&
    "constraint" in cause &&
    typeof cause.constraint === "string"
    ? cause.constraint
    : undefined
}

/** No SQLSTATE begins with E, and some errnos have five letters too: EPIPE is what a killed server leaves behind. */
const isSqlState = (code: string | undefined): code is string =>
  code !== undefined && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code)

/**
 * SQLSTATE -> reason. 28 and 3D (bad login, no such database) are `connection`: an operator repairs them while the
 * service waits (T1: credentials too). 25006 is a standby that is not the primary yet. 58030 and 53100 are the disk.
 */
const reasonOfState = (code: string): UnavailableReason | undefined => {
  if (/^(08|28|3D)/.test(code)) return "connection"
  if (/^(57P0[1-5]|53|58030|25006)/.test(code)) return "server"
  if (code === "57014") return "slow"
  if (/^(55P03|40P01|40001)$/.test(code)) return "contention"
  // The server ended our transaction because we idled in it: our event loop was blocked, or we were frozen.
  if (code === "25P03" || code === "57P05") return "connection"
  return undefined
}

/** Why a SQL error is transient, or undefined when it is a fault. */
export const unavailableReason = (error: SqlError.SqlError): UnavailableReason | undefined => {
  const code = codeOf(error)
  if (code === "ESILENT") return "silent"
  if (isSqlState(code)) return reasonOfState(code)
  // "Query cancellation timed out" and desynchronised sessions come without a code and end their connection.
  return error.reason._tag === "ConnectionError" || error.reason._tag === "AuthenticationError"
    ? "connection"
    : undefined
}

/** True when the server itself answered with this error, so the statement had no effect. */
const answered = (error: SqlError.SqlError): boolean => isSqlState(codeOf(error))

/** True when the error is about opening a connection: no statement of this attempt was sent on it. */
const neverSent = (error: SqlError.SqlError): boolean => error.reason.operation === "connect"

export const toDatabaseError = (
  operation: string,
  error: SqlError.SqlError,
  commitSent: boolean
): DatabaseError => {
  const reason = unavailableReason(error)
  if (reason !== undefined) {
    const outcome = commitSent && !answered(error) && !neverSent(error) ? "unknown" : "not_applied"
    return new DatabaseUnavailable({ operation, reason, outcome, cause: error })
  }
  const code = codeOf(error)
  return new DatabaseFault({
    operation,
    cause: error,
    sqlState: isSqlState(code) ? code : undefined,
    uniqueViolation: code === "23505" || code === "23P01" ? (constraintOf(error) ?? "unknown") : undefined
  })
}

/** The SQL error inside a cause, failed or died (a ROLLBACK that failed is a defect of the client). */
export const findSqlError = (cause: Cause.Cause<unknown>): SqlError.SqlError | undefined => {
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason) && SqlError.isSqlError(reason.error)) return reason.error
    if (Cause.isDieReason(reason) && SqlError.isSqlError(reason.defect)) return reason.defect
  }
  return undefined
}

/** True when the cause holds a defect that is not a SQL error: a bug, which must stay a defect. */
export const hasBug = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isDieReason(reason) && !SqlError.isSqlError(reason.defect))
