/**
 * Stage store: the port to the stages of strategies and to what shadows hold on paper.
 *
 * Promises: `read` is one consistent snapshot in one statement; a stage changes once for one version of its row, with journal
 * entry, audit row and alert in one commit where a rule changes it; a holding is closed once, and only as it was seen; an order that
 * rests is filled once, in the commit of its trade.
 * Never: knows a price or a rule.
 */
import { Context, type Effect } from "effect"
import type { PaperHolding, PaperOrder, Stage } from "../../domain/orders/stage.ts"
import type { StageChange, StageFigures, StageRow } from "../../domain/orders/stage-rule.ts"
import type { ClosedAlert } from "../alerts/alerts-store.port.ts"
import type { PendingAlert } from "../alerts/alerts.port.ts"
import type { DatabaseError, DatabaseUnavailable } from "../database/database.port.ts"

/** A strategy that rules look at. */
export interface StageAsked {
  readonly strategy: string
  /** Closes whose profit is summed, by the stage it is in. */
  readonly closesLive: number
  readonly closesShadow: number
}

/** What a shadow holds on paper. Times are epoch milliseconds of the database's clock. */
export interface OpenPaper extends PaperHolding {
  readonly strategy: string
  readonly account: string
  readonly bestPrice: string | null
  readonly openedAtMs: number
}

/** What rests on paper. */
export interface RestingPaper extends PaperOrder {
  readonly strategy: string
  readonly account: string
  /** Why it may not rest any more, whatever its price; null: it may. */
  readonly gone: string | null
}

export interface StageReading {
  readonly nowMs: number
  readonly rows: ReadonlyArray<{ readonly row: StageRow; readonly figures: StageFigures }>
  /** Every strategy that was demoted, whether a rule looks at it or not. */
  readonly demoted: ReadonlyArray<string>
  readonly open: ReadonlyArray<OpenPaper>
  /** In the order in which it was placed. */
  readonly resting: ReadonlyArray<RestingPaper>
}

/** How a holding is closed: at a price, for a fee, with a profit net of fees. */
interface PaperExit {
  readonly kind: string
  readonly price: string
  readonly fee: string
  readonly profit: string
}

/** How an order that rests is filled. */
export interface RestingFill {
  readonly price: string
  readonly quantity: string
  readonly fee: string
  /** Of what it closed, net of fees; null: it closed nothing. */
  readonly profit: string | null
  /** What was held when it was judged; null: nothing. */
  readonly before: PaperHolding | null
  readonly after: PaperHolding
  /** From flat, or through zero. */
  readonly opened: boolean
}

/** A stage that an operator set; `changed` is false where it was that before. */
interface OperatedStage {
  readonly strategy: string
  readonly stage: Stage
  readonly reason: string | null
  readonly changedBy: string
  /** ISO 8601, in UTC. */
  readonly since: string
  readonly changed: boolean
}

export interface StageStoreService {
  /** Makes the missing rows of these strategies: closes count from then on. */
  readonly read: (asked: ReadonlyArray<StageAsked>) => Effect.Effect<StageReading, DatabaseUnavailable>
  /** What a rule changes; the alert replaces the open one of its key. Null: somebody else changed the row before. */
  readonly move: (
    row: StageRow,
    change: StageChange,
    alert: PendingAlert
  ) => Effect.Effect<{ readonly ended: ReadonlyArray<ClosedAlert> } | null, DatabaseUnavailable>
  readonly operate: (change: {
    readonly strategy: string
    readonly to: Stage
    readonly by: string
    readonly reason: string | null
  }) => Effect.Effect<OperatedStage, DatabaseError>
  /** Remembers the best price that a holding has reached. */
  readonly follow: (open: OpenPaper, bestPrice: string) => Effect.Effect<void, DatabaseUnavailable>
  /** False: it is not held as it was seen any more. Also deletes exits past their retention. */
  readonly close: (open: OpenPaper, exit: PaperExit) => Effect.Effect<boolean, DatabaseUnavailable>
  /** False: it does not rest any more, or what is held is not what it was judged by. */
  readonly fill: (order: RestingPaper, fill: RestingFill) => Effect.Effect<boolean, DatabaseUnavailable>
  /** The market has reached its stop. */
  readonly trigger: (order: RestingPaper) => Effect.Effect<void, DatabaseUnavailable>
  /** False: it does not rest any more. */
  readonly withdraw: (order: RestingPaper) => Effect.Effect<boolean, DatabaseUnavailable>
}

export class StageStore extends Context.Service<StageStore, StageStoreService>()(
  "holdfast/layers/StageStore"
) {}
