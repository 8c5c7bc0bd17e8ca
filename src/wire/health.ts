/**
 * health: what the process reports about itself (T2).
 *
 * Promises: the full document and the summary for unauthenticated callers differ in their fields; the summary names no account
 * and no symbol.
 * Never: decides what is healthy (domain/health/health.ts does).
 */
import { z } from "zod"
import { CANARY_STAGES } from "../domain/kernel/canary.ts"
import { TRADING_STATES } from "../domain/kernel/trading-state.ts"
import { anyObject, count, instant } from "./words.ts"

export const healthStatus = z.enum(["starting", "healthy", "degraded", "unhealthy", "stopping"])

export const healthOutline = z
  .object({
    status: healthStatus,
    ready: z
      .boolean()
      .meta({ description: "What this process takes in (webhooks, for most) is stored durably." }),
    can_trade: z.boolean().meta({ description: "At least one account may take on new exposure." }),
    reasons: z.array(z.string())
  })
  .meta({ id: "HealthOutline" })

export const component = z
  .object({
    state: z.string(),
    ready: z.boolean(),
    since: instant,
    restarts: count,
    last_error: z.string().nullable(),
    detail: anyObject
  })
  .meta({ id: "Component" })

export const healthDocument = healthOutline
  .extend({
    since: instant.meta({ description: "When `status` last changed." }),
    version: z.string(),
    commit: z.string(),
    mode: z.enum(["PRACTICE", "PAPER", "LIVE"]),
    halted: z.boolean(),
    trading_state: z.enum(TRADING_STATES).nullable().meta({ description: "Null until it was read." }),
    startup: z.object({ step: z.string(), n: count, of: count, since: instant, done: z.boolean() }),
    canary: z
      .object({
        state: z.enum(["ok", "late", "failed", "halted", "off"]),
        last_ok: instant.nullable(),
        latency_ms: z.number().nullable(),
        stage: z.enum(CANARY_STAGES).nullable().meta({ description: "What the last one did not reach." })
      })
      .nullable()
      .meta({ description: "The signal that proves the whole path (T9); null before the first has ended." }),
    linkage: z
      .object({
        fills: count,
        rate: z.number().nullable(),
        metadata_coverage: z.number().nullable()
      })
      .nullable()
      .meta({ description: "How the latest fills of our own orders are linked (A4); null while unknown." }),
    breakers: z
      .record(
        z.string(),
        z.object({
          state: z.string(),
          by: z.string(),
          reason: z.string().nullable(),
          since: instant,
          until: instant.nullable().meta({ description: "When its cooldown ends." })
        })
      )
      .meta({ description: "Circuit breakers that are not closed, by id." }),
    accounts: z.record(z.string(), z.object({ can_trade: z.boolean(), reason: z.string().nullable() })),
    components: z.record(z.string(), component).meta({ description: "By path in the supervision tree." })
  })
  .meta({ id: "Health" })

export const live = z
  .object({
    status: z.enum(["live", "deaf"]),
    path: z.string().optional().meta({ description: "The supervisor that does not answer." })
  })
  .meta({ id: "Live" })

export const version = z
  .object({
    name: z.literal("holdfast"),
    version: z.string(),
    commit: z.string(),
    mode: z.enum(["PRACTICE", "PAPER", "LIVE"]),
    node: z.string()
  })
  .meta({ id: "Version" })
