/**
 * The endpoint of what humans are asked about, a part of the table in endpoints.ts (G9). The commands that answer are in commands.ts.
 *
 * Promises: a row for each entry that a strategy asked about, whatever became of it.
 * Never: handles anything.
 */
import { z } from "zod"
import { APPROVAL_DECISIONS } from "../domain/orders/approval.ts"
import { APPROVAL_DEFAULTS } from "../domain/kernel/settings.ts"
import { ORDER_STATUSES } from "../domain/orders/order.ts"
import { endpoint, list } from "./endpoint.ts"
import { listQuery, page } from "./page.ts"
import { decimal, instant, oneOf, uuid } from "./words.ts"

const STATUSES = ["waiting", ...APPROVAL_DECISIONS, "over"] as const

const approval = z
  .object({
    order_id: uuid,
    signal_id: uuid.nullable(),
    status: z.enum(STATUSES).meta({
      description: "`over`: the order ended otherwise before anybody answered, by a cancel or its age."
    }),
    account: z.string(),
    strategy: z.string(),
    symbol: z.string(),
    side: z.enum(["buy", "sell"]),
    quantity: decimal,
    price: decimal.nullable().meta({ description: "What whoever decides is, or was, shown." }),
    price_move_pct_max: decimal.nullable(),
    otherwise: z.enum(APPROVAL_DEFAULTS).meta({ description: "What becomes of it when nobody answers." }),
    asked_at: instant,
    answer_by: instant.meta({ description: "A later answer changes nothing." }),
    decided_at: instant.nullable(),
    decided_by: z
      .string()
      .nullable()
      .meta({ description: "As the audit names them; `deadline`: nobody answered." }),
    command_id: uuid.nullable(),
    note: z.string().nullable(),
    order_status: z.enum(ORDER_STATUSES),
    order_reason: z.string().nullable()
  })
  .meta({ id: "Approval" })

const byName = z.string().optional()

export const listApprovals = endpoint({
  ...list,
  path: "/api/v1/approvals",
  tag: "trading",
  name: "listApprovals",
  summary: "Entries that a human was asked about, newest first, and what was answered.",
  query: listQuery({ status: oneOf(STATUSES).optional(), account: byName, strategy: byName, symbol: byName }),
  answers: { 200: page(approval) }
})
