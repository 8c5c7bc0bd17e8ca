/**
 * A small world for the money path: the rules of production over rows in memory, and a venue that has its own book.
 *
 * What is real: deciding, sizing, the permit, positions, shares and the order table. What is simulated: the venue (works,
 * fills in parts, refuses, loses answers), the delivery of fills (late, in any order), and restarts that forget everything
 * but the rows.
 *
 * Promises: everything follows from the numbers `choose` gives; each step checks what must always hold and throws when it
 * does not.
 * Never: reads a clock or a random source.
 */
import { plainFlags } from "../../../src/domain/kernel/flags.ts"
import { BigDecimal, Result } from "effect"
import { planSignal } from "../../../src/domain/decision/decision.ts"
import { type Decimal, decimal, formatDecimal, zero } from "../../../src/domain/kernel/decimal.ts"
import { plainInstruments } from "../../../src/domain/kernel/instruments.ts"
import type { DecisionSignal } from "../../../src/domain/decision/plan-input.ts"
import type { PlanAccount, PlanSettings } from "../../../src/domain/orders/plan-context.ts"
import {
  AT_VENUE,
  nextStatus,
  OPEN,
  type OrderEvent,
  type OrderStatus
} from "../../../src/domain/orders/order.ts"
import { permitToSend } from "../../../src/domain/orders/permit.ts"
import { applyFill, type Position } from "../../../src/domain/orders/position.ts"
import { flatPosition } from "../../support/unopened.ts"
import { applyToShares, type Share } from "../../../src/domain/orders/share.ts"
import { plainPanel } from "../../support/panel.ts"
import type { SidePolicy, Sizing } from "../../../src/domain/orders/sizing.ts"

export interface Row {
  readonly id: string
  readonly seq: number
  readonly strategy: string
  readonly intent: "entry" | "reduce"
  readonly sizing: Sizing
  readonly wanted: string | null
  readonly side: "buy" | "sell"
  readonly isExit: boolean
  readonly epoch: number | null
  quantity: string
  filled: Decimal
  status: OrderStatus
  sends: number
  /** Its place among everything that was sent, zero before. */
  sentAt: number
}

interface VenueOrder {
  readonly row: Row
  readonly quantity: Decimal
  filled: Decimal
}

interface Trade {
  readonly row: Row
  readonly quantity: Decimal
}

const symbol = "SPY"
const nowMs = Date.parse("2026-11-23T15:00:00Z")
const one = decimal("1")
const signed = (side: "buy" | "sell", quantity: Decimal): Decimal =>
  side === "buy" ? quantity : BigDecimal.negate(quantity)
const crossed = (before: Decimal, after: Decimal): boolean =>
  BigDecimal.sign(before) * BigDecimal.sign(after) < 0

export class MoneyPath {
  readonly log: Array<string> = []
  position: Position = flatPosition
  shares: ReadonlyArray<Share> = []
  readonly rows: Array<Row> = []
  readonly #policies: Readonly<Record<string, SidePolicy>>
  readonly #venue: Array<VenueOrder> = []
  #venuePosition: Decimal = zero
  #undelivered: Array<Trade> = []
  #fills = 0
  #signals = 0
  #reducing = false
  #sent = 0

  constructor(policies: Readonly<Record<string, SidePolicy>>) {
    this.#policies = policies
  }

