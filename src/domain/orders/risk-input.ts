/**
 * Risk input: everything a risk check may look at, and nothing else.
 *
 * The checks are pure, so what they know is exactly what is written here; a check that needs more shows up as a
 * change of this file. It is read in one consistent query and handed over whole.
 *
 * Promises: money and quantities are decimal strings, times are epoch milliseconds of the database's clock.
 * Never: holds behaviour.
 */
import type { TradingStateName } from "../kernel/trading-state.ts"
import type { CalendarName } from "../kernel/calendar.ts"
import type { Decimal } from "../kernel/decimal.ts"
import type { OrderTerms } from "./order-terms.ts"
import type { Book } from "./risk-book.ts"
import type { StoppedBreaker } from "./breaker.ts"
import type { ScopeState } from "./risk-scope.ts"
import type { Side } from "../signals/signal.ts"
import type { SidePolicy } from "./sizing.ts"

/** The columns of T6. */
export type RiskColumn = "entry" | "reduce" | "cancel"

export interface RiskLimits {
  readonly openPositionsMax: number | null
  readonly openPositionsPerSymbolMax: number | null
  readonly quantityMax: string | null
  readonly notionalMax: string | null
  readonly exposureMax: string | null
  /** The multiple of the account's own money its exposure may reach; null switches the check off. */
  readonly buyingPowerMultiple: string | null
}

/** The balance that the venue reported, and the book at that time: quantities by symbol. */
export interface KnownBalance {
  readonly buyingPower: string
  readonly atMs: number
  readonly book: Readonly<Record<string, string>>
}

export interface RiskAccount extends Book {
  readonly enabled: boolean
  /** When the account was last reconciled with its broker under its present owner, null when it was not. */
  readonly reconciledAtMs: number | null
  /** That of the order which is judged: its symbol's by the settings, else the account's. */
  readonly calendar: CalendarName
  readonly startingCash: string
  /** Realised profit and loss of all positions less the fees paid, signed. */
  readonly realisedPnl: string
  /** Null: not requested yet, no response, or an invalid figure. */
  readonly balance: KnownBalance | null
}

/** What only an entry has: it comes from a signal, through a strategy. */
export interface EntryOrigin {
  readonly expiresFromMs: number
  readonly ageMaxMs: number
  /** An order of this signal, account, strategy and leg exists already. */
  readonly alreadyOrdered: boolean
  readonly sidePolicy: SidePolicy
  readonly symbols: ReadonlyArray<string> | null
}

export interface RiskInput {
  readonly column: RiskColumn
  /** Whether the order is being decided or is about to be sent. */
  readonly step: "decide" | "send"
  readonly nowMs: number
  readonly trading: { readonly state: TradingStateName; readonly scope: string }
  /** An operator's flatten, the only reduce that passes HALTED. */
  readonly byOperator: boolean
  readonly account: RiskAccount
  /** For a reduce: the broker confirmed the position it reduces. */
  readonly positionConfirmed: boolean
  readonly order: {
    readonly symbol: string
    readonly strategy: string
    readonly side: Side
    readonly quantity: string
    /** What it is valued at: its own price, else its side of the quote. */
    readonly price: string | null
    /** Of an order that has a price of its own. */
    readonly terms?: Pick<OrderTerms, "limitPrice" | "stopPrice">
    /** The price that its alert gave for the same symbol. */
    readonly given: string | null
  }
  /** The fresh quote of the order's symbol. */
  readonly quote: { readonly last: string | null } | null
  /** The scopes with limits that concern it, the widest first. */
  readonly scopes: ReadonlyArray<ScopeState>
  /** The circuit breakers that concern it and are not closed, an OPEN one first. */
  readonly breakers: ReadonlyArray<StoppedBreaker>
  /** Null for a reduce and a cancel. */
  readonly origin: EntryOrigin | null
  readonly limits: RiskLimits
  readonly marketPrice: (symbol: string) => string | null
  /** What one unit of a symbol's price is worth for a quantity of one. */
  readonly multiplierOf: (symbol: string) => Decimal
}
