/**
 * Finds accounts that were left behind: the settings of no running process have them, and they hold something.
 *
 * A reload refuses to remove such an account. A start cannot: it does not know whether another process has it, and to refuse would
 * leave every other account without its service. So it is told, as long as it lasts.
 *
 * Promises: one CRITICAL alert per account, resolved when somebody has it again or it holds nothing; its open positions count as
 * not protected, in health too. An account that is between two processes is not reported: it has to be found twice.
 * Never: touches such an account.
 */
import { Clock, Effect } from "effect"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { type AbandonedAccount, PositionsStore } from "../../layers/orders/positions-store.port.ts"
import { Protection } from "../../layers/orders/protection.port.ts"

const prefix = "account.abandoned:"

export interface AbandonedSeen {
  /** Milliseconds of the clock; null before the first look. */
  lookedAtMs: number | null
  /** Accounts that the last look found. */
  found: ReadonlySet<string>
}

export const noneAbandoned = (): AbandonedSeen => ({ lookedAtMs: null, found: new Set() })

const tell = (component: string, { account, holds }: AbandonedAccount) =>
  Alerts.use((alerts) =>
    alerts.raise({
      severity: "CRITICAL",
      kind: "account.abandoned",
      dedupKey: `${prefix}${account}`,
      message: `the account ${account} has ${holds}, and no running process has it in its settings: nothing is closed or looked up there until one has it again`,
      component,
      detail: { account, holds },
      standing: true
    })
  )

/** `configured`: the accounts of this process, whoever executes them. */
export const lookForAbandoned = (component: string, seen: AbandonedSeen, configured: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (seen.lookedAtMs !== null && nowMs - seen.lookedAtMs < executionLimits.abandonedEveryMs) return
    const positions = yield* PositionsStore
    const found = yield* positions.abandoned(configured)
    const lasting = found.filter(({ account }) => seen.found.has(account))
    // At the first look for those of a former life of this process.
    const isOver = seen.lookedAtMs === null || found.length < seen.found.size || lasting.length < found.length
    seen.lookedAtMs = nowMs
    seen.found = new Set(found.map(({ account }) => account))
    for (const account of lasting) yield* tell(component, account)
    const protection = yield* Protection
    protection.noteAbandoned(
      lasting.flatMap(({ account, symbols }) => symbols.map((symbol) => ({ account, symbol })))
    )
    if (!isOver) return
    const alerts = yield* Alerts
    yield* alerts.resolveAllBut(
      prefix,
      found.map(({ account }) => `${prefix}${account}`),
      "a process has it again, or it holds nothing"
    )
  })
