/**
 * futures-table: what one contract of a listed future is, by its root.
 *
 * A guessed multiplier makes every limit and every profit wrong by a factor of fifty, and nothing in a symbol shows
 * it. So the existing ones are listed here as their exchange publishes them, with the date of the list; a contract
 * that is not here has no multiplier until the settings name one.
 *
 * Promises: multiplier is money per point of price for one contract, as the price is quoted (cents per bushel for grains);
 * tick is the outright minimum step in points. All of these are in US dollars.
 * Never: defines when a contract trades or expires.
 */

export interface FutureRow {
  readonly multiplier: string
  readonly tick: string
}

/**
 * When the list was last compared with published tables of contract specifications. Indices, volatility, energy, metals and
 * grains matched those tables; rates, currencies, meats and crypto were not in them.
 */
export const FUTURES_AS_OF = "2026-11"

const row = (multiplier: string, tick: string): FutureRow => ({ multiplier, tick })

export const futuresTable: Readonly<Record<string, FutureRow>> = {
  // Equity indices
  ES: row("50", "0.25"),
  MES: row("5", "0.25"),
  NQ: row("20", "0.25"),
  MNQ: row("2", "0.25"),
  RTY: row("50", "0.1"),
  M2K: row("5", "0.1"),
  YM: row("5", "1"),
  MYM: row("0.5", "1"),
  EMD: row("100", "0.1"),
  NKD: row("5", "5"),
  VX: row("1000", "0.05"),
  // Energy
  CL: row("1000", "0.01"),
  MCL: row("100", "0.01"),
  QM: row("500", "0.025"),
  BZ: row("1000", "0.01"),
  NG: row("10000", "0.001"),
  QG: row("2500", "0.005"),
  MNG: row("1000", "0.001"),
  RB: row("42000", "0.0001"),
  HO: row("42000", "0.0001"),
  // Metals
  GC: row("100", "0.1"),
  MGC: row("10", "0.1"),
  QO: row("50", "0.25"),
  SI: row("5000", "0.005"),
  SIL: row("1000", "0.005"),
  HG: row("25000", "0.0005"),
  MHG: row("2500", "0.0005"),
  PL: row("50", "0.1"),
  PA: row("100", "0.5"),
  // Interest rates: points of 1 % of the face value
  ZT: row("2000", "0.00390625"),
  ZF: row("1000", "0.0078125"),
  ZN: row("1000", "0.015625"),
  TN: row("1000", "0.015625"),
  ZB: row("1000", "0.03125"),
  UB: row("1000", "0.03125"),
  ZQ: row("4167", "0.0025"),
  SR3: row("2500", "0.0025"),
  // Currencies: dollars per unit
  "6A": row("100000", "0.00005"),
  "6B": row("62500", "0.0001"),
  "6C": row("100000", "0.00005"),
  "6E": row("125000", "0.00005"),
  "6J": row("12500000", "0.0000005"),
  "6M": row("500000", "0.00001"),
  "6N": row("100000", "0.00005"),
  "6S": row("125000", "0.00005"),
  M6A: row("10000", "0.0001"),
  M6B: row("6250", "0.0001"),
  M6E: row("12500", "0.0001"),
  // Grains and meats: cents per bushel or pound
  ZC: row("50", "0.25"),
  ZW: row("50", "0.25"),
  KE: row("50", "0.25"),
  ZS: row("50", "0.25"),
  ZM: row("100", "0.1"),
  ZL: row("600", "0.01"),
  LE: row("400", "0.025"),
  HE: row("400", "0.025"),
  GF: row("500", "0.025"),
  // Crypto
  BTC: row("5", "5"),
  MBT: row("0.1", "5"),
  ETH: row("50", "0.5"),
  MET: row("0.1", "0.5")
}
