/**
 * One look of the exits: every open share armed as configured, judged by the market, closed when it is due.
 *
 * Protection belongs to a strategy's share of a position (T10), so a share is what is watched here. Three things make one
 * due: its stop, which may move, its target, its time, and a close of its strategy that the venue refused. What keeps a share
 * from being closed is reported with its reason, because a stop that nobody could act on is worse than none.
 *
 * Promises: a share is re-armed at the first look after its settings changed; after an exit that ended and left the
 * share open the next one waits, longer each time; a refused reduce counts as not protected until the share is closed.
 * Never: guesses a price: a quote older than the limit protects nothing.
 */
import { ordersBell } from "../../layers/platform/bells.ts"
import { Clock, Effect } from "effect"
import { decimal, type Decimal, formatDecimal } from "../../domain/kernel/decimal.ts"
import { exitLimits } from "../../domain/kernel/limits-execution.ts"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import { exitDue, type ProtectionTerms, sameTerms, termsOf } from "../../domain/orders/protection.ts"
import {
  arm,
  hasStop,
  isProtected,
  type MovingTerms,
  movingTermsOf,
  movingText,
  noMovingTerms,
  type Stop
} from "../../domain/orders/trailing.ts"
import type { StrategySettings } from "../../domain/kernel/settings.ts"
import { OPERATOR_CLOSE } from "../../domain/orders/permit.ts"
import { AccountLeases, type AccountLeasesService } from "../../layers/accounts/accounts-lease.port.ts"
import { type Moved, type OpenShare, PositionsStore } from "../../layers/orders/positions-store.port.ts"
import { Protection, type ProtectionService, type Watched } from "../../layers/orders/protection.port.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { Market, type MarketService, type Quote } from "../../layers/market/market.port.ts"
import { OrdersStore, type StoredExitKind } from "../../layers/orders/orders-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import type { LookOutcome } from "../../machines/execution/exits.machine.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { type GapsSince, alertGaps } from "./exits-alerts.ts"
import {
  followed,
  movedSince,
  type Ranges,
  rangeOf,
  refreshRanges,
  remembered,
  type WatchedShare
} from "./exits-trail.ts"
import { judgePartials, type PausesUntil } from "./exits-partial.ts"
import { traceOrder } from "./order-trace.ts"

/** Exits already tried for one opening of a share, so that a refused one is not repeated with every tick. */
interface Tried {
  readonly opening: string
  readonly count: number
  readonly againAt: number
}

export interface Watch {
  readonly path: string
  /** The shares of the last look; ticks move their stops and are judged against them. */
  shares: ReadonlyArray<WatchedShare>
  readonly ranges: Ranges
  /** By share; bounded by the open shares. */
  readonly tried: Map<string, Tried>
  /** Positions whose exit waits for a human and which were reported; bounded like `tried`. */
  readonly alerted: Set<string>
  readonly gapsSince: GapsSince
  readonly pausesUntil: PausesUntil
}

export const makeWatch = (path: string): Watch => ({
  path,
  shares: [],
  ranges: new Map(),
  tried: new Map(),
  alerted: new Set(),
  gapsSince: new Map(),
  pausesUntil: new Map()
})

const keyOf = ({ positionId, strategy }: OpenShare): string => `${positionId}/${strategy}`

const numberOf = (text: string | null): Decimal | null => (text === null ? null : decimal(text))
const textOf = (value: Decimal | null): string | null => (value === null ? null : formatDecimal(value))

/** Something may have to be done about it: it has exit prices, should have, or its close was refused. */
const isWatched = (share: OpenShare, fixed: ProtectionTerms, moving: MovingTerms): boolean =>
  share.stopPrice !== null ||
  share.targetPrice !== null ||
  share.refused !== null ||
  isProtected(fixed, moving)

const isFresh = (quote: Quote | null, nowMs: number): boolean =>
  quote !== null && nowMs - quote.at.getTime() <= ageLimits.quoteAgeMsMax

/** The market's quote, null when it is too old to protect anything. */
const freshQuote = (market: MarketService, symbol: string, nowMs: number): Quote | null => {
  const quote = market.quote(symbol)
  return isFresh(quote, nowMs) ? quote : null
}

