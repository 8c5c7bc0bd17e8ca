/**
 * What must be true of a seeded day, whatever its length: the same again, reconciled from its fills, decided again byte by byte,
 * and different by exactly what another limit denies.
 *
 * Promises: the books are judged by a ledger that shares nothing with `src` (fills-ledger.ts), the differences by the checks as they
 * are stored.
 * Never: plays a day more often than twice.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  centsOf,
  isReported,
  ledgerOf,
  openProfit,
  times,
  unitsOf,
  worthNow,
  worthOf
} from "../support/fills-ledger.ts"
import { ACCOUNTS, type Day, daySettings, playDay, STARTING_CASH, type StoredRow } from "./seeded-day.ts"
import { INSTRUMENTS } from "./seeded-day-alerts.ts"

/** The limit of the day is 10: everything that is larger than this is denied under the other one. */
const OTHER_MAX = "4"

type Fills = Parameters<typeof ledgerOf>[0]
const fillsOf = (day: Day): Fills => day.fills as unknown as Fills

const textOf = (value: unknown): string => (typeof value === "string" ? value : assert.fail(String(value)))

/** The service's figures of each account, next to those of the ledger. */
const assertReconciled = (day: Day): void => {
  const books = ledgerOf(fillsOf(day))
  for (const id of ACCOUNTS) {
    const book = books.get(id) ?? assert.fail(`${id} has traded`)
    const told = day.accounts.find((row) => row["id"] === id) ?? assert.fail(id)
    const [start, open] = [unitsOf(STARTING_CASH), openProfit(book, day.priceOf)]
    const worth = start + worthNow(book, day.priceOf)
    const expected = {
      realised_pnl: book.realised,
      fees: book.fees,
      unrealised_pnl: open,
      equity: start + book.realised - book.fees + open,
      // The venue books no fees: they were laid on where its fills were reported.
      cash: start + book.cash
    }
    for (const [name, units] of Object.entries(expected))
      assert.isTrue(
        isReported(textOf(told[name]), units),
        `${id} ${name}: told ${textOf(told[name])}, by its fills ${centsOf(units)}`
      )
    assert.strictEqual(centsOf(expected.equity), centsOf(worth), "from both sides")
    assert.strictEqual(centsOf(unitsOf(textOf(told["equity"]))), centsOf(worth), "to the cent")
  }
}

const assertPositions = (day: Day): void => {
  const books = ledgerOf(fillsOf(day))
  for (const row of day.positions) {
    const where = `${textOf(row["account"])} ${textOf(row["symbol"])}`
    const { cost, quantity } =
      books.get(textOf(row["account"]))?.positions.get(textOf(row["symbol"])) ?? assert.fail(where)
    assert.strictEqual(unitsOf(textOf(row["quantity"])), quantity, where)
    // What the venue confirmed is the same.
    assert.strictEqual(row["confirmed_quantity"], row["quantity"], where)
    assert.isNull(row["disputed_at"], where)
    const average = unitsOf(textOf(row["average_price"]))
    const difference = times(average, quantity) - cost
    assert.isTrue(
      isReported("0", difference),
      `${where}: at ${textOf(row["average_price"])}, cost ${centsOf(cost)}`
    )
    // Each strategy's share of it, and nothing besides.
    const shares = row["strategies"] as ReadonlyArray<{ readonly quantity: string }>
    assert.strictEqual(
      shares.reduce((sum, share) => sum + unitsOf(share.quantity), 0n),
      quantity,
      where
    )
  }
}

/** A size check of a decision that the other limit would turn, and the order it is of. */
const turnedBy = ({ checks }: StoredRow) =>
  checks.filter(
    ({ check, numbers, ok }) =>
      check === "quantity" && ok && unitsOf(textOf(numbers["quantity"])) > unitsOf(OTHER_MAX)
  )

const isSame = (
  a: { readonly account: string | null; readonly strategy: string | null; readonly leg: number | null },
  b: { readonly account: string | null; readonly strategy: string | null; readonly leg: number | null }
): boolean => a.account === b.account && a.strategy === b.strategy && a.leg === b.leg

/** What would have been sent and would not be any more, as its signed units and what they cost at the quote of the decision. */
const lostOf = (row: StoredRow) =>
  turnedBy(row)
    .filter((turned) => row.checks.every((other) => other.ok || !isSame(other, turned)))
    .map((turned) => {
      const { numbers } =
        row.checks.find((other) => other.check === "engine" && isSame(other, turned)) ??
        assert.fail("an order has a wish")
      const symbol = textOf(numbers["symbol"])
      const isBuy = numbers["side"] === "buy"
      const [bid, ask, last] = row.facts.quotes[symbol] ?? assert.fail(`no quote of ${symbol}`)
      const price = unitsOf((isBuy ? ask : bid) ?? last ?? assert.fail("no price"))
      const quantity = unitsOf(textOf(numbers["quantity"]))
      return { symbol, units: (isBuy ? quantity : -quantity) * worthOf(symbol), price }
    })

