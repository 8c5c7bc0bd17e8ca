/**
 * RecentLinkage: what this process last saw of how fills are linked (A4).
 *
 * The rate over all fills there ever were hides what happens now, and counting them takes longer each day. So the last ones are
 * looked at now and then, all of them seldom, and everybody who shows a figure shows that one.
 *
 * Promises: `null` while it is unknown, which it is whenever the database is away.
 * Never: judges the figure.
 */
import { Context, Layer } from "effect"
import type { RecentLinkage } from "../../domain/health/health.ts"
import type { Linkage } from "./read-store.port.ts"

export interface LinkageFiguresService {
  /** Of the latest fills. */
  readonly current: () => RecentLinkage | null
  readonly assign: (figures: RecentLinkage | null) => void
  /** Of all fills, as they were last counted. */
  readonly all: () => Linkage | null
  readonly assignAll: (figures: Linkage | null) => void
}

export class LinkageFigures extends Context.Service<LinkageFigures, LinkageFiguresService>()(
  "holdfast/layers/LinkageFigures"
) {
  static readonly layer: Layer.Layer<LinkageFigures> = Layer.sync(LinkageFigures, () => {
    let figures: RecentLinkage | null = null
    let all: Linkage | null = null
    return LinkageFigures.of({
      current: () => figures,
      assign: (next) => {
        figures = next
      },
      all: () => all,
      assignAll: (next) => {
        all = next
      }
    })
  })
}
