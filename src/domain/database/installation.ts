/**
 * Installation: which settings stored data may be used under.
 *
 * A practice position means nothing elsewhere: in PAPER it blocks entries, in LIVE it could be closed for real.
 * An account's orders and fills live at one venue. So data remembers its mode and its venues, and settings that
 * contradict them are refused before anything trades. Starting cash may change: the difference is a deposit or a
 * withdrawal, and is recorded as one.
 *
 * Promises: pure; every refusal is a configuration error with path, reason and remedies.
 * Never: takes an account into account that the settings do not name.
 */
import { BigDecimal, Data } from "effect"
import { formatDecimal } from "../kernel/decimal.ts"
import type { Mode } from "../kernel/settings.ts"

/** DATA_DIR or the database was used in another mode. `where` names which of them. */
export class DataOfAnotherMode extends Data.TaggedError("DataOfAnotherMode")<{
  readonly stored: string
  readonly configured: Mode
  readonly where: string
}> {
  readonly failureClass = "configuration"
  readonly path = "APP_MODE"
  override get message(): string {
    return `${this.where} holds ${this.stored} data, APP_MODE is ${this.configured}`
  }
  get hint(): string {
    const other = "set another DATA_DIR (and DATABASE_URL, where it is set)"
    return this.stored === "PRACTICE"
      ? `${other}, or remove the practice data with \`npm run reset-practice\``
      : `${other}, or start with APP_MODE=${this.stored}; only practice data can be reset`
  }
}

/** An account that has a row at one venue is configured for another. */
export class AccountVenueChanged extends Data.TaggedError("AccountVenueChanged")<{
  readonly account: string
  readonly stored: string
  readonly configured: string
}> {
  readonly failureClass = "configuration"
  get path(): string {
    return `accounts.${this.account}.broker`
  }
  override get message(): string {
    return `the account ${this.account} belongs to the broker ${this.stored}, but the settings name ${this.configured}: its orders and positions are at ${this.stored}`
  }
  get hint(): string {
    return `set it back to ${this.stored}, and give the account at ${this.configured} a different name`
  }
}

/** The refusal, or null when nothing conflicts. `stored` null: the data was never used. */
export const modeProblem = (
  stored: string | null,
  configured: Mode,
  where: string
): DataOfAnotherMode | null =>
  stored === null || stored === configured ? null : new DataOfAnotherMode({ stored, configured, where })

interface AccountFacts {
  readonly id: string
  readonly venue: string
  /** Decimal string. */
  readonly startingCash: string
}

/** A deposit (positive) or withdrawal (negative); decimal strings. */
export interface CashFlow {
  readonly account: string
  readonly amount: string
  readonly before: string
  readonly after: string
}

/** What the settings change in existing accounts: the first forbidden change, or the cash flows. */
export const accountChanges = (
  stored: ReadonlyArray<AccountFacts>,
  configured: ReadonlyArray<AccountFacts>
): AccountVenueChanged | ReadonlyArray<CashFlow> => {
  const flows: Array<CashFlow> = []
  const byId = new Map(stored.map((account) => [account.id, account]))
  for (const wanted of configured) {
    const known = byId.get(wanted.id)
    if (known === undefined) continue
    if (known.venue !== wanted.venue)
      return new AccountVenueChanged({ account: wanted.id, stored: known.venue, configured: wanted.venue })
    if (known.startingCash === wanted.startingCash) continue
    const amount = BigDecimal.subtract(
      BigDecimal.fromStringUnsafe(wanted.startingCash),
      BigDecimal.fromStringUnsafe(known.startingCash)
    )
    if (BigDecimal.isZero(amount)) continue
    flows.push({
      account: wanted.id,
      amount: formatDecimal(amount),
      before: known.startingCash,
      after: wanted.startingCash
    })
  }
  return flows
}
