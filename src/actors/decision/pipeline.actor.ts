/**
 * Pipeline actor: the pipeline machine with the effects that claim and decide.
 *
 * Promises: starts without a database, which only its readiness needs; asked to stop, it finishes the batch it has and
 * claims no more (T8); a database outage ends no incarnation of it.
 * Never: holds a signal longer than one batch, or decides without a claim.
 */
import { Effect } from "effect"
import { invariant } from "../../domain/kernel/invariant.ts"
import { claimLimits } from "../../domain/kernel/limits-signals.ts"
import { SignalQueue } from "../../layers/decision/signal-queue.port.ts"
import { type Backlog, type Claim, SignalsStore } from "../../layers/decision/signals-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { type ClaimedBatch, pipelineMachine } from "../../machines/decision/pipeline.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { decideBatch, type Pace } from "./pipeline-batch.ts"
import { type Expiry, expireSome, expiryAt, reportExpired } from "./pipeline-expire.ts"

/** What one incarnation keeps between its batches. */
interface Incarnation {
  readonly path: string
  readonly pace: Pace
  /** The batch the machine was given a ticket for. */
  claim: Claim | null
  /** Token of a batch that only the database kept us from deciding: its signals are not at fault. */
  undecided: string | null
  readonly expiry: Expiry
}

const releaseOwn = (incarnation: Incarnation) =>
  effectActor("pipeline.release_own", () =>
    Effect.gen(function* () {
      const store = yield* SignalsStore
      // After an outage the accounts have to be reconciled again, so decisions may again be deferred for a while.
      incarnation.pace.sinceMs = null
      const released = yield* store.releaseOwn(incarnation.undecided)
      incarnation.undecided = null
      if (released > 0) {
        yield* logEvent("info", "signals.released", `${released} earlier claims were released`, {
          component: incarnation.path,
          released
        })
      }
      return released
    })
  )

const claim = (incarnation: Incarnation) =>
  effectActor("pipeline.claim", () =>
    Effect.gen(function* () {
      const store = yield* SignalsStore
      const left = yield* expireSome(incarnation.path, incarnation.expiry)
      const claimed = yield* store.claim(claimLimits.batchMax)
      const more = claimed.more || left
      incarnation.claim = { ...claimed, more }
      return { size: claimed.signals.length, token: claimed.token, more } satisfies ClaimedBatch
    })
  )

const decide = (incarnation: Incarnation) =>
  effectActor("pipeline.decide", ({ batch }: { readonly batch: ClaimedBatch }) =>
    Effect.suspend(() => {
      const { claim, pace, path } = incarnation
      invariant(claim?.token === batch.token, "the batch that is decided is the one that was claimed", {
        token: batch.token
      })
      return decideBatch(path, pace, claim).pipe(
        Effect.tapError(() => Effect.sync(() => void (incarnation.undecided = batch.token)))
      )
    })
  )

const waitForSignals = effectActor("pipeline.wait", ({ maxWaitMs }: { readonly maxWaitMs: number }) =>
  Effect.flatMap(Wake, (wake) => wake.wait("signals", maxWaitMs))
)

const queueOf = (backlog: Backlog | null) =>
  backlog === null
    ? null
    : {
        open: backlog.open,
        oldest_ms: Math.round(backlog.oldestMs),
        expired: backlog.expired,
        dead_letters: backlog.dead
      }

/** The component `root/trading/pipeline`. */
export const pipelineActor = () => (self: ChildSelf) =>
  Effect.gen(function* () {
    const incarnation: Incarnation = {
      path: self.path,
      pace: { sinceMs: null },
      claim: null,
      undecided: null,
      expiry: expiryAt()
    }
    const queue = yield* SignalQueue
    yield* Effect.addFinalizer(() => reportExpired(self.path, incarnation.expiry))
    return yield* machineChild({
      machine: pipelineMachine,
      input: {
        pollMs: claimLimits.pollMs,
        deferMs: claimLimits.deferMs,
        retryMs: claimLimits.retryMs,
        claimDeadlineMs: claimLimits.claimMsMax,
        decideDeadlineMs: claimLimits.leaseMs
      },
      actors: {
        watchDatabase: watchDatabase(),
        releaseOwn: releaseOwn(incarnation),
        waitForSignals,
        claim: claim(incarnation),
        decide: decide(incarnation)
      },
      status: ({ context }) => ({
        detail: {
          ...context.counters,
          deferred: context.deferred,
          queue: queueOf(queue.current())
        }
      }),
      stopEvent: { type: "pipeline.stop" }
    })(self)
  })
