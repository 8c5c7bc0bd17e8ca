/**
 * operations: the supervision tree, trading states, waves, alerts, as the API gives them.
 *
 * Promises: what an operator reads here is what the tables and the tree hold.
 * Never: has the body of a command (commands.ts).
 */
import { z } from "zod"
import { EXPECTED_STATUSES } from "../domain/signals/expected-schedule.ts"
import { BREAKER_STATES } from "../domain/orders/breaker.ts"
import { TRADING_STATES } from "../domain/kernel/trading-state.ts"
import { journalEntry } from "./journal.ts"
import { anyObject, count, instant, uuid } from "./words.ts"

const text = z.string().nullable()

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

const timer = z
  .object({
    path: z.string().meta({ description: "The component, and `path#id` for a machine inside of it." }),
    event: z.string().meta({
      description: "The event it will send, as the transitions of its statechart name it; empty: not named."
    }),
    delay_ms: z.number(),
    due_at: instant
  })
  .meta({ id: "ActorTimer" })

export const actorWithHistory = actor
  .extend({
    pending_timers: z.array(timer).meta({ description: "What it waits for, the next first." }),
    hand_events: z.array(z.string()).meta({
      description: "In practice mode: events that it takes now and that may be sent by hand."
    }),
    last_transitions: z.array(journalEntry).meta({
      description: "Newest first, at most 50; of those in memory and the 20,000 entries before them."
    }),
    restart_history: z.array(journalEntry).meta({
      description: "Its restarts with their causes, newest first, at most 50; of its former processes too."
    }),
    history_complete: z.boolean().meta({
      description: "False: the database could not be asked, and entries that only it has are missing."
    })
  })
  .meta({ id: "ActorWithHistory" })

const scopedState = z.object({
  scope: z.string(),
  state: z.enum(TRADING_STATES),
  reason: z.string(),
  changed_by: z.string(),
  version: count,
  changed_at: instant
})

export const tradingState = scopedState.meta({ id: "TradingState" })

export const tradingStates = scopedState
  .extend({
    scopes: z.array(tradingState).meta({
      description:
        "Accounts and strategies whose state was ever set; the strictest of all that concern an order holds."
    })
  })
  .meta({ id: "TradingStates" })

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

export const expectedSignal = z
  .object({
    source: z.string(),
    due_at: instant,
    status: z.enum(EXPECTED_STATUSES).meta({
      description:
        "`late`: after its grace; `unobserved`: this installation took no posts for a part of the time, so nothing is known of the sender."
    }),
    needed: count,
    received: count,
    from_at: instant,
    grace_at: instant,
    until_at: instant.meta({ description: "A signal between `grace_at` and here is late." }),
    judged_at: instant
  })
  .meta({ id: "ExpectedSignal" })

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

export const circuitBreaker = z
  .object({
    id: z.string().meta({ description: "`broker:NAME` or `strategy:NAME`." }),
    state: z.enum(BREAKER_STATES).meta({
      description: "OPEN denies entries, HALF_OPEN lets them wait for look-ups that probe the venue."
    }),
    manual: z.boolean().meta({ description: "An operator opened it: only an operator closes it." }),
    reason: text,
    changed_by: z.string().meta({ description: "`system`, `rule:NAME`, or who gave the command." }),
    opened_at: instant.nullable().meta({ description: "Since when it is not closed." }),
    cooldown_until: instant.nullable().meta({ description: "When it becomes HALF_OPEN." }),
    openings: count.meta({ description: "In a row; each doubles the cooldown." }),
    probes: count.meta({ description: "Answered in a row since it became HALF_OPEN." }),
    numbers: anyObject.meta({ description: "What opened it." }),
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

export const settingsChange = z
  .object({
    version: z.string().meta({ description: "What decisions name as `settings_version`." }),
    by: z.string().meta({ description: "`start`, or who asked for the reload." }),
    changed: z.array(z.string()).meta({ description: "Settings that changed; none at a start." }),
    node: z.string(),
    life: text.meta({ description: "The process that runs under them from then on." }),
    settings: anyObject.meta({ description: "All of them, without secrets." }),
    at: instant
  })
  .meta({ id: "SettingsChange" })