  #must(holds: boolean, what: string): void {
    if (!holds) throw new Error(`${what}\n${this.log.join("\n")}`)
  }

  #settings(): PlanSettings {
    const strategies = Object.fromEntries(
      Object.entries(this.#policies).map(([name, sidePolicy]) => [
        name,
        {
          sources: ["default"],
          accounts: ["paper-1"],
          engine: "A" as const,
          shadow: null,
          voter: null,
          split: null,
          sidePolicy,
          symbols: null,
          quantity: "1",
          options: null,
          sizing: null,
          stopLossPct: null,
          profitTargetPct: null,
          exits: null,
          onPartialFill: "keep" as const,
          partialFillMsMax: null,
          timeInForce: null,
          approval: null,
          stage: "live" as const,
          demotion: null
        }
      ])
    )
    return {
      mode: "PRACTICE",
      symbols: {},
      version: "0123456789abcdef",
      instruments: plainInstruments,
      panel: plainPanel,
      voters: {},
      flags: plainFlags,
      brokers: {},
      sources: { default: { ageMaxMs: 300_000 } },
      strategies,
      accounts: { "paper-1": { broker: "practice", calendar: "24x7" } },
      limits: {
        openPositionsMax: null,
        openPositionsPerSymbolMax: null,
        quantityMax: null,
        notionalMax: null,
        exposureMax: null,
        buyingPowerMultiple: null
      },
      scopes: {}
    }
  }

  #account(confirmed: Decimal | null, except: Row | null): PlanAccount {
    return {
      id: "paper-1",
      venue: "practice",
      enabled: true,
      reconciledAtMs: nowMs,
      calendar: "24x7",
      startingCash: "100000",
      realisedPnl: "0",
      balance: null,
      positions: BigDecimal.isZero(this.position.quantity)
        ? []
        : [
            {
              symbol,
              quantity: formatDecimal(this.position.quantity),
              averagePrice: "100",
              confirmed: confirmed === null ? null : formatDecimal(confirmed),
              disputed: false,
              shares: this.shares.map(({ strategy, quantity }) => ({
                strategy,
                quantity: formatDecimal(quantity)
              }))
            }
          ],
      orders: this.rows
        .filter((row) => OPEN.has(row.status) && row !== except)
        .map((row) => ({
          symbol,
          strategy: row.strategy,
          side: row.side,
          intent: row.intent,
          status: row.status,
          count: 1,
          quantity: row.quantity,
          filledQuantity: formatDecimal(row.filled),
          price: null
        }))
    }
  }

  #trading() {
    return new Map([["global", this.#reducing ? ("REDUCING" as const) : ("ACTIVE" as const)]])
  }

  /** An alert arrives and is decided. */
  signal(given: Partial<DecisionSignal>): void {
    const id = `s${++this.#signals}`
    const plan = planSignal({
      signal: {
        id,
        source: "default",
        symbol,
        action: null,
        direction: null,
        quantity: null,
        price: null,
        strike: null,
        expiration: null,
        strategy: null,
        intent: null,
        positionSize: null,
        marketPosition: null,
        prevMarketPosition: null,
        marketPositionSize: null,
        orderType: null,
        limitPrice: null,
        stopPrice: null,
        timeInForce: null,
        experimentId: null,
        variant: null,
        expiresFromMs: nowMs,
        ...given
      },
      settings: this.#settings(),
      context: {
        nowMs,
        trading: this.#trading(),
        accounts: new Map([["paper-1", this.#account(this.#venuePosition, null)]]),
        orderIds: new Set(),
        rates: [],
        breakers: new Map(),
        stages: new Map()
      },
      quoteOf: () => null,
      figuresOf: () => null,
      votes: null,
      voters: null,
      chain: null,
      mayDefer: false
    })
    if (plan._tag !== "Decided") throw new Error("nothing waits here")
    this.log.push(`signal ${JSON.stringify(given)}: ${plan.decision.outcome} ${plan.decision.reason ?? ""}`)
    for (const order of plan.decision.orders) {
      this.#add({ ...order, isExit: false, epoch: null }, order.status)
    }
  }

  /** A stop of a strategy's share fires. */
  stop(strategy: string): void {
    const share = this.shares.find((it) => it.strategy === strategy)
    if (share === undefined || this.rows.some((row) => row.isExit && OPEN.has(row.status))) return
    const side = BigDecimal.sign(share.quantity) > 0 ? "sell" : "buy"
    const quantity = formatDecimal(BigDecimal.abs(share.quantity))
    const row = { strategy, intent: "reduce", sizing: "share", wanted: null, side, quantity } as const
    this.#add({ ...row, isExit: true, epoch: this.position.epoch }, "intended")
  }

  #add(
    row: Pick<Row, "strategy" | "intent" | "sizing" | "wanted" | "side" | "quantity" | "isExit" | "epoch">,
    status: OrderStatus
  ): void {
    const seq = this.rows.length + 1
    this.rows.push({ ...row, id: `o${seq}`, seq, filled: zero, status, sends: 0, sentAt: 0 })
    this.log.push(
      `  o${seq} ${status}: ${row.isExit ? "exit" : row.intent} ${row.strategy} ${row.side} ${row.quantity} ${row.sizing} ${row.wanted ?? "all"}`
    )
    this.#must(
      this.rows.filter((it) => it.isExit && OPEN.has(it.status)).length <= 1,
      "there is one live exit at a time"
    )
  }

  toggleReducing(): void {
    this.#reducing = !this.#reducing
    this.log.push(this.#reducing ? "REDUCING" : "ACTIVE")
    if (!this.#reducing)
      for (const row of this.rows) if (row.status === "held") this.#step(row, "order.released")
  }

  #step(row: Row, event: OrderEvent): void {
    const next = nextStatus(row.status, event)
    if (Result.isFailure(next)) throw new Error(`${event} does not fit ${row.status}\n${this.log.join("\n")}`)
    row.status = next.success
    this.log.push(`  ${row.id} ${event} -> ${row.status}`)
  }

  /** What the executor would send next: reduces first, unresolved ones block their side or their symbol. */
  #next(): Row | undefined {
    const blocked = this.rows.filter(({ status }) => status === "unknown")
    return this.rows
      .filter(
        (row) =>
          row.status === "intended" &&
          (row.intent === "reduce"
            ? !blocked.some(({ side }) => side === row.side)
            : blocked.length === 0 && !this.#reducing)
      )
      .toSorted((a, b) => Number(b.intent === "reduce") - Number(a.intent === "reduce") || a.seq - b.seq)[0]
  }

  #superseded(row: Row): boolean {
    return (
      row.intent === "entry" &&
      this.rows.some(
        (it) =>
          it.seq > row.seq &&
          it.strategy === row.strategy &&
          it.intent === "reduce" &&
          !it.isExit &&
          it.side !== row.side &&
          it.status !== "denied" &&
          (it.sizing !== "fixed" ||
            it.status === "withdrawn" ||
            BigDecimal.isLessThan(decimal(it.quantity), decimal(it.wanted ?? it.quantity)))
      )
    )
  }

  #permit(row: Row) {
    return permitToSend({
      order: {
        ...row,
        account: "paper-1",
        symbol,
        signalId: null,
        exitKind: null,
        source: "webhook",
        type: "market",
        limitPrice: null,
        stopPrice: null,
        timeInForce: "gtc"
      },
      context: {
        nowMs,
        trading: this.#trading(),
        account: this.#account(this.#venuePosition, row),
        stale: false,
        superseded: this.#superseded(row),
        openingOver: row.epoch !== null && row.epoch !== this.position.epoch,
        givenPrice: null,
        rates: [],
        breakers: new Map(),
        stages: new Map()
      },
      settings: this.#settings(),
      quoteOf: () => null,
      figuresOf: () => null
    })
  }

  /** One step of the executor; `lost` loses the answer of the create. False when nothing can be sent. */
  send(lost: boolean): boolean {
    const row = this.#next()
    if (row === undefined) return false
    // The executor fetches fills when the venue's word differs from ours.
    if (row.intent === "reduce" && !BigDecimal.equals(this.#venuePosition, this.position.quantity))
      this.deliverAll()
    const permit = this.#permit(row)
    if (permit._tag === "Wait") {
      this.log.push(`  ${row.id} waits: ${permit.code}`)
      return false
    }
    if (permit._tag !== "Send") {
      this.#step(row, permit._tag === "Withdraw" ? "order.withdrawn" : "order.denied")
      return true
    }
    row.quantity = permit.quantity
    row.sends += 1
    row.sentAt = this.#sent += 1
    this.#step(row, "order.submitted")
    this.log.push(`  ${row.id} sent: ${row.quantity}`)
    this.#venue.push({ row, quantity: decimal(row.quantity), filled: zero })
    this.#step(row, lost ? "order.outcome_lost" : "order.acked")
    return true
  }

  /** The venue fills some of an order it has, or all. */
  fill(index: number, whole: boolean): void {
    const open = this.#venue.filter(({ filled, quantity }) => BigDecimal.isLessThan(filled, quantity))
    const order = open[index % Math.max(1, open.length)]
    if (order === undefined) return
    const left = BigDecimal.subtract(order.quantity, order.filled)
    const quantity = whole ? left : BigDecimal.min(left, one)
    order.filled = BigDecimal.sum(order.filled, quantity)
    const before = this.#venuePosition
    this.#venuePosition = BigDecimal.normalize(BigDecimal.sum(before, signed(order.row.side, quantity)))
    this.log.push(
      `venue fills ${formatDecimal(quantity)} of ${order.row.id}: ${formatDecimal(before)} -> ${formatDecimal(this.#venuePosition)}`
    )
    this.#mayMove(order.row, before)
    this.#undelivered.push({ row: order.row, quantity })
  }

  /**
   * A reduce only takes away, and an order of a one-sided strategy never carries the position through zero. An order that
   * a strategy of both sides sent after it may have filled first: then it is that one which says where the position goes.
   */
  #mayMove(row: Row, before: Decimal): void {
    const policy = this.#policies[row.strategy] ?? "both"
    if (row.intent === "entry" && policy === "both") return
    const after = this.#venuePosition
    const overtaken = this.rows.some(
      (it) => it.sentAt > row.sentAt && it.intent === "entry" && this.#policies[it.strategy] === "both"
    )
    if (overtaken) return
    this.#must(!crossed(before, after), `${row.id} (${row.intent}, ${policy}) took the position through zero`)
    this.#must(
      row.intent === "entry" || BigDecimal.isLessThan(BigDecimal.abs(after), BigDecimal.abs(before)),
      `${row.id} is a reduce and made the position larger`
    )
  }

  /** The venue refuses an order that has traded nothing: as if it had never been. */
  reject(index: number): void {
    const open = this.#venue.filter(({ filled, row }) => BigDecimal.isZero(filled) && row.status === "acked")
    const order = open[index % Math.max(1, open.length)]
    if (order === undefined) return
    this.#venue.splice(this.#venue.indexOf(order), 1)
    this.#step(order.row, "order.rejected")
  }

  deliver(index: number): void {
    const [trade] = this.#undelivered.splice(index % Math.max(1, this.#undelivered.length), 1)
    if (trade !== undefined) this.#record(trade)
  }

  deliverAll(): void {
    for (const trade of this.#undelivered.splice(0)) this.#record(trade)
  }

  #record({ quantity, row }: Trade): void {
    const fill = { side: row.side, quantity, price: decimal("100"), fee: zero }
    this.#fills += 1
    this.position = applyFill(this.position, fill).position
    const changes = applyToShares(this.shares, row.strategy, fill, BigInt(this.#fills))
    const changed = new Map(changes.map(({ share }) => [share.strategy, share]))
    const names = new Set([...this.shares.map(({ strategy }) => strategy), ...changed.keys()])
    this.shares = [...names]
      .flatMap((name) => changed.get(name) ?? this.shares.find(({ strategy }) => strategy === name) ?? [])
      .filter(({ quantity: held }) => !BigDecimal.isZero(held))
    row.filled = BigDecimal.normalize(BigDecimal.sum(row.filled, quantity))
    this.#step(row, BigDecimal.equals(row.filled, decimal(row.quantity)) ? "fill.complete" : "fill.partial")
    this.log.push(`  position ${formatDecimal(this.position.quantity)}`)
    this.#books()
  }

  #books(): void {
    const total = this.shares.reduce((sum, { quantity }) => BigDecimal.sum(sum, quantity), zero)
    this.#must(BigDecimal.equals(total, this.position.quantity), "the shares add up to the position")
    this.#must(
      this.shares.every(
        ({ quantity }) => BigDecimal.sign(quantity) === BigDecimal.sign(this.position.quantity)
      ),
      "no share has the other sign"
    )
    const fills = this.rows.reduce((sum, row) => BigDecimal.sum(sum, signed(row.side, row.filled)), zero)
    this.#must(BigDecimal.equals(fills, this.position.quantity), "the fills add up to the position")
  }

  /** A restart: what was in a round trip is unknown, is asked about, and is found as the venue has it. */
  restart(): void {
    this.log.push("restart")
    this.deliverAll()
    for (const row of this.rows) {
      if (row.status !== "unknown") continue
      this.#step(row, "order.lookup_started")
      this.#step(row, this.#venue.some((order) => order.row === row) ? "order.acked" : "order.expired_unsent")
    }
  }

  /** Everything that can happen by itself happens. */
  settle(): void {
    if (this.#reducing) this.toggleReducing()
    for (let rounds = 0; rounds < 200; rounds += 1) {
      this.restart()
      const sent = this.send(false)
      const open = this.#venue.some(({ filled, quantity }) => BigDecimal.isLessThan(filled, quantity))
      if (open) this.fill(0, true)
      this.deliverAll()
      if (!sent && !open && this.#next() === undefined) return
    }
    this.#must(false, "it comes to rest")
  }

  get atVenue(): number {
    return this.rows.filter(({ status }) => AT_VENUE.has(status)).length
  }

  get venueQuantity(): string {
    return formatDecimal(this.#venuePosition)
  }
}