/** Which exit is due by a fresh quote or by the clock; null when none is. */
const dueNow = (quote: Quote | null, share: WatchedShare, nowMs: number): StoredExitKind | null => {
  const prices = { stopPrice: numberOf(share.stopPrice), targetPrice: numberOf(share.targetPrice) }
  const kind =
    quote === null
      ? null
      : exitDue(decimal(share.quantity), prices, { bid: decimal(quote.bid), ask: decimal(quote.ask) })
  if (kind !== null) return kind === "stop_loss" ? (share.moving.stopBy ?? kind) : kind
  return share.endsAtMs !== null && share.endsAtMs <= nowMs ? "time_stop" : null
}

const mayTry = (watch: Watch, share: OpenShare, nowMs: number): boolean => {
  const tried = watch.tried.get(keyOf(share))
  return tried === undefined || tried.opening !== share.opening || tried.againAt <= nowMs
}

/** Whether a share is to be closed now, as far as memory knows. */
const isDue = (watch: Watch, quote: Quote | null, share: WatchedShare, nowMs: number): boolean => {
  if (share.exitStatus !== null || !mayTry(watch, share, nowMs)) return false
  return share.refused?.isClose === true || dueNow(quote, share, nowMs) !== null
}

/**
 * Moves the stops of all watched shares by the quotes of one tick, and whether one of the shares is due after that. By those
 * quotes and not by the latest: a best price between two looks counts, however late its tick is read.
 */
export const judgeTick = (
  watch: Watch,
  market: MarketService,
  tick: ReadonlyArray<Quote>,
  nowMs: number
): boolean => {
  let due = false
  const quotes = new Map(tick.map((quote) => [quote.symbol, quote]))
  watch.shares = watch.shares.map((share) => {
    const ticked = quotes.get(share.symbol) ?? null
    const quote = isFresh(ticked, nowMs) ? ticked : freshQuote(market, share.symbol, nowMs)
    const next = followed(share, quote)
    due ||= isDue(watch, quote, next, nowMs)
    return next
  })
  return due
}

const noteTried = (watch: Watch, share: OpenShare, nowMs: number): void => {
  const before = watch.tried.get(keyOf(share))
  const count = before !== undefined && before.opening === share.opening ? before.count + 1 : 1
  const pauseMs = Math.min(exitLimits.againMsMax, exitLimits.againFirstMs * 2 ** Math.min(count - 1, 10))
  watch.tried.set(keyOf(share), { opening: share.opening, count, againAt: nowMs + pauseMs })
}

/** Why a share could not be closed now although it should be; null when it could. */
const gapOf = (
  share: WatchedShare,
  fixed: ProtectionTerms,
  quoted: boolean,
  leases: AccountLeasesService,
  protection: ProtectionService
): string | null => {
  if (share.exitStatus === "needs_operator") return "its exit needs an operator"
  if (share.exitStatus === "held") return "its exit is held"
  if (share.blockedBy === "operator") return "an order that needs an operator blocks its exit"
  if (share.blockedBy === "unresolved") return "an order with an unknown outcome blocks its exit"
  // An expired lease belongs to an executor that crashed, or that lost its database.
  if (leases.current(share.account)?.mayWrite() !== true) {
    // Another node that holds the account protects it; without any holder it is unprotected.
    return share.ownedElsewhere ? null : "no process executes orders of its account"
  }
  if (!protection.brokerAnswers(share.account)) return "the broker does not answer"
  if (share.isUnconfirmed) return "the broker's report of its position cannot be used"
  if (share.refused !== null) return `the venue refused to close it: ${share.refused.reason ?? "no reason"}`
  if (share.stopPrice === null && hasStop(fixed, share.terms))
    return fixed.stopLossPct === null
      ? "its trailing stop is configured and has no price yet"
      : "its stop loss is configured and not armed"
  return quoted || (share.stopPrice === null && share.targetPrice === null) ? null : "no fresh quote"
}

/** The stop of a share where a trail or break-even has put it; null for one that is where it was armed. */
const movedStop = ({ moving, stopPrice }: OpenShare): Stop | null =>
  stopPrice === null || moving.stopBy === null || moving.stopBy === "stop_loss"
    ? null
    : { price: decimal(stopPrice), by: moving.stopBy }

