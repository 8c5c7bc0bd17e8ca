/**
 * operations: the supervision tree, trading states, waves, alerts and the commands of an operator.
 *
 * Promises: a command's body has no field that does nothing.
 * Never: decides who may give a command.
 */
import { z } from "zod"
import { controlCommands, UNPROTECTED } from "../domain/control/control.ts"
import { TRADING_STATES } from "../domain/kernel/trading-state.ts"
import { anyJson, anyObject, count, instant, oneOf, storable, uuid } from "./words.ts"

const text = z.string().nullable()
const REASON_LENGTH_MAX = 500

export const actor = z
  .object({
    path: z.string(),
    type: z.enum(["worker", "supervisor", "dynamic"]),
    machine: text.meta({ description: "Its statechart; null for a supervisor." }),
    phase: z.enum([
      "waiting",
      "starting",
      "running",
      "stopping",
      "backingOff",
      "failed",
      "stopped",
      "paused"
    ]),
    state: z.string(),
    ready: z.boolean(),
    readiness: z.enum(["required", "optional"]),
    since: instant,
    incarnation: count,
    restarts: count,
    budget: z
      .object({
        used: count,
        max: count.nullable().meta({ description: "Null: unbounded." }),
        within_ms: z.number()
      })
      .meta({ description: "Restarts left before it is given up." }),
    mailbox: z.object({ depth: count, capacity: count, dropped: count }).nullable(),
    next_at: instant.nullable().meta({ description: "Its next attempt, while it backs off or is parked." }),
    last_error: text,
    detail: anyObject
  })
  .meta({ id: "Actor" })

const reasonWords = `must be a text of 1 to ${REASON_LENGTH_MAX} characters`
const reason = storable(z.string(reasonWords).trim().min(1, reasonWords).max(REASON_LENGTH_MAX, reasonWords))

export const controlBody = z
  .strictObject({
    confirm: z
      .literal(UNPROTECTED, `must be "${UNPROTECTED}" or absent`)
      .optional()
      .meta({ description: "Pauses although open positions are then not protected." }),
    reason: reason.optional().meta({ description: "Why, for the log." })
  })
  .meta({ id: "ControlBody" })

export const controlAnswer = z
  .object({ status: z.literal("ACCEPTED"), path: z.string(), command: z.enum(controlCommands) })
  .meta({ id: "ControlAnswer" })

const noteWords = `must be a text of at most ${REASON_LENGTH_MAX} characters`

export const tradingStateBody = z
  .strictObject({
    state: oneOf(TRADING_STATES),
    reason,
    scope: z.literal("global", 'must be "global" or absent').optional()
  })
  .meta({ id: "TradingStateBody" })

export const tradingState = z
  .object({
    scope: z.string(),
    state: z.enum(TRADING_STATES),
    reason: z.string(),
    changed_by: z.string(),
    version: count,
    changed_at: instant
  })
  .meta({ id: "TradingState" })

export const WAVE_STATUSES = ["expected", "processing", "done", "missed"] as const

export const wave = z
  .object({
    feed: z.string(),
    wave: instant,
    due_at: instant,
    status: z.enum(WAVE_STATUSES),
    late: z.boolean(),
    successful: count,
    failed: count,
    skipped: count,
    duration_ms: count.nullable(),
    lost_ms: z.number(),
    reason: text
  })
  .meta({ id: "Wave" })

export const ALERT_SEVERITIES = ["LOW", "MEDIUM", "HIGH", "CRITICAL"] as const
export const ALERT_STATUSES = ["open", "acknowledged", "resolved"] as const

export const alert = z
  .object({
    id: uuid,
    status: z.enum(ALERT_STATUSES),
    severity: z.enum(ALERT_SEVERITIES),
    kind: z.string(),
    dedup_key: z.string(),
    message: z.string(),
    component: text,
    detail: anyObject,
    occurrences: count,
    first_at: instant,
    last_at: instant,
    last_message: text,
    last_detail: anyObject.nullable(),
    standing: z
      .boolean()
      .meta({ description: "A condition, which stays open until it ends; otherwise an event." }),
    acknowledged_at: instant.nullable(),
    acknowledged_by: text,
    acknowledged_note: text,
    resolved_at: instant.nullable(),
    resolved_by: text
  })
  .meta({ id: "Alert" })

export const acknowledgeBody = z
  .strictObject({
    note: storable(z.string(noteWords).max(REASON_LENGTH_MAX, noteWords)).nullable().optional()
  })
  .meta({ id: "AcknowledgeBody" })

export const deadLetter = z
  .object({
    id: uuid,
    origin: z.string(),
    reference: text,
    reason: z.string(),
    payload: anyJson,
    created_at: instant,
    replayed_at: instant.nullable()
  })
  .meta({ id: "DeadLetter" })

export const BREAKER_STATES = ["CLOSED", "OPEN", "HALF_OPEN"] as const

export const circuitBreaker = z
  .object({
    id: z.string(),
    state: z.enum(BREAKER_STATES),
    reason: text,
    changed_by: z.string(),
    opened_at: instant.nullable(),
    changed_at: instant
  })
  .meta({ id: "CircuitBreaker" })

export const emptyBody = z.strictObject({}).meta({ id: "EmptyBody" })

export const session = z
  .object({
    status: z.literal("ok"),
    by: z.enum(["token", "session", "local"]),
    csrf_token: text.meta({ description: "What a page repeats as `x-csrf-token`; null without a session." }),
    expires_at: instant.nullable()
  })
  .meta({ id: "Session" })

export const sessionEnded = z.object({ status: z.literal("ok") }).meta({ id: "SessionEnded" })

export const indexEntry = z
  .object({
    method: z.enum(["GET", "POST"]),
    path: z.string(),
    summary: z.string(),
    filters: z.array(z.string()).nullable()
  })
  .meta({ id: "IndexEntry" })
