/**
 * ExpectedStore in memory, on the clock of the test.
 *
 * Promises: what expected-store.pg.test.ts asserts of the statements, without a database.
 * Never: keeps anything beyond its world.
 */
import { Clock, Effect } from "effect"
import type { Due, Span } from "../../src/domain/signals/expected-schedule.ts"
import { expectedLimits } from "../../src/domain/kernel/limits-kept.ts"
import type { DatabaseUnavailable } from "../../src/layers/database/database.port.ts"
import type { ExpectedStoreService, Judged } from "../../src/layers/operators/expected-store.port.ts"

interface Row extends Due {
  readonly needed: number
  received: number
  status: Judged["status"]
}

export const makeMemoryExpected = () => {
  const rows = new Map<string, Array<Row>>()
  const spans = new Map<string, { fromMs: number; toMs: number }>()
  const signals: Array<{ readonly source: string; readonly atMs: number }> = []
  const world = { fault: null as DatabaseUnavailable | null, refused: 0, begun: 0 }
  const of = (source: string): Array<Row> => rows.get(source) ?? []
  const between = (source: string, from: number, to: number): number =>
    signals.filter((one) => one.source === source && one.atMs >= from && one.atMs <= to).length
  const covers = ({ fromMs, graceMs }: Due): boolean => {
    let reachedMs = fromMs
    for (const span of [...spans.values()].toSorted((a, b) => a.fromMs - b.fromMs))
      if (span.fromMs <= reachedMs) reachedMs = Math.max(reachedMs, span.toMs)
    return reachedMs >= graceMs && [...spans.values()].some((span) => span.fromMs <= fromMs)
  }
  const judgedOf = ({ dueMs, needed, received, status }: Row): Judged => ({ dueMs, needed, received, status })
  const asked = <A>(answer: (nowMs: number) => A) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
      world.fault === null ? Effect.sync(() => answer(nowMs)) : Effect.fail(world.fault)
    )
  const store: ExpectedStoreService = {
    now: asked((nowMs) => nowMs),
    extend: ({ id }) =>
      asked((nowMs) => {
        const span = spans.get(id)
        if (span === undefined || nowMs - span.toMs > expectedLimits.gapMsMax) return null
        span.toMs = nowMs
        return nowMs
      }),
    begin: ({ id }) =>
      asked((nowMs) => {
        world.begun += 1
        spans.set(id, { fromMs: nowMs, toMs: nowMs })
        return nowMs
      }),
    lastDue: (source) => asked(() => of(source).at(-1)?.dueMs ?? null),
    judge: (source, needed, dues) =>
      asked(() => {
        const known = new Set(of(source).map(({ dueMs }) => dueMs))
        const judged = dues
          .filter(({ dueMs }) => !known.has(dueMs))
          .map((due): Row => {
            const received = between(source, due.fromMs, due.graceMs)
            const silent = covers(due) ? "missed" : "unobserved"
            return { ...due, needed, received, status: received >= needed ? "received" : silent }
          })
        rows.set(source, [...of(source), ...judged])
        return judged.map(judgedOf)
      }),
    recount: (source, withinMs) =>
      asked((nowMs) => {
        const late = of(source).filter((row) => {
          const isOpen = row.status === "missed" || row.status === "unobserved"
          if (!isOpen || row.untilMs < nowMs - withinMs) return false
          const received = between(source, row.fromMs, row.untilMs)
          if (received < row.needed) return false
          Object.assign(row, { received, status: "late" })
          return true
        })
        return late.map(judgedOf)
      }),
    outage: (source) =>
      asked(() => {
        const all = of(source)
        const last = all.findLastIndex(({ status }) => status === "received" || status === "late")
        const missed = all.slice(last + 1).filter(({ status }) => status === "missed")
        const [first, end] = [missed[0], missed.at(-1)]
        return first === undefined || end === undefined
          ? null
          : { missed: missed.length, firstMs: first.dueMs, lastMs: end.dueMs }
      }),
    observed: asked((): ReadonlyArray<Span> => [...spans.values()].map((span) => ({ ...span }))),
    receivedSince: (source, sinceMs, max) => asked((nowMs) => Math.min(max, between(source, sinceMs, nowMs))),
    refusedSince: () => asked(() => world.refused)
  }
  return {
    store,
    world,
    arrive: (source: string) =>
      Effect.map(Clock.currentTimeMillis, (atMs) => void signals.push({ source, atMs })),
    statuses: (source: string) => of(source).map(({ status }) => status)
  }
}
