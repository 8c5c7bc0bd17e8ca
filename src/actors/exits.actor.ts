/**
 * Exits actor: stop losses and profit targets, from the tick that reaches a price to the stored intent of an order.
 *
 * Promises: one exit of a position at a time, by its identity in the table; after an exit that ended and left the
 * position open the next one waits, longer each time; a position that cannot be protected is reported with its reason.
 * Never: guesses a price: a quote older than the limit protects nothing.
 */
import { Clock, Effect, Stream } from "effect"
import { decimal } from "../domain/decimal.ts"
import { ageLimits, exitLimits } from "../domain/limits.ts"
import { exitDue, type ExitKind } from "../domain/protection.ts"
import { AccountLeases, type AccountLeasesService } from "../layers/accounts/accounts-lease.ts"
import { Alerts } from "../layers/alerts/alerts.ts"
import { Config } from "../layers/config/config.ts"
import { Instance } from "../layers/config/instance.ts"
import { Market, type MarketService } from "../layers/market/market.ts"
import { OrdersStore } from "../layers/orders/orders-store.ts"
import { type OpenPosition, PositionsStore } from "../layers/accounts/positions-store.ts"
import { Protection, type ProtectionService, type Watched } from "../layers/accounts/protection.ts"
import { Wake } from "../layers/process/wake.ts"
import { exitsMachine, type LookOutcome } from "../machines/exits.machine.ts"
import type { ChildSelf } from "../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../runtime/machine-child.ts"
import { watchDatabase } from "./database-watch.ts"
import { traceOrder } from "./order-trace.ts"

/** Exits already tried for one opening of a position, so that a refused one is not repeated with every tick. */
interface Tried {
  readonly epoch: number
  readonly count: number
  readonly againAt: number
}

interface Watch {
  readonly path: string
  readonly accounts: ReadonlyArray<string>
  /** The positions of the last look; ticks are judged against these. */
  positions: ReadonlyArray<OpenPosition>
  /** By position id; bounded by the open positions. */
  readonly tried: Map<string, Tried>
  /** Ids of positions whose exit waits for a human and of which was told; bounded like `tried`. */
  readonly told: Set<string>
}

const isProtected = (position: OpenPosition): boolean =>
  position.stopPrice !== null || position.targetPrice !== null

const priceOf = (text: string | null) => (text === null ? null : decimal(text))

/** Which exit is due by the market's fresh quote; null when none is, undefined when there is no such quote. */
const judge = (market: MarketService, position: OpenPosition, nowMs: number): ExitKind | null | undefined => {
  const quote = market.quote(position.symbol)
  if (quote === null || nowMs - quote.at.getTime() > ageLimits.quoteAgeMsMax) return undefined
  const prices = { stopPrice: priceOf(position.stopPrice), targetPrice: priceOf(position.targetPrice) }
  return exitDue(decimal(position.quantity), prices, { bid: decimal(quote.bid), ask: decimal(quote.ask) })
}

const mayTry = (watch: Watch, position: OpenPosition, nowMs: number): boolean => {
  const tried = watch.tried.get(position.id)
  return tried === undefined || tried.epoch !== position.epoch || tried.againAt <= nowMs
}

const noteTried = (watch: Watch, position: OpenPosition, nowMs: number): void => {
  const before = watch.tried.get(position.id)
  const count = before !== undefined && before.epoch === position.epoch ? before.count + 1 : 1
  const pauseMs = Math.min(exitLimits.againMsMax, exitLimits.againFirstMs * 2 ** Math.min(count - 1, 10))
  watch.tried.set(position.id, { epoch: position.epoch, count, againAt: nowMs + pauseMs })
}

/** Why a position with exit prices would not be left now; null when it would. */
const gapOf = (
  position: OpenPosition,
  quoted: boolean,
  leases: AccountLeasesService,
  protection: ProtectionService
): string | null => {
  if (position.exitStatus === "needs_operator") return "its exit needs an operator"
  if (position.exitStatus === "held") return "its exit is held"
  if (position.blockedBy === "operator") return "an order that needs an operator blocks its exit"
  if (position.blockedBy === "unresolved") return "an order with an unknown outcome blocks its exit"
  // A lease that ran out belongs to an executor that crashed, or that lost its database.
  if (leases.current(position.account)?.mayWrite() !== true) {
    // Another node that holds the account protects it; nobody at all does not.
    return position.ownedElsewhere ? null : "nobody executes orders of its account"
  }
  if (!protection.brokerAnswers(position.account)) return "the broker does not answer"
  return quoted ? null : "no fresh quote"
}

