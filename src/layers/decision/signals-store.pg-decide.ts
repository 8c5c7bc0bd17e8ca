/**
 * The decision transaction: claim guard, context, plans, and one statement that writes everything.
 *
 * Its first statement takes the rows of the claim and, for each account concerned, an advisory lock: two processes
 * that decide for one account at the same time would each miss the other's orders and together pass every limit. The
 * planning in between is synchronous and takes microseconds, so the locks are held for about one commit.
 *
 * Promises: nothing is written for a row whose claim is not ours; decision, orders, quote and status are one commit;
 * a plan that throws changes only its own signal.
 * Never: waits for anything but the database, or retries.
 * Failure: errors of the SQL client pass through and roll everything back.
 */
import { CANARY } from "../../domain/kernel/canary.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Decision, Plan } from "../../domain/decision/decision.ts"
import type { Facts } from "../../domain/decision/facts.ts"
import { deadLetterId, refusedSignalId } from "../../domain/kernel/ids.ts"
import { strategyUnknown } from "../../domain/signals/routing.ts"
import { refusedLimits } from "../../domain/kernel/limits-kept.ts"
import { claimLimits } from "../../domain/kernel/limits-signals.ts"
import type { PlanContext } from "../../domain/orders/plan-context.ts"
import { type ContextTerms, readContext } from "../orders/account-book.pg.ts"
import { onPaper } from "./signals-store.pg-paper.ts"
import type { ClaimedSignal, Planner, SignalOutcome } from "./signals-store.port.ts"

/** A rate limit across accounts could be exceeded by concurrent decisions for two of them, so these are serialised. */
const lockedBy = ({ countsRates }: ContextTerms, accounts: ReadonlyArray<string>) =>
  countsRates() ? [...accounts, "*"] : accounts

/** Takes the claimed rows and the accounts' locks. Returns the rows that are still ours. */
const guard = (
  sql: SqlClient,
  token: string,
  ids: ReadonlyArray<string>,
  accounts: ReadonlyArray<string>
) => sql<{
  readonly id: string
}>`
  WITH locks AS MATERIALIZED (
    SELECT count(pg_advisory_xact_lock(hashtextextended('decide:' || account, 0))) AS held
    FROM (SELECT account FROM unnest(${[...accounts].toSorted()}::text[]) AS names (account)) AS sorted)
  UPDATE signals SET lease_until = hf_now() + ${claimLimits.leaseMs}::int * interval '1 millisecond'
  FROM locks
  WHERE id = ANY (${ids}::uuid[]) AND status = 'processing' AND claim = ${token}::uuid AND locks.held >= 0
  RETURNING id`

interface DecidedSignal {
  readonly decision: Decision
  readonly facts: Facts
  readonly symbol: string
}

const decisionRow = ({ decision, facts, symbol }: DecidedSignal, index: number) => ({
  ordinal: index,
  signal_id: decision.signalId,
  engine: decision.engine,
  experiment_id: decision.experimentId,
  variant: decision.variant,
  outcome: decision.outcome,
  reason: decision.reason,
  checks: decision.checks,
  shadow: decision.shadows.length === 0 ? null : decision.shadows,
  facts,
  settings_version: decision.settingsVersion,
  signal_status: decision.signalStatus,
  symbol,
  bid: decision.quote?.bid ?? null,
  ask: decision.quote?.ask ?? null,
  last: decision.quote?.last ?? null,
  quoted_at: decision.quote === null ? null : isoOf(decision.quote.atMs)
})

const orderRows = (decisions: ReadonlyArray<Decision>) =>
  decisions
    .flatMap(({ orders }) => orders)
    .map((order, index) => ({
      ordinal: index,
      id: order.id,
      client_order_id: order.clientOrderId,
      signal_id: order.signalId,
      account: order.account,
      strategy: order.strategy,
      leg: order.leg,
      intent: order.intent,
      sizing: order.sizing,
      wanted: order.wanted,
      symbol: order.symbol,
      side: order.side,
      type: order.type,
      quantity: order.quantity,
      limit_price: order.limitPrice,
      stop_price: order.stopPrice,
      time_in_force: order.timeInForce,
      status: order.status,
      source: order.source,
      venue: order.venue,
      reason: order.reason,
      valid_until: order.validUntilMs === null ? null : isoOf(order.validUntilMs)
    }))