/** The last price of each symbol that the facts of the day know. */
const marksOf = (decisions: ReadonlyArray<StoredRow>): ReadonlyMap<string, bigint> => {
  const marks = new Map<string, bigint>()
  for (const { facts } of decisions)
    for (const [symbol, quote] of Object.entries(facts.quotes))
      if (quote?.[2] !== undefined && quote[2] !== null) marks.set(symbol, unitsOf(quote[2]))
  return marks
}

const assertReplayed = (day: Day) =>
  Effect.gen(function* () {
    const { decisions, settings } = day
    const same = yield* day.replay(settings)
    assert.deepInclude(same, { decided: decisions.length, differing: 0, withoutFacts: 0, pnlChange: "0" })
    assert.deepStrictEqual(same.differences, [])

    const other = yield* day.replay(daySettings(settings.market.seed, { risk: { quantityMax: OTHER_MAX } }))
    const expected = decisions.filter((row) => turnedBy(row).length > 0)
    assert.isAbove(expected.length, decisions.length / 20, "the other limit denies something")
    assert.isBelow(expected.length, decisions.length / 2)
    assert.deepStrictEqual(
      other.differences.map(({ signalId }) => signalId),
      expected.map((row) => row.signal_id)
    )
    for (const [at, { kind, now, was }] of other.differences.entries()) {
      const turned = turnedBy(expected[at] ?? assert.fail("one each"))
      assert.strictEqual(kind, "decision")
      for (const order of was.orders) {
        const before = order.denied
        const after = now.orders.find((one) => isSame(one, order))?.denied ?? assert.fail("the same order")
        const more = turned.some((check) => isSame(check, order)) ? ["quantity"] : []
        assert.sameMembers([...after], [...before, ...more])
      }
    }
    const lost = decisions.flatMap(lostOf)
    assert.strictEqual(other.ordersChanged, lost.length)
    const marks = marksOf(decisions)
    const gained = lost.reduce((sum, { price, symbol, units }) => {
      const mark = marks.get(symbol) ?? assert.fail(symbol)
      return sum - times(units, mark - price)
    }, 0n)
    assert.isTrue(
      isReported(other.pnlChange, gained),
      `told ${other.pnlChange}, by its orders ${centsOf(gained)}`
    )
  })

/** The first row that differs is shown by itself: a day is too long to be read as one difference. */
const assertSame = (table: string, again: ReadonlyArray<string>, first: ReadonlyArray<string>): void => {
  const at = first.findIndex((row, index) => row !== again[index])
  if (at !== -1)
    assert.deepStrictEqual(
      JSON.parse(again[at] ?? "null"),
      JSON.parse(first[at] ?? "null"),
      `${table} of the second run, row ${at}`
    )
  assert.deepStrictEqual(again, first, `${table} of the second run`)
}

/** That it was a day worth judging: every kind of instrument traded, and every way in and out. */
const assertLively = (day: Day, count: number): void => {
  assert.lengthOf(day.decisions, count)
  const outcomes = new Set(day.decisions.map(({ outcome }) => outcome))
  for (const outcome of ["ordered", "denied"]) assert.isTrue(outcomes.has(outcome), outcome)
  const traded = new Set(day.fills.map((fill) => textOf(fill["symbol"])))
  assert.isAbove(traded.size, INSTRUMENTS.length / 2)
  assert.isTrue(
    [...traded].some((symbol) => / [CP] \d/.test(symbol)),
    "options"
  )
  assert.isTrue(
    [...traded].some((symbol) => symbol.endsWith("Z6")),
    "futures"
  )
  assert.isTrue(traded.has("BTC-USD") || traded.has("ETH-USD") || traded.has("SOL-USD"), "coins")
  const exits = new Set(day.orders.map((order) => order["exit_kind"]))
  for (const kind of ["stop_loss", "profit_target"]) assert.isTrue(exits.has(kind), kind)
  assert.isTrue(
    day.orders.every(({ status }) => ["filled", "denied", "withdrawn", "rejected"].includes(textOf(status))),
    "nothing is left under way"
  )
  assert.isAbove(day.fills.length, count / 2)
}

/** Defines the tests of a day of so many signals. */
export const describeDay = (seed: number, count: number, timeoutMs: number): void => {
  describe(`a day of ${count} signals with seed ${seed}`, () => {
    it.live(
      "is the same again, adds up from its fills to the cent, and is decided again byte by byte",
      () =>
        Effect.gen(function* () {
          const first = yield* playDay(seed, count)
          assertLively(first, count)
          assertReconciled(first)
          assertPositions(first)
          yield* assertReplayed(first)
          const { rows } = yield* playDay(seed, count, true)
          for (const [table, left] of Object.entries(first.rows)) assertSame(table, rows[table] ?? [], left)
        }).pipe(Effect.scoped),
      timeoutMs
    )
  })
}