/** Re-arms a share when its strategy's settings are not those it is armed with; what it has reached is kept. */
const armed = (watch: Watch, share: OpenShare, strategy: StrategySettings | undefined) =>
  Effect.gen(function* () {
    const fixed = termsOf(strategy)
    const moving = movingTermsOf(strategy)
    const terms = movingText(strategy)
    const now = { stopLossPct: numberOf(share.stopPct), profitTargetPct: numberOf(share.targetPct) }
    if (sameTerms(now, fixed) && share.moving.terms === terms) return share
    const positions = yield* PositionsStore
    const [quantity, averagePrice] = [decimal(share.quantity), decimal(share.averagePrice)]
    const range = rangeOf(watch.ranges, share.symbol, moving)
    // A stop that moved to where it is under the same terms stays there, whatever else has changed.
    const kept = share.moving.terms === terms ? movedStop(share) : null
    const made = arm(
      fixed,
      { quantity, averagePrice, terms: moving, range },
      numberOf(share.moving.best),
      kept
    )
    const prices = {
      stopPct: textOf(fixed.stopLossPct),
      targetPct: textOf(fixed.profitTargetPct),
      stopPrice: textOf(made.stop?.price ?? null),
      targetPrice: textOf(made.target)
    }
    const reached = { terms, best: textOf(made.best), stopBy: made.stop?.by ?? null }
    const { epoch, opening, positionId, symbol } = share
    const arming = { positionId, strategy: share.strategy, epoch, opening, ...prices, ...reached }
    if (!(yield* positions.arm(arming))) return share
    yield* logEvent(
      "info",
      "exit.armed",
      `exit prices of ${symbol} follow the settings of ${share.strategy}`,
      {
        component: watch.path,
        account: share.account,
        symbol,
        strategy: share.strategy,
        stop_price: prices.stopPrice,
        target_price: prices.targetPrice
      }
    )
    return { ...share, ...prices, moving: { ...share.moving, ...reached } }
  })

const intend = (watch: Watch, share: OpenShare, kind: StoredExitKind, nowMs: number) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const wake = yield* Wake
    noteTried(watch, share, nowMs)
    const isAgain = kind === "close_again" || kind === OPERATOR_CLOSE
    const outcome = yield* orders.intendExit({
      account: share.account,
      positionId: share.positionId,
      positionEpoch: share.epoch,
      exitKind: kind,
      strategy: share.strategy,
      quantity: isAgain ? (share.refused?.wanted ?? null) : null
    })
    if (outcome._tag === "NotNeeded") return 0
    const detail = { exit_kind: kind, exit_number: outcome.order.exitNumber, source: outcome.order.source }
    const why = isAgain ? "the venue refused its close before" : `${kind} reached`
    yield* traceOrder("info", "order.intended", why, watch.path, outcome.order, detail)
    wake.notify(ordersBell(share.account))
    return 1
  })

/** What a refused close is tried again as; null where none was refused. */
const closeAgain = (refused: OpenShare["refused"]): StoredExitKind | null => {
  if (refused?.isClose !== true) return null
  return refused.byOperator ? OPERATOR_CLOSE : "close_again"
}

/** A position that only a human can free is reported once, and again when it was free in between. */
const alertStuck = (watch: Watch, share: OpenShare, reason: string | null) =>
  Effect.gen(function* () {
    const { positionId } = share
    const stuck = share.exitStatus === "needs_operator" || share.blockedBy === "operator"
    if (!stuck) return void watch.alerted.delete(positionId)
    if (watch.alerted.has(positionId)) return
    watch.alerted.add(positionId)
    const alerts = yield* Alerts
    yield* alerts.raise({
      severity: "CRITICAL",
      kind: "exit.blocked",
      dedupKey: `exit.blocked:${positionId}`,
      message: `${share.account} holds ${share.quantity} ${share.symbol} and cannot close it: ${reason ?? "stuck"}`,
      component: watch.path,
      detail: { account: share.account, symbol: share.symbol, quantity: share.quantity, reason },
      standing: true
    })
  })

const forget = (watch: Watch, shares: ReadonlyArray<OpenShare>): void => {
  const keys = new Set(shares.map(keyOf))
  for (const key of watch.tried.keys()) if (!keys.has(key)) watch.tried.delete(key)
  const positions = new Set(shares.map(({ positionId }) => positionId))
  for (const id of watch.alerted) if (!positions.has(id)) watch.alerted.delete(id)
}

