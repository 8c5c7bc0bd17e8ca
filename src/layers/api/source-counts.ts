/**
 * What this process has answered to the posts of each source.
 *
 * Promises: every answered post of a configured source is counted once; memory is that of the sources there are.
 * Never: keys anything by a name that a sender chose.
 * Failure: a restart begins at zero.
 */
import type { AnsweredPost } from "../intake/refused-posts.port.ts"

export interface SourceCount {
  readonly accepted: number
  readonly duplicate: number
  readonly refused: Readonly<Record<string, number>>
  readonly lastAtMs: number | null
  readonly lastAnswer: string | null
  readonly lastAddress: string | null
}

export interface SourceCounts {
  readonly sinceMs: number
  readonly note: (post: AnsweredPost, nowMs: number) => void
  readonly of: (source: string) => SourceCount
}

const none: SourceCount = {
  accepted: 0,
  duplicate: 0,
  refused: {},
  lastAtMs: null,
  lastAnswer: null,
  lastAddress: null
}

export const makeSourceCounts = (sinceMs: number): SourceCounts => {
  const counts = new Map<string, SourceCount>()
  const of = (source: string): SourceCount => counts.get(source) ?? none
  return {
    sinceMs,
    of,
    note: ({ address, reason, source, status }, nowMs) => {
      if (source === null) return
      const before = of(source)
      const answer = status === 201 ? "ACCEPTED" : status === 200 ? "DUPLICATE" : reason
      counts.set(source, {
        accepted: before.accepted + (status === 201 ? 1 : 0),
        duplicate: before.duplicate + (status === 200 ? 1 : 0),
        refused:
          status < 300 ? before.refused : { ...before.refused, [answer]: (before.refused[answer] ?? 0) + 1 },
        lastAtMs: nowMs,
        lastAnswer: answer,
        lastAddress: address
      })
    }
  }
}