/** What humans are asked about, with the rows of the orders that wait for it. */
const asking = (sql: SqlClient, decisions: ReadonlyArray<Decision>) => {
  const rows = decisions
    .flatMap(({ orders }) => orders)
    .flatMap(({ approval, id }) =>
      approval === null
        ? []
        : [
            {
              order_id: id,
              deadline_ms: approval.deadlineMs,
              otherwise: approval.otherwise,
              price: approval.price,
              price_move_pct_max: approval.priceMovePctMax
            }
          ]
    )
  return rows.length === 0
    ? sql.literal("")
    : sql`,
  asked AS (
    INSERT INTO approvals (order_id, deadline, otherwise, price, price_move_pct_max)
    SELECT order_id, hf_now() + deadline_ms * interval '1 millisecond', otherwise, price, price_move_pct_max
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      AS a (order_id uuid, deadline_ms bigint, otherwise text, price numeric, price_move_pct_max numeric))`
}

/**
 * One statement for all rows of all decisions. The foreign keys between them are checked at its end. The ids are given
 * twice, because the planner takes the records for a hundred rows and would read the whole table to join them.
 */
const write = (sql: SqlClient, decided: ReadonlyArray<DecidedSignal>) => sql`
  WITH decided AS (
    SELECT * FROM jsonb_to_recordset(${JSON.stringify(decided.map(decisionRow))}::text::jsonb)
      AS d (ordinal int, signal_id uuid, engine text, experiment_id text, variant text, outcome text, reason text,
        checks jsonb, shadow jsonb, facts jsonb, settings_version text, signal_status text, symbol text, bid numeric, ask numeric, last numeric, quoted_at timestamptz)),
  decision AS (
    INSERT INTO decisions (signal_id, engine, experiment_id, variant, outcome, reason, checks, shadow, facts, settings_version)
    SELECT signal_id, engine, experiment_id, variant, outcome, reason, checks, shadow, facts,
      settings_version FROM decided ORDER BY ordinal),
  enriched AS (
    INSERT INTO enriched_signals (signal_id, symbol, bid, ask, last, quoted_at)
    SELECT signal_id, symbol, bid, ask, last, quoted_at FROM decided ORDER BY ordinal),
  ordered AS (
    INSERT INTO orders (id, client_order_id, signal_id, account, strategy, leg, intent, sizing, wanted, symbol, side, type,
      quantity, limit_price, stop_price, time_in_force, status, source, venue, reason, valid_until)
    SELECT id, client_order_id, signal_id, account, strategy, leg, intent, sizing, wanted, symbol, side, type, quantity,
      limit_price, stop_price, time_in_force, status, source, venue, reason, valid_until
    FROM jsonb_to_recordset(${JSON.stringify(orderRows(decided.map(({ decision }) => decision)))}::text::jsonb)
      AS o (ordinal int, id uuid, client_order_id text, signal_id uuid, account text, strategy text, leg int, intent text,
        sizing text, wanted numeric, symbol text, side text, type text, quantity numeric, limit_price numeric, stop_price numeric, time_in_force text, status text,
        source text, venue text, reason text, valid_until timestamptz)
    ORDER BY ordinal)${asking(
      sql,
      decided.map(({ decision }) => decision)
    )}${onPaper(
      sql,
      decided.map(({ decision }) => decision)
    )}
  UPDATE signals s SET status = d.signal_status, reason = d.reason, decided_at = hf_now(), claim = NULL, lease_until = NULL
  FROM decided d
  WHERE s.id = d.signal_id AND s.id = ANY (${decided.map(({ decision }) => decision.signalId)}::uuid[])`

/** What is kept of a body that is longer than a kept one may be (T12): no character of UTF-8 is longer than four bytes. */
const keptCharsMax = refusedLimits.bodyBytesMax / 4

/**
 * Signals that name a strategy which does not take them are kept as refused (T10, T12): its sender, or a setting, is wrong. A
 * long body is shown without its end and replayed whole, because what is replayed is the signal (replay-signal.pg.ts).
 */
const keepUnknown = (sql: SqlClient, ids: ReadonlyArray<string>) => sql`
  INSERT INTO refused_posts (id, source, reason, answered, errors, body, body_bytes, cut, body_hash, request_id, signal_id,
    received_at)
  SELECT kept.id, s.source, 'strategy_unknown', 201, ${JSON.stringify([strategyUnknown])}::text::jsonb,
    CASE WHEN size.is_long THEN left(s.body::text, ${keptCharsMax}::int) ELSE s.body::text END, octet_length(s.body::text),
    size.is_long, s.body_hash, s.request_id, s.id, s.received_at
  FROM unnest(${ids}::uuid[], ${ids.map(refusedSignalId)}::uuid[]) AS kept (signal_id, id)
  JOIN signals s ON s.id = kept.signal_id
  CROSS JOIN LATERAL (SELECT octet_length(s.body::text) > ${refusedLimits.bodyBytesMax}::int AS is_long) AS size
  -- It was replayed and came back.
  ON CONFLICT (id) DO UPDATE SET replayed_at = NULL, replayed_by = NULL`