/** The watched shares by key, as they are when they are asked for: every tick replaces them all, in their order. */
const latest = (watch: Watch): ((share: OpenShare) => WatchedShare | undefined) => {
  const places = new Map(watch.shares.map((share, place) => [keyOf(share), place]))
  return (share) => {
    const place = places.get(keyOf(share))
    return place === undefined ? undefined : watch.shares[place]
  }
}

/** A share as it is judged now: what memory has reached, armed as the settings say, moved by the quote of now. */
const judged = (
  watch: Watch,
  found: OpenShare,
  before: WatchedShare | undefined,
  strategy: StrategySettings | undefined,
  quote: Quote | null,
  owned: boolean,
  nowMs: number
) =>
  Effect.gen(function* () {
    const known = remembered(found, before)
    // Another node may run with other settings: who does not execute the account goes by what the table says alone.
    const share = owned ? yield* armed(watch, known, strategy) : known
    const terms = owned ? movingTermsOf(strategy) : noMovingTerms
    const endsAtMs = terms.holdMsMax === null ? null : nowMs + terms.holdMsMax - share.moving.heldMs
    return followed({ ...share, terms, range: rangeOf(watch.ranges, share.symbol, terms), endsAtMs }, quote)
  })

/** One look: read, arm, judge, store what is due and how far stops have moved, report what is not protected. */
export const look = (watch: Watch) =>
  Effect.gen(function* () {
    const positions = yield* PositionsStore
    const market = yield* Market
    const leases = yield* AccountLeases
    const protection = yield* Protection
    // Of one moment: a share is judged by the settings under which it was read.
    const { accounts, strategies } = snapshotOf(yield* Config)
    const life = (yield* Instance).current()?.life ?? null
    const open = yield* positions.open(Object.keys(accounts), life)
    const wanted = open.map(({ strategy, symbol }) => ({
      symbol,
      terms: movingTermsOf(strategies[strategy])
    }))
    yield* refreshRanges(watch.ranges, watch.path, wanted, yield* Clock.currentTimeMillis)
    const nowMs = yield* Clock.currentTimeMillis
    const shares: Array<WatchedShare> = []
    const watched: Array<Watched> = []
    const moved: Array<Moved> = []
    let exits = 0
    // Until a look has judged a share, ticks may move its stop: each is taken as it is by then.
    const before = latest(watch)
    for (const found of open) {
      const strategy = strategies[found.strategy]
      const fixed = termsOf(strategy)
      if (!isWatched(found, fixed, movingTermsOf(strategy))) continue
      const owned = leases.current(found.account)?.mayWrite() === true
      const subscribed = market.subscribe(found.symbol)
      const quote = subscribed ? freshQuote(market, found.symbol, nowMs) : null
      const share = yield* judged(watch, found, before(found), strategy, quote, owned, nowMs)
      shares.push(share)
      if (owned) moved.push(...movedSince(found, share))
      const gap = gapOf(share, fixed, quote !== null, leases, protection)
      watched.push({ account: share.account, symbol: share.symbol, gap })
      yield* alertStuck(watch, share, gap)
      if (!isDue(watch, quote, share, nowMs)) continue
      const kind = closeAgain(share.refused) ?? dueNow(quote, share, nowMs) ?? "stop_loss"
      exits += yield* intend(watch, share, kind, nowMs)
    }
    if (moved.length > 0) yield* positions.move(moved)
    const partials = yield* judgePartials(watch.path, Object.keys(accounts), watch.pausesUntil)
    forget(watch, shares)
    // Ticks have moved the stops of the former look's shares meanwhile.
    const meanwhile = latest(watch)
    watch.shares = shares.map((share) => remembered(share, meanwhile(share)))
    protection.report(watched, nowMs)
    // What another node holds is its own to report and to resolve.
    if (open.every(({ ownedElsewhere }) => !ownedElsewhere))
      yield* alertGaps(watch.gapsSince, watch.path, watched, watch.alerted, nowMs)
    const unprotected = watched.filter(({ gap }) => gap !== null).length
    const unstopped = open.filter(({ strategy }) => {
      const settings = strategies[strategy]
      return !hasStop(termsOf(settings), movingTermsOf(settings))
    }).length
    const pending = shares.length > 0 || partials > 0
    return { positions: shares.length, exits, unprotected, unstopped, pending } satisfies LookOutcome
  })
