/**
 * AuditStore in memory: what the entry of the commands does with its rows, without a database.
 *
 * Promises: a key stands for one attempt, as in PostgreSQL (migrations/0016_audit.ts).
 * Never: forgets a row.
 */
import { Effect } from "effect"
import type { AuditEnd, AuditEntry, AuditStoreService } from "../../src/layers/control/audit-store.port.ts"

export interface AuditRow extends AuditEntry {
  end: AuditEnd | null
}

export interface MemoryAudit extends AuditStoreService {
  readonly rows: ReadonlyArray<AuditRow>
}

export const makeMemoryAudit = (): MemoryAudit => {
  const rows: Array<AuditRow> = []
  const stands = ({ end }: AuditRow): boolean =>
    end === null || end.result === "accepted" || end.result === "refused"
  return {
    rows,
    begin: (entry) =>
      Effect.sync(() => {
        const known = rows.find((row) => entry.key !== null && row.key === entry.key && stands(row))
        if (known !== undefined)
          return { _tag: "Known", fingerprint: known.fingerprint, end: known.end } as const
        rows.push({ ...entry, end: null })
        return { _tag: "Begun" } as const
      }),
    end: (entry, end) =>
      Effect.sync(() => {
        const row = rows.find(({ id }) => id === entry.id)
        if (row === undefined) rows.push({ ...entry, end })
        else row.end = end
      }),
    interrupt: () => Effect.succeed([])
  }
}
