/**
 * What is used of the limits on losses: `/api/v1/limits`.
 *
 * Promises: the figures are those that decisions of this process read; the limits those in force.
 * Never: measures anything; judges whether a limit is reached.
 * Failure: a figure that is not known is null.
 */
import { Effect } from "effect"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import type { ScopeLimits, Settings } from "../../domain/kernel/settings.ts"
import type { ScopeFigures } from "../../domain/orders/risk-scope.ts"
import { listLimits } from "../../wire/limit-endpoints.ts"
import type { RiskFiguresService } from "../orders/risk-figures.port.ts"
import { snapshotOf } from "../platform/config.port.ts"
import { type Route, route } from "./http.route.ts"

const text = (value: string | number | null | undefined): string | null =>
  value === null || value === undefined ? null : String(value)

/** What each limit is measured by. */
const measured: ReadonlyArray<
  readonly [
    name: "dailyLossMax" | "drawdownMax" | "lossStreakMax",
    used: (figures: ScopeFigures) => string | null
  ]
> = [
  ["dailyLossMax", ({ dayLoss }) => dayLoss],
  ["drawdownMax", ({ drawdown }) => drawdown],
  ["lossStreakMax", ({ losses }) => text(losses)]
]

const itemsOf = (scope: string, limits: ScopeLimits, figures: ScopeFigures | null) =>
  measured.flatMap(([name, used]) => {
    const max = text(limits[name])
    return max === null
      ? []
      : [
          {
            scope,
            limit: name,
            max,
            used: figures === null ? null : used(figures),
            measured_at: isoOf(figures?.atMs ?? null),
            on_breach: limits.onBreach,
            tripped: figures?.tripped ?? null
          }
        ]
  })

/** The routes of this file. */
export const limitRoutes = (settings: Settings, figures: RiskFiguresService): ReadonlyArray<Route> => [
  route(listLimits, () =>
    Effect.sync(() => ({
      status: 200,
      json: {
        items: Object.entries(snapshotOf(settings).risk.scopes).flatMap(([scope, limits]) =>
          itemsOf(scope, limits, figures.of(scope))
        ),
        next_cursor: null
      }
    }))
  )
]
