/**
 * monitoring: what is in progress, what the process does, and who holds which account.
 *
 * Promises: ages are measured by the database's clock, so that two processes report the same.
 * Never: shows a body or a secret.
 */
import { z } from "zod"
import { SHED_ORDER } from "../domain/platform/resources.ts"
import { count, decimal, instant, uuid } from "./words.ts"

const text = z.string().nullable()
const ms = z.number().nonnegative()
const bytes = count

export const TRANSACTION_KINDS = ["signal", "order"] as const

export const transaction = z
  .object({
    kind: z.enum(TRANSACTION_KINDS),
    id: uuid,
    signal_id: uuid.nullable().meta({ description: "The correlation id; null for an exit." }),
    status: z.string(),
    symbol: text,
    account: text.meta({ description: "Null for a signal." }),
    strategy: text,
    quantity: decimal.nullable(),
    since: instant.meta({ description: "Received, or intended." }),
    age_ms: count,
    attempts: count.meta({ description: "How often the signal was claimed, or the order sent." }),
    reason: text
  })
  .meta({ id: "Transaction" })

export const worker = z
  .object({
    pid: count,
    node: z.string(),
    started_at: instant,
    uptime_ms: count,
    event_loop: z.object({
      since: instant.meta({ description: "Start of the figures below." }),
      delay_mean_ms: ms,
      delay_p99_ms: ms,
      delay_max_ms: ms,
      utilization: z.number().min(0).max(1)
    }),
    gc: z.object({ count, total_ms: ms, max_ms: ms }),
    memory: z.object({
      rss_bytes: bytes,
      heap_used_bytes: bytes,
      heap_total_bytes: bytes,
      heap_limit_bytes: bytes,
      external_bytes: bytes
    }),
    components: count,
    components_not_ready: count,
    restarts: count.meta({ description: "Of all components, since the process started." })
  })
  .meta({ id: "Worker" })

/** What a process had left, a row a minute: the worst of each figure in it, and how things stood at its end. */
export const resourceSample = z
  .object({
    at: instant,
    node: text.meta({ description: "Null: before the process had its data directory." }),
    state: z.enum(["Normal", "Shedding", "Critical"]),
    shed: z.array(z.enum(SHED_ORDER)).meta({ description: "Features that were given up, in their order." }),
    rss_bytes: bytes,
    heap_used_bytes: bytes,
    heap_limit_bytes: bytes,
    loop_ms: ms.meta({ description: "How late the event loop was." }),
    disk_free_pct: z.number().nullable().meta({ description: "Of the file system of `dataDir`." }),
    pool_waiting: count.meta({ description: "Calls that waited for a connection to the database." }),
    queue_ms: ms.meta({ description: "How long the oldest post or undecided signal had waited." })
  })
  .meta({ id: "ResourceSample" })

const statement = z
  .object({
    operation: z.string().meta({ description: "The call that it belongs to, such as `signals.claim`." }),
    text: z.string().meta({ description: "Without parameters; `COMMIT` is that of a transaction." }),
    count,
    failed: count,
    total_ms: ms,
    mean_ms: ms,
    longest_ms: ms,
    longest_at: instant,
    last_at: instant
  })
  .meta({ id: "Statement" })

const tableSize = z
  .object({
    table: z.string(),
    bytes: count.meta({ description: "With its indexes." }),
    index_bytes: count,
    rows_about: count.meta({ description: "As the server last estimated." })
  })
  .meta({ id: "TableSize" })

const lockWait = z
  .object({
    pid: count,
    application: z.string(),
    waits_for: text,
    since: instant.nullable().meta({ description: "When its statement began." }),
    blocked_by: z.array(z.int()).meta({ description: "Pids of the sessions that hold it up." })
  })
  .meta({ id: "LockWait" })

export const server = z
  .object({
    version: z.string(),
    bytes,
    sessions: count.meta({ description: "Of this database, those of other programs included." }),
    sessions_max: count,
    tables: z
      .array(tableSize)
      .nullable()
      .meta({ description: "Largest first; null while one of them is locked, because to measure it waits." }),
    waits: z.array(lockWait).meta({ description: "Sessions that wait for a lock, the oldest first." })
  })
  .meta({ id: "DatabaseServer" })

/** What orders statements by how slow they are. */
export const SLOWNESS = ["longest", "total"] as const

export const database = z
  .object({
    availability: z.enum(["unknown", "available", "unavailable"]),
    pool: z
      .object({
        size: count,
        open: count.meta({ description: "Connections that are open." }),
        in_flight: count.meta({ description: "Calls." }),
        waiting: count.meta({ description: "Calls that wait for a connection." }),
        abandoned: count.meta({ description: "Calls past their deadline that still clean up." })
      })
      .meta({ id: "DatabasePool", description: "Of this process." }),
    calls: z
      .object({ all: count, unavailable: count, faults: count, deadlines: count, retries: count })
      .meta({ id: "DatabaseCalls", description: "Of this process, since it started." }),
    statements: z.array(statement).meta({
      description: "The slowest of this process, since it started; without the wait for a connection."
    }),
    server: server.nullable().meta({ description: "Null while it does not answer." })
  })
  .meta({ id: "Database" })

/** What the local spool holds, and whether it takes posts. */
export const spool = z
  .object({
    state: z.string().meta({ description: "Of the component `root/spool`; `none` without one." }),
    since: instant.nullable(),
    takes_posts: z
      .boolean()
      .meta({ description: "What the database does not take is spooled, not refused." }),
    fault: z
      .object({ kind: z.enum(["full", "failed"]), message: z.string() })
      .nullable()
      .meta({ description: "Why it takes none." }),
    posts: count.meta({ description: "Answered 202 and not in the database yet." }),
    bytes,
    segments: count.meta({ description: "Its files." }),
    oldest_at: instant.nullable().meta({ description: "When the oldest of them was received." }),
    posts_max: count,
    bytes_max: bytes,
    spooled: count.meta({ description: "Posts answered 202, since the process started." }),
    drained: count.meta({ description: "Posts stored from it, those of a former life included." }),
    refused: count.meta({ description: "Posts it could not take." }),
    damaged_files: count.meta({ description: "Files that were damaged and are kept beside the others." })
  })
  .meta({ id: "Spool" })

/** The turns of an account's executor, one round trip to the broker each. */
export const turns = z
  .object({
    taken: count,
    waiting: count.meta({ description: "Waiting for their turn now." }),
    contended: count.meta({ description: "Turns that had to wait for another." }),
    waited_ms: ms.meta({ description: "Sum of all waits." }),
    longest_wait_ms: ms
  })
  .meta({ id: "Turns" })

const lockFields = {
  account: z.string(),
  owner: text.meta({ description: "The life that holds it." }),
  fence: z.string(),
  lease_until: instant.nullable(),
  lease_left_ms: count.nullable().meta({ description: "Null without an owner." }),
  orders_waiting: count.meta({ description: "Orders that are intended or held." }),
  waiting_since: instant.nullable(),
  held_here: z.boolean(),
  standing_by: z.boolean().meta({ description: "This process waits for it." }),
  turns: turns.nullable().meta({ description: "Null where this process has not held it." })
}

/** As read from the row; what this process adds is extra. */
export const lockRow = z.object(lockFields).omit({ held_here: true, standing_by: true, turns: true })
export const lock = z.object(lockFields).meta({ id: "Lock" })