/** Defers signals on purpose: that is not an attempt. */
const putOff = (sql: SqlClient, ids: ReadonlyArray<string>) => sql`
  UPDATE signals SET lease_until = hf_now() + ${claimLimits.deferMs}::int * interval '1 millisecond', attempts = attempts - 1
  WHERE id = ANY (${ids}::uuid[])`

/** What follows from a failure: a later retry, or the end. The row is ours; the caller locked it. */
export const settleFailure = Effect.fnUntraced(function* (
  sql: SqlClient,
  signal: ClaimedSignal,
  error: string
) {
  const { id, attempts } = signal
  const reason = error.slice(0, 1_000)
  if (attempts < claimLimits.attemptsMax) {
    yield* sql`
      UPDATE signals SET reason = ${reason}, lease_until = hf_now() + ${claimLimits.retryMs}::int * interval '1 millisecond'
      WHERE id = ${id}`
    return { _tag: "Failed" as const, id, error, attempts }
  }
  yield* sql`
    WITH dead AS (
      UPDATE signals SET status = 'dead', reason = ${reason}, decided_at = hf_now(), claim = NULL, lease_until = NULL
      WHERE id = ${id} RETURNING id, source, body)
    INSERT INTO dead_letters (id, origin, reference, reason, payload)
    SELECT ${deadLetterId("pipeline", id, reason)}::uuid, 'pipeline', dead.id::text, ${reason}, dead.body FROM dead
    WHERE dead.source <> ${CANARY}
    ON CONFLICT (id) DO UPDATE SET replayed_at = NULL`
  return { _tag: "Buried" as const, id, reason }
})

type Planned =
  | { readonly _tag: "Plan"; readonly plan: Plan }
  | { readonly _tag: "Threw"; readonly error: string }

const planOne = (plan: Planner, claimed: ClaimedSignal, context: PlanContext): Planned => {
  // So many claims without an outcome: its deciders died of it, so it is not retried.
  if (claimed.attempts > claimLimits.claimsMax) {
    return { _tag: "Threw", error: `claimed ${claimed.attempts} times without a decision` }
  }
  if (claimed.kind !== "signal")
    return { _tag: "Threw", error: claimed.kind === "unreadable" ? claimed.problem : "not a signal" }
  try {
    return { _tag: "Plan", plan: plan(claimed.signal, context) }
  } catch (error) {
    return {
      _tag: "Threw",
      error: error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    }
  }
}

/** The whole transaction. Runs inside one that the caller opened. */
export const decideIn = Effect.fnUntraced(function* (
  sql: SqlClient,
  terms: ContextTerms,
  token: string,
  signals: ReadonlyArray<ClaimedSignal>,
  accounts: ReadonlyArray<string>,
  plan: Planner
) {
  const ids = signals.map(({ id }) => id)
  const ours = new Set((yield* guard(sql, token, ids, lockedBy(terms, accounts))).map(({ id }) => id))
  let context = yield* readContext(sql, terms, accounts, ids)
  const outcomes: Array<SignalOutcome> = []
  const decided: Array<DecidedSignal> = []
  for (const claimed of signals) {
    const { id } = claimed
    if (!ours.has(id)) {
      outcomes.push({ _tag: "ClaimLost", id })
      continue
    }
    const planned = planOne(plan, claimed, context)
    if (planned._tag === "Threw") {
      outcomes.push(yield* settleFailure(sql, claimed, planned.error))
    } else if (planned.plan._tag === "Deferred") {
      outcomes.push({ _tag: "Deferred", id, codes: planned.plan.codes })
    } else {
      context = planned.plan.context
      outcomes.push({ _tag: "Decided", id, decision: planned.plan.decision })
      decided.push({
        decision: planned.plan.decision,
        facts: planned.plan.facts,
        // The quote is that of the instrument the signal's symbol means.
        symbol:
          planned.plan.decision.quote?.symbol ?? (claimed.kind === "signal" ? claimed.signal.symbol : "")
      })
    }
  }
  const deferred = outcomes.filter((outcome) => outcome._tag === "Deferred").map(({ id }) => id)
  if (deferred.length > 0) yield* putOff(sql, deferred)
  if (decided.length > 0) yield* write(sql, decided)
  const unknown = decided.filter(({ decision }) => decision.reason === "strategy_unknown")
  if (unknown.length > 0)
    yield* keepUnknown(
      sql,
      unknown.map(({ decision }) => decision.signalId)
    )
  return outcomes
})