const intend = (watch: Watch, position: OpenPosition, kind: ExitKind, nowMs: number) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const wake = yield* Wake
    noteTried(watch, position, nowMs)
    const outcome = yield* orders.intendExit({
      account: position.account,
      positionId: position.id,
      positionEpoch: position.epoch,
      exitKind: kind
    })
    if (outcome._tag === "NotNeeded") return 0
    const detail = { exit_kind: kind, exit_number: outcome.order.exitNumber, source: outcome.order.source }
    yield* traceOrder("info", "order.intended", `${kind} reached`, watch.path, outcome.order, detail)
    wake.notify(`orders:${position.account}`)
    return 1
  })

/** A position that only a human can free is told once, and again when it was free in between. */
const tellStuck = (watch: Watch, position: OpenPosition, reason: string | null) =>
  Effect.gen(function* () {
    const stuck = position.exitStatus === "needs_operator" || position.blockedBy === "operator"
    if (!stuck) return void watch.told.delete(position.id)
    if (watch.told.has(position.id)) return
    watch.told.add(position.id)
    const alerts = yield* Alerts
    yield* alerts.raise({
      severity: "CRITICAL",
      kind: "exit.blocked",
      dedupKey: `exit.blocked:${position.id}`,
      message: `${position.account} holds ${position.quantity} ${position.symbol} and cannot leave it: ${reason ?? "stuck"}`,
      component: watch.path,
      detail: { account: position.account, symbol: position.symbol, quantity: position.quantity, reason }
    })
  })

/** One look: read, judge, store what is due, report what is not protected. */
const look = (watch: Watch) =>
  Effect.gen(function* () {
    const positions = yield* PositionsStore
    const market = yield* Market
    const leases = yield* AccountLeases
    const protection = yield* Protection
    const instance = yield* Instance
    const nodeId = instance.current()?.nodeId ?? null
    const open = (yield* positions.open(watch.accounts, nodeId)).filter(isProtected)
    watch.positions = open
    const ids = new Set(open.map(({ id }) => id))
    for (const id of watch.tried.keys()) if (!ids.has(id)) watch.tried.delete(id)
    for (const id of watch.told) if (!ids.has(id)) watch.told.delete(id)
    const nowMs = yield* Clock.currentTimeMillis
    const watched: Array<Watched> = []
    let exits = 0
    for (const position of open) {
      const subscribed = market.subscribe(position.symbol)
      const due = judge(market, position, nowMs)
      const gap = gapOf(position, subscribed && due !== undefined, leases, protection)
      watched.push({ account: position.account, symbol: position.symbol, gap })
      yield* tellStuck(watch, position, gap)
      if (
        due === null ||
        due === undefined ||
        position.exitStatus !== null ||
        !mayTry(watch, position, nowMs)
      )
        continue
      exits += yield* intend(watch, position, due, nowMs)
    }
    protection.report(watched, nowMs)
    const unprotected = watched.filter(({ gap }) => gap !== null).length
    return { positions: open.length, exits, unprotected } satisfies LookOutcome
  })

/** Judges every tick in memory; only a position that may be left is worth a look. */
const watchTicks = (watch: Watch) =>
  streamActor("exits.ticks", ({ send }) =>
    Effect.gen(function* () {
      const market = yield* Market
      yield* Stream.runForEach(market.ticks, () =>
        Effect.map(Clock.currentTimeMillis, (nowMs) => {
          const due = watch.positions.some((position) => {
            if (position.exitStatus !== null || !mayTry(watch, position, nowMs)) return false
            const kind = judge(market, position, nowMs)
            return kind !== null && kind !== undefined
          })
          if (due) send({ type: "exit.due" })
        })
      )
    })
  )

const watchPositions = streamActor("exits.positions", ({ send }) =>
  Effect.flatMap(Wake, (wake) =>
    Effect.forever(
      Effect.andThen(
        // The machine polls by itself; a wait that ends without a bell is only one more look.
        wake.wait("positions", exitLimits.pollMs * 12),
        Effect.sync(() => send({ type: "positions.changed" }))
      )
    )
  )
)

/** The component `root/trading/exits`. */
export const exitsActor = () => (self: ChildSelf) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const watch: Watch = {
      path: self.path,
      accounts: Object.keys(settings.accounts),
      positions: [],
      tried: new Map(),
      told: new Set()
    }
    return yield* machineChild({
      machine: exitsMachine,
      input: { pollMs: exitLimits.pollMs, readMsMax: exitLimits.readMsMax, retryMs: exitLimits.retryMs },
      actors: {
        watchDatabase: watchDatabase(),
        watchPositions,
        watchTicks: watchTicks(watch),
        look: effectActor("exits.look", () => look(watch))
      },
      stopEvent: { type: "exits.stop" },
      status: ({ context }) => ({
        detail: { positions: context.positions, exits: context.exits, unprotected: context.unprotected }
      })
    })(self)
  })
