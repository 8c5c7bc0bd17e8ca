/**
 * What rests on paper and what it makes, against a slow reference: every order looks at every quote since it was placed, and money is
 * counted as cash that moved and fees that were paid.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, BigDecimal, Schema } from "effect"
import { decimal } from "../../../src/domain/kernel/decimal.ts"
import { plainInstruments } from "../../../src/domain/kernel/instruments.ts"
import { feeOf, type VenueFees } from "../../../src/domain/kernel/venue-fee.ts"
import { paperFill } from "../../../src/domain/orders/paper-fill.ts"
import { isInTheWay, paperStep } from "../../../src/domain/orders/paper-order.ts"
import type { PaperHolding, PaperOrder } from "../../../src/domain/orders/stage.ts"

const fees: VenueFees = { equity: { perUnit: "0.25", pct: "0.5", minimum: "1" } }
const units = decimal("1")

const Int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const Given = Schema.Struct({
  kind: Schema.Literals(["limit", "stop", "stop_limit"]),
  side: Schema.Literals(["buy", "sell"]),
  intent: Schema.Literals(["entry", "reduce"]),
  quantity: Int(1, 8),
  price: Int(90, 110),
  apart: Int(-3, 3),
  placedAt: Int(0, 15),
  works: Int(1, 30),
  gtc: Schema.Boolean
})
type Given = typeof Given.Type
const Tick = Schema.Struct({ last: Int(88, 112), half: Int(0, 2), quoted: Int(0, 7) })
type Tick = typeof Tick.Type

/** A tick of which no quote came is null. */
const quoteOf = ({ half, last, quoted }: Tick) =>
  quoted === 0 ? null : { bid: String(last - half), ask: String(last + half), last: String(last) }

const orderOf = (given: Given, id: number): PaperOrder => ({
  id: String(id),
  symbol: "SPY",
  side: given.side,
  intent: given.intent,
  quantity: String(given.quantity),
  limitPrice:
    given.kind === "limit"
      ? String(given.price)
      : given.kind === "stop"
        ? null
        : String(given.price + given.apart),
  stopPrice: given.kind === "limit" ? null : String(given.price),
  isTriggered: false,
  untilMs: given.gtc ? null : given.placedAt + given.works
})

interface Trade {
  readonly id: number
  readonly tick: number
  readonly side: "buy" | "sell"
  readonly quantity: number
  readonly price: number
}

/** As the service does it: step by step, only what is stored goes on. `restart` makes every value text in between. */
const stepped = (givens: ReadonlyArray<Given>, ticks: ReadonlyArray<Tick>) => {
  const trades: Array<Trade> = []
  const profits: Array<string> = []
  let held: PaperHolding | undefined
  let resting: ReadonlyArray<PaperOrder> = []
  const cleared: Array<{ readonly trades: number; readonly profits: number }> = []
  ticks.forEach((tick, now) => {
    resting = JSON.parse(
      JSON.stringify([
        ...resting,
        ...givens.flatMap((given, id) => (given.placedAt === now ? [orderOf(given, id)] : []))
      ])
    ) as ReadonlyArray<PaperOrder>
    const left: Array<PaperOrder> = []
    for (const order of resting) {
      const step = paperStep(order, quoteOf(tick), held, now)
      if (step._tag === "Over") continue
      if (step._tag === "Waits") {
        left.push({ ...order, isTriggered: step.isTriggered })
        continue
      }
      const fill = { symbol: "SPY", side: order.side, quantity: step.quantity, price: step.price }
      const fee = feeOf(fees, plainInstruments.of("SPY"), fill)
      const { after, profit } = paperFill(held, { ...fill, fee }, units)
      held = after.quantity === "0" ? undefined : after
      if (profit !== null) profits.push(profit)
      trades.push({
        id: Number(order.id),
        tick: now,
        side: order.side,
        quantity: Number(step.quantity),
        price: Number(step.price)
      })
      if (held === undefined) cleared.push({ trades: trades.length, profits: profits.length })
    }
    resting = left
  })
  return { trades, profits, cleared }
}

