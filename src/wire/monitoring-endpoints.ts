/**
 * The endpoints of monitoring, a part of the table in endpoints.ts.
 *
 * Promises: reads only; breaking a lock is a command.
 * Never: handles anything.
 */
import { z } from "zod"
import { endpoint, list } from "./endpoint.ts"
import * as monitoring from "./monitoring.ts"
import { byInstant, byName, limit, listQuery, page } from "./page.ts"
import { oneOf } from "./words.ts"

export const listTransactions = endpoint({
  ...list,
  path: "/api/v1/monitoring/transactions",
  tag: "operations",
  name: "listTransactions",
  summary: "Undecided signals and open orders, oldest first.",
  query: listQuery({
    kind: oneOf(monitoring.TRANSACTION_KINDS).optional(),
    status: byName,
    account: byName,
    strategy: byName,
    symbol: byName
  }),
  answers: { 200: page(monitoring.transaction) }
})
export const getWorker = endpoint({
  ...list,
  path: "/api/v1/monitoring/worker",
  tag: "operations",
  name: "getWorker",
  summary: "Event loop, collector, memory and restarts of this process.",
  answers: { 200: monitoring.worker }
})
export const listResources = endpoint({
  ...list,
  path: "/api/v1/monitoring/resources",
  tag: "operations",
  name: "listResources",
  summary: "What processes had left of memory, disk and time, by the minute, newest first.",
  query: listQuery({ node: byName, state: byName, from: byInstant, to: byInstant }),
  answers: { 200: page(monitoring.resourceSample) }
})
export const getSpool = endpoint({
  ...list,
  path: "/api/v1/monitoring/spool",
  tag: "operations",
  name: "getSpool",
  summary: "The local spool: what it holds while the database is away, its bounds and its state.",
  answers: { 200: monitoring.spool }
})
export const getDatabase = endpoint({
  ...list,
  path: "/api/v1/monitoring/database",
  tag: "operations",
  name: "getDatabase",
  summary: "The database: pool, slowest statements, sizes of tables, and sessions that wait for a lock.",
  query: z.strictObject({
    limit,
    order: oneOf(monitoring.SLOWNESS)
      .optional()
      .meta({ description: "Statements by their longest run, as without it, or by all their runs." })
  }),
  answers: { 200: monitoring.database }
})
export const listLocks = endpoint({
  ...list,
  path: "/api/v1/monitoring/locks/status",
  tag: "operations",
  name: "listLocks",
  summary: "Who holds which account, until when, and what waits for it.",
  query: listQuery({ owner: byName }),
  answers: { 200: page(monitoring.lock) }
})
export const getLock = endpoint({
  ...list,
  path: "/api/v1/monitoring/locks/account/:id",
  tag: "operations",
  name: "getLock",
  summary: "Who holds an account.",
  answers: { 200: monitoring.lock }
})

export const monitoringEndpoints = [
  listTransactions,
  getWorker,
  listResources,
  getSpool,
  getDatabase,
  listLocks,
  getLock
]
