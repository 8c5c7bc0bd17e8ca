/**
 * Account desk: what the effects of one account's executor share while it lives.
 *
 * Step, resolver, reconciliation and lease keeper run in different fibers of one child. The desk is the little they
 * have to agree on: the current lease, whose turn it is to talk to the broker, and a place where a round trip
 * continues although the state that began it was left.
 *
 * Promises: one create or cancel round trip of the account at a time; a round trip that was begun ends by itself; it
 * is interrupted only with the whole child.
 * Never: outlives its child.
 */
import { Clock, Data, Effect, Fiber, Semaphore } from "effect"
import { executedAccount } from "../../domain/kernel/canary.ts"
import { accountLimits, executionLimits, lookupLimits } from "../../domain/kernel/limits-execution.ts"
import type { LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { noTurns, type TurnCounts } from "../../layers/accounts/account-turns.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { type BrokerConnection, Brokers } from "../../layers/venues/broker.port.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"

/** The lease or the fence is gone: nothing may be written or sent under it. */
export class LeaseLost extends Data.TaggedError("LeaseLost")<{
  readonly account: string
  readonly while: string
}> {
  override get message(): string {
    return `the lease of ${this.account} was lost while ${this.while}`
  }
}

/** Numbers a test may shorten; everyone else uses the limits. */
export interface ExecutionPace {
  readonly pollMs: number
  /** Waits before each look-up, in milliseconds; the last one repeats. */
  readonly lookupDelaysMs: ReadonlyArray<number>
}

export const defaultPace: ExecutionPace = {
  pollMs: accountLimits.pollMs,
  lookupDelaysMs: lookupLimits.delaysMs
}

export interface AccountDesk {
  readonly account: string
  /** Path of the child in the tree, for log lines. */
  readonly path: string
  readonly broker: BrokerConnection
  readonly pace: ExecutionPace
  /** The lease as it is now; null when there is none. */
  readonly guard: () => LeaseGuard | null
  readonly setGuard: (guard: LeaseGuard | null) => void
  /** Runs `effect` when it is its turn, in a fiber of the child: leaving the state that waits for it does not end it. */
  readonly roundTrip: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Waits until no round trip is under way, and keeps others from beginning while `effect` runs. */
  readonly between: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Orders between the commit of `submitting` and the commit of its outcome. Bounded by the one turn. */
  readonly inFlight: Set<string>
  /**
   * Orders that are not due before a time (milliseconds of the clock): their cancel was sent, or what they wait for was
   * not there. Bounded by open orders.
   */
  readonly dueAt: Map<string, number>
  /** When (milliseconds of the clock) all fills may be fetched again; zero at first. */
  fullLookAt: number
}

/** Runs `effect` in its turn, and counts what it waited. */
const inTurn = <A, E, R>(turn: Semaphore.Semaphore, counts: TurnCounts, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const fromMs = clock.currentTimeMillisUnsafe()
    // Nobody ahead means no wait.
    const isContended = counts.taken > counts.ended || counts.waiting > 0
    counts.waiting += 1
    let isIn = false
    const enter = (): void => {
      isIn = true
      const waitedMs = clock.currentTimeMillisUnsafe() - fromMs
      counts.waiting -= 1
      counts.taken += 1
      if (!isContended) return
      counts.contended += 1
      counts.waitedMs += waitedMs
      counts.longestWaitMs = Math.max(counts.longestWaitMs, waitedMs)
    }
    const leave = Effect.sync(() => {
      if (isIn) counts.ended += 1
      else counts.waiting -= 1
    })
    return yield* Effect.ensuring(turn.withPermit(Effect.andThen(Effect.sync(enter), effect)), leave)
  })

/** The desk of one incarnation of an executor. `counts` is called at the first turn. */
export const makeDesk = (
  self: Pick<ChildSelf, "fork" | "path">,
  account: string,
  broker: BrokerConnection,
  pace: ExecutionPace,
  counts: () => TurnCounts = noTurns
): AccountDesk => {
  const turn = Semaphore.makeUnsafe(1)
  let counted: TurnCounts | null = null
  const turned = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => inTurn(turn, (counted ??= counts()), effect))
  let guard: LeaseGuard | null = null
  return {
    account,
    path: self.path,
    broker,
    pace,
    guard: () => guard,
    setGuard: (next) => {
      guard = next
    },
    // A typed failure belongs to whoever waits; only a defect is the child's, which is what `fork` does with failures.
    roundTrip: (effect) =>
      self
        .fork("round trip", Effect.result(turned(effect)))
        .pipe(Effect.flatMap(Fiber.join), Effect.flatMap(Effect.fromResult)),
    between: turned,
    inFlight: new Set(),
    dueAt: new Map(),
    fullLookAt: 0
  }
}

/** The lease, or `LeaseLost` when it may no longer be used to write. */
export const usableGuard = (desk: AccountDesk, doing: string): Effect.Effect<LeaseGuard, LeaseLost> =>
  Effect.suspend(() => {
    const guard = desk.guard()
    return guard === null || !guard.mayWrite()
      ? Effect.fail(new LeaseLost({ account: desk.account, while: doing }))
      : Effect.succeed(guard)
  })

/**
 * What the settings in force make of an account that was started with `connection`. Of many that a reload removes or moves
 * some are not stopped yet when they find that it took their leases: one that took its own again would send to the
 * former address, and be believed to be at the new one.
 */
export const reachOf = (account: string, connection: BrokerConnection) =>
  Effect.gen(function* () {
    const brokers = yield* Brokers
    const configured = executedAccount(yield* Config, account)
    if (configured === undefined) return "removed"
    return brokers.get(configured.broker) === connection ? "current" : "moved"
  })

/** How long a cancel may stay unconfirmed before it is sent again. */
export const cancelAgainMs: number = executionLimits.cancelAgainMs