/** The first tick at which an order could trade, from the whole history of quotes since it was placed; -1: never. */
const reachedAt = (given: Given, ticks: ReadonlyArray<Tick>, upTo: number): boolean => {
  const since = ticks.slice(given.placedAt, upTo + 1).filter(({ quoted }) => quoted !== 0)
  const stopped =
    given.kind === "limit" ||
    since.some(({ last }) => (given.side === "buy" ? last >= given.price : last <= given.price))
  const tick = ticks[upTo]
  if (!stopped || tick === undefined || tick.quoted === 0) return false
  if (given.kind === "stop") return true
  const limit = given.kind === "limit" ? given.price : given.price + given.apart
  return given.side === "buy" ? tick.last + tick.half <= limit : tick.last - tick.half >= limit
}

const reference = (givens: ReadonlyArray<Given>, ticks: ReadonlyArray<Tick>): ReadonlyArray<Trade> => {
  const trades: Array<Trade> = []
  const gone = new Set<number>()
  let position = 0
  for (let tick = 0; tick < ticks.length; tick += 1) {
    // Placed earlier goes first, and of one tick in the order given.
    const order = givens
      .map((given, id) => ({ given, id }))
      .filter(({ given }) => given.placedAt <= tick)
      .toSorted((a, b) => a.given.placedAt - b.given.placedAt || a.id - b.id)
    for (const { given, id } of order) {
      if (gone.has(id)) continue
      const against = given.side === "sell" ? Math.max(position, 0) : Math.max(-position, 0)
      const isOver = !given.gtc && tick >= given.placedAt + given.works
      if (isOver || (given.intent === "reduce" && against === 0)) gone.add(id)
      else if (reachedAt(given, ticks, tick)) {
        const quantity = given.intent === "reduce" ? Math.min(given.quantity, against) : given.quantity
        const at = ticks[tick] ?? { last: 0, half: 0 }
        const price = given.side === "buy" ? at.last + at.half : at.last - at.half
        trades.push({ id, tick, side: given.side, quantity, price })
        position += given.side === "buy" ? quantity : -quantity
        gone.add(id)
      }
    }
  }
  return trades
}

const feeFor = ({ price, quantity }: Trade): number => Math.max(1, 0.25 * quantity + 0.005 * quantity * price)
const cashOf = (trades: ReadonlyArray<Trade>): number =>
  trades.reduce(
    (cash, trade) => cash + (trade.side === "sell" ? 1 : -1) * trade.quantity * trade.price - feeFor(trade),
    0
  )

describe("orders of a shadow that rest on paper (G5)", () => {
  it.prop(
    "trade when, and at what, a reference that looks at the whole history says, and make what the cash says",
    [
      Arbitrary.array(Arbitrary.schema(Given), { minLength: 1, maxLength: 12 }),
      Arbitrary.array(Arbitrary.schema(Tick), { minLength: 16, maxLength: 40 })
    ],
    ([givens, ticks]) => {
      const { cleared, profits, trades } = stepped(givens, ticks)
      assert.deepStrictEqual(trades, [...reference(givens, ticks)])
      for (const flat of cleared) {
        const made = BigDecimal.sumAll(profits.slice(0, flat.profits).map((text) => decimal(text)))
        assert.closeTo(Number(BigDecimal.format(made)), cashOf(trades.slice(0, flat.trades)), 1e-6)
      }
    },
    { arbitrary: { runs: 300 } }
  )

  const resting: PaperOrder = {
    id: "1",
    symbol: "SPY",
    side: "buy",
    intent: "entry",
    quantity: "1",
    limitPrice: "95",
    stopPrice: null,
    isTriggered: false,
    untilMs: null
  }
  it.each([
    ["a close at market", { type: "market", intent: "reduce", side: "sell", isTarget: false }, true],
    ["a close at a price", { type: "limit", intent: "reduce", side: "sell", isTarget: false }, false],
    ["an entry on its side", { type: "market", intent: "entry", side: "buy", isTarget: false }, false],
    ["an entry on the other side", { type: "market", intent: "entry", side: "sell", isTarget: false }, true],
    ["a target on its side", { type: "market", intent: "entry", side: "buy", isTarget: true }, true]
  ] as const)("%s takes a resting entry back: %s", (_name, arriving, wanted) => {
    assert.strictEqual(isInTheWay(resting, { symbol: "SPY", ...arriving }), wanted)
    assert.isFalse(isInTheWay(resting, { symbol: "QQQ", ...arriving }))
  })
})
