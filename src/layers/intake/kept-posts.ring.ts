/**
 * KeptPosts in memory.
 *
 * The rate is judged before anything is done with the body: masking and hashing it are what a flood would cost.
 *
 * Promises: as the port; at most `refusedLimits.waitingMax` posts and `waitingBytesMax` bytes are held, those being stored
 * included; at most `keptMax` posts of one source are kept in `perMs`.
 * Never: reads a body that is dropped.
 * Failure: what does not fit is dropped, and counted in `holdfast_refused_posts_dropped_total`.
 */
import { Clock, Effect, Layer } from "effect"
import { keptText, type RefusedPost } from "../../domain/intake/refused-post.ts"
import { refusedLimits } from "../../domain/kernel/limits-kept.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import { Entropy } from "../platform/entropy.port.ts"
import { Metrics, type MetricsService } from "../platform/metrics.port.ts"
import { Wake, type WakeService } from "../platform/wake.port.ts"
import { type KeepDrop, KeptPosts, type KeptPostsService } from "./kept-posts.port.ts"

/** A row is little more than its body. */
const bytesOf = ({ text }: RefusedPost): number => Buffer.byteLength(text.body)

/** How many posts of each source were kept in its minute. Sources are configured, so this is bounded. */
const makeShares = () => {
  const shares = new Map<string, { sinceMs: number; kept: number }>()
  return {
    take: (source: string, nowMs: number): boolean => {
      const share = shares.get(source)
      if (share === undefined || Math.abs(nowMs - share.sinceMs) >= refusedLimits.perMs) {
        shares.set(source, { sinceMs: nowMs, kept: 1 })
        return true
      }
      if (share.kept >= refusedLimits.keptMax) return false
      share.kept += 1
      return true
    }
  }
}

interface Parts {
  readonly mask: Mask
  readonly wake: WakeService
  readonly uuid: () => string
  readonly metrics: MetricsService
  readonly nowMs: () => number
}

const makeKeptPosts = ({ mask, metrics, nowMs, uuid, wake }: Parts): KeptPostsService => {
  const shares = makeShares()
  const waiting: Array<RefusedPost> = []
  const answers = new Map<string, (id: string | null) => void>()
  const dropped: Record<KeepDrop, number> = { rate: 0, room: 0, fault: 0 }
  let bytes = 0
  let stored = 0
  const drop = (why: KeepDrop): void => {
    dropped[why] += 1
    metrics.postKept(why)
  }
  /** In the room or in the hands of the store; both are held in memory. */
  const hasRoom = (): boolean =>
    answers.size < refusedLimits.waitingMax &&
    bytes + refusedLimits.bodyBytesMax <= refusedLimits.waitingBytesMax
  return {
    keep: ({ bytes: body, json, ...post }, answer) => {
      const receivedAtMs = nowMs()
      const why = !hasRoom() ? "room" : shares.take(post.source, receivedAtMs) ? null : "rate"
      if (why !== null) {
        drop(why)
        answer(null)
        return
      }
      const errors = post.errors.map(({ message, path }) => ({ path: mask(path), message: mask(message) }))
      const kept = { ...post, errors, id: uuid(), text: keptText(body, json, mask), receivedAtMs }
      bytes += bytesOf(kept)
      answers.set(kept.id, answer)
      waiting.push(kept)
      wake.notify("refused-posts")
    },
    take: () => {
      let taken = 0
      const fits = (post: RefusedPost, index: number): boolean => {
        taken += bytesOf(post)
        return index < refusedLimits.batchMax && (index === 0 || taken <= refusedLimits.batchBytesMax)
      }
      const end = waiting.findIndex((post, index) => !fits(post, index))
      return waiting.splice(0, end < 0 ? waiting.length : end)
    },
    putBack: (batch) => {
      // Of a batch that was stored row by row some may be settled.
      waiting.unshift(...batch.filter(({ id }) => answers.has(id)))
    },
    settle: (batch, isStored) => {
      for (const post of batch) {
        bytes -= bytesOf(post)
        const answer = answers.get(post.id)
        answers.delete(post.id)
        if (isStored) {
          stored += 1
          metrics.postKept("stored")
        } else drop("fault")
        answer?.(isStored ? post.id : null)
      }
    },
    counts: () => ({ waiting: answers.size, waitingBytes: bytes, stored, dropped: { ...dropped } })
  }
}

/** The room of a service with these secrets. */
export const keptPostsMasked = (mask: Mask): Layer.Layer<KeptPosts, never, Entropy | Metrics | Wake> =>
  Layer.effect(
    KeptPosts,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const [metrics, wake, { uuid }] = [yield* Metrics, yield* Wake, yield* Entropy]
      return KeptPosts.of(
        makeKeptPosts({ mask, metrics, uuid, wake, nowMs: () => clock.currentTimeMillisUnsafe() })
      )
    })
  )
