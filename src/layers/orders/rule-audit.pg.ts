/**
 * The audit row of what a rule did: beside what operators do (T14), in the statement that does it.
 *
 * A rule has no request of its own, so it stands for the command that an operator would have given, is its own means, and is
 * accepted by being stored.
 *
 * Promises: as many rows as the expression `rows` has, each with an id of its own.
 * Never: an operator's command; those are begun and ended (control/audit-store.pg.ts).
 * Failure: that of the statement it is part of.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

interface RuleAudit {
  /** Name of the expression (CTE) that holds what was changed. */
  readonly rows: string
  readonly command: string
  /** Of one of `rows`, as text. */
  readonly scope: Fragment
  /** Distinguishes it from another change of this scope at the same moment. */
  readonly key: Fragment
  readonly rule: string
  readonly reason: string
  /** The arguments, as JSON. */
  readonly given: string
}

export const ruleAudited = (
  sql: SqlClient,
  { command, given, key, reason, rows, rule, scope }: RuleAudit
): Fragment => sql`
  INSERT INTO audit (id, command, scope, arguments, reason, by, means, request_id, fingerprint, command_id, life,
    result, begun_at, completed_at)
  SELECT made.id, ${command}, ${scope}, ${given}::text::jsonb, ${reason}, ${`rule:${rule}`}, 'rule',
    ${`rule:${rule}`}, '', made.id, 'rule', 'accepted', hf_now(), hf_now()
  FROM ${sql.literal(rows)}, LATERAL (SELECT md5(${scope} || ${key} || hf_clock()::text)::uuid AS id) made`
