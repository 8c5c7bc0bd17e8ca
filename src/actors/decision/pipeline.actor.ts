/**
 * Pipeline actor: the pipeline machine with the effects that claim and decide.
 *
 * Promises: starts without a database, which only its readiness needs; asked to stop, it finishes the batch it has and
 * claims no more (T8); a database outage ends no incarnation of it.
 * Never: holds a signal longer than one batch, or decides without a claim.
 */
import { Clock, Effect } from "effect"
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
  /** What is claimed may be what ended the former incarnation, or a decision that did not finish; else only an outage left it. */
  suspects: boolean
  readonly expiry: Expiry
}

const releaseOwn = (incarnation: Incarnation) =>
  effectActor("pipeline.release_own", () =>
    Effect.gen(function* () {
      const store = yield* SignalsStore
      // After an outage the accounts have to be reconciled again, so decisions may again be deferred for a while.
      incarnation.pace.sinceMs = null
      const released = yield* store.releaseOwn(incarnation.suspects ? "crash" : "outage")
      incarnation.suspects = false
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
    Effect.gen(function* () {
      const { claim, pace, path } = incarnation
      invariant(claim?.token === batch.token, "the batch that is decided is the one that was claimed", {
        token: batch.token
      })
      const beganMs = yield* Clock.currentTimeMillis
      return yield* decideBatch(path, pace, claim).pipe(
        // An outage interrupts it at once, its deadline only then. A defect ends the incarnation.
        Effect.onInterrupt(() =>
          Effect.map(Clock.currentTimeMillis, (nowMs) => {
            if (nowMs - beganMs >= claimLimits.leaseMs) incarnation.suspects = true
          })
        )
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
      suspects: true,
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
