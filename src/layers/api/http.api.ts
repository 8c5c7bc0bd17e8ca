/**
 * The API: what may be read, and the commands of an operator (http.commands.ts).
 *
 * Promises: lists are `{items, next_cursor}`; an unknown query parameter, a bad cursor or a bad limit is a 400 that
 * names it; an id that is not a UUID is 404, because nothing can have it.
 * Never: answers from memory what the database knows; a caller that needs the truth gets the row or a 503.
 * Failure: that of the routes: what the store cannot answer now is 503.
 */
import { Effect } from "effect"
import type { z } from "zod"
import { isUuid } from "../../domain/kernel/ids.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import type { Endpoint } from "../../wire/endpoint.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { metadataSources } from "../../domain/signals/metadata.ts"
import * as wire from "../../wire/endpoints.ts"
import { listApprovals } from "../../wire/approval-endpoints.ts"
import { listDrills } from "../../wire/drill-endpoints.ts"
import { listExperiments } from "../../wire/experiments.ts"
import { FLAGS, flagLines } from "../../domain/kernel/flags.ts"
import { versionOf } from "../../domain/kernel/settings-change.ts"
import { listFlags } from "../../wire/flags.ts"
import { listStrategies } from "../../wire/strategies.ts"
import { getLatency } from "../../wire/latency.ts"
import { listResources, listTransactions } from "../../wire/monitoring-endpoints.ts"
import { listDeadLetters, listRefused } from "../../wire/replay-endpoints.ts"
import { PAGE_ITEMS_DEFAULT } from "../../wire/page.ts"
import type { CommandsService } from "../control/commands.port.ts"
import type { TradingStateStoreService } from "../control/trading-state-store.port.ts"
import type { Item, ListName, ReadStoreService } from "../health/read-store.port.ts"
import type { MarketService } from "../market/market.port.ts"
import { snapshotOf } from "../platform/config.port.ts"
import { commandRoutes } from "./http.commands.ts"
import { pricedPositions } from "./http.positions.ts"
import { badCursor, decoded, Refused, route, type Route, rowsRoute } from "./http.route.ts"

/** The decoded query of any list; what is neither limit nor cursor is a filter. */
type ListQuery = Readonly<Record<string, string>> & { readonly limit?: number; readonly cursor?: string }

const notFound = new Refused({ status: 404 })

/** Adds to rows what the database does not know. */
type Completion = (rows: ReadonlyArray<Item>) => Effect.Effect<ReadonlyArray<Item>>

/** A list of rows. Its query has a limit, a cursor, and otherwise filters by columns. */
const listRoute = (
  reads: ReadStoreService,
  endpoint: Endpoint & { readonly answers: { readonly 200: z.ZodType } },
  name: ListName,
  complete: Completion = Effect.succeed
): Route =>
  rowsRoute(endpoint, (request) =>
    Effect.gen(function* () {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read by `listQuery` of the endpoint
      const { cursor = null, limit = PAGE_ITEMS_DEFAULT, ...filters } = request.query as ListQuery
      const { items, nextCursor } = yield* reads
        .list(name, { limit, cursor, filters })
        .pipe(Effect.catchTag("BadCursor", () => Effect.fail(badCursor)))
      const found = { items: yield* complete(items), next_cursor: nextCursor }
      return { status: 200, json: yield* decoded(endpoint.answers[200], found) }
    })
  )

/** One row by its id. */
const itemRoute = <Row>(
  endpoint: Endpoint & { readonly answers: { readonly 200: z.ZodType } },
  find: (id: string) => Effect.Effect<Row | null, Effect.Error<ReturnType<ReadStoreService["order"]>>>
): Route =>
  rowsRoute(endpoint, ({ params }) =>
    Effect.gen(function* () {
      const id = params["id"] ?? ""
      const found = isUuid(id) ? yield* find(id) : null
      if (found === null) return yield* notFound
      return { status: 200, json: yield* decoded(endpoint.answers[200], found) }
    })
  )

const explainRoute = (reads: ReadStoreService): Route =>
  route(wire.explainSignal, ({ params }) =>
    Effect.gen(function* () {
      const id = params["id"] ?? ""
      const lines = isUuid(id) ? yield* reads.explain(id) : null
      if (lines === null) return yield* notFound
      return {
        status: 200,
        text: `${lines.join("\n")}\n`,
        contentType: wire.explainSignal.answers[200].text
      }
    })
  )

const stateRoute = (states: TradingStateStoreService): Route =>
  route(wire.getTradingState, () =>
    Effect.map(states.read, ([global, ...scopes]) => {
      invariant(global !== undefined, "the trading state of all has a row")
      return { status: 200, json: { ...global, scopes } }
    })
  )

/** The ledger and the distribution of what its filters name. */
const latencyRoute = (reads: ReadStoreService): Route =>
  rowsRoute(getLatency, ({ query }) =>
    Effect.gen(function* () {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read by `listQuery` of the endpoint
      const { cursor = null, limit = PAGE_ITEMS_DEFAULT, ...filters } = query as ListQuery
      const { items, nextCursor } = yield* reads
        .list("latency", { limit, cursor, filters })
        .pipe(Effect.catchTag("BadCursor", () => Effect.fail(badCursor)))
      const { from = null, to = null, ...names } = filters
      const summary = yield* reads.latency({ from, to, filters: names })
      return {
        status: 200,
        json: yield* decoded(getLatency.answers[200], { items, next_cursor: nextCursor, summary })
      }
    })
  )

/** Engines A and B compared. */
const experimentsRoute = (reads: ReadStoreService): Route =>
  rowsRoute(listExperiments, ({ query }) =>
    Effect.gen(function* () {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read by the query of the endpoint
      const span = query as Partial<Record<"from" | "strategy" | "to", string>>
      const { from = null, strategy = null, to = null } = span
      const items = yield* reads.experiments({ from, strategy, to })
      return { status: 200, json: yield* decoded(listExperiments.answers[200], { items, next_cursor: null }) }
    })
  )

/** Which strategies trade, and which run as shadows. */
const strategiesRoute = (reads: ReadStoreService, settings: Settings): Route =>
  rowsRoute(listStrategies, () =>
    Effect.gen(function* () {
      const items = yield* reads.strategies(snapshotOf(settings).strategies)
      return { status: 200, json: yield* decoded(listStrategies.answers[200], { items, next_cursor: null }) }
    })
  )

/** Which features are on, and since which settings. */
const flagsRoute = (reads: ReadStoreService, settings: Settings): Route =>
  rowsRoute(listFlags, () =>
    Effect.gen(function* () {
      const inForce = snapshotOf(settings)
      const lines = flagLines(inForce.flags)
      const since = yield* reads.flags(versionOf(inForce), lines)
      const items = lines.map(({ isSet, name, on, scope }, nth) => ({
        flag: name,
        scope,
        on,
        set: isSet,
        what: FLAGS[name].what,
        settings_version: null,
        since: null,
        ...since[nth]
      }))
      return { status: 200, json: yield* decoded(listFlags.answers[200], { items, next_cursor: null }) }
    })
  )

/** All fills, and the latest. */
const linkageRoute = (reads: ReadStoreService, settings: Settings): Route =>
  route(wire.getLinkage, () =>
    Effect.gen(function* () {
      const all = yield* reads.linkage
      const { coverage, linked, metadataExpected, ours, rate, withMetadata } = yield* reads.recentLinkage(
        metadataSources(settings)
      )
      const recent = {
        ours,
        linked,
        rate,
        metadata_expected: metadataExpected,
        with_metadata: withMetadata,
        metadata_coverage: coverage
      }
      return { status: 200, json: { ...all, recent } }
    })
  )

/** What the API needs besides the rows. */
export interface ApiServices {
  readonly settings: Settings
  readonly commands: CommandsService
  readonly reads: ReadStoreService
  readonly market: MarketService
  readonly states: TradingStateStoreService
}

/** The routes of this file. */
export const apiRoutes = ({
  commands,
  market,
  reads,
  settings,
  states
}: ApiServices): ReadonlyArray<Route> => [
  listRoute(reads, wire.listSignals, "signals"),
  itemRoute(wire.getSignal, reads.trace),
  explainRoute(reads),
  listRoute(reads, wire.listOrders, "orders"),
  itemRoute(wire.getOrder, reads.order),
  listRoute(reads, listApprovals, "approvals"),
  listRoute(reads, wire.listFills, "fills"),
  listRoute(reads, wire.listPositions, "positions", pricedPositions(market, settings)),
  listRoute(reads, wire.listAccounts, "accounts"),
  listRoute(reads, wire.listEquity, "equity"),
  listRoute(reads, wire.listCashFlows, "cash_flows"),
  listRoute(reads, wire.listWaves, "waves"),
  listRoute(reads, wire.listExpected, "expected_signals"),
  latencyRoute(reads),
  experimentsRoute(reads),
  strategiesRoute(reads, settings),
  flagsRoute(reads, settings),
  linkageRoute(reads, settings),
  stateRoute(states),
  ...commandRoutes(commands),
  listRoute(reads, wire.listAudit, "audit"),
  listRoute(reads, listDrills, "drills"),
  listRoute(reads, wire.listSettingsChanges, "settings_changes"),
  listRoute(reads, wire.listAlerts, "alerts"),
  listRoute(reads, wire.listBreakers, "circuit_breakers"),
  listRoute(reads, listTransactions, "transactions"),
  listRoute(reads, listResources, "resources"),
  listRoute(reads, listDeadLetters, "dead_letters"),
  listRoute(reads, listRefused, "refused"),
  indexRoute
]

/** The endpoints below `/api/v1`, for callers without the documentation. */
const indexRoute: Route = route(wire.index, () =>
  Effect.succeed({
    status: 200,
    json: {
      items: wire.endpoints.flatMap(({ method, path, query, summary }) =>
        path.startsWith("/api/v1/") ? [{ method, path, summary, filters: filtersOf(query) }] : []
      ),
      next_cursor: null
    }
  })
)

const filtersOf = (query: Endpoint["query"]): ReadonlyArray<string> | null =>
  query === undefined ? null : Object.keys(query.shape).filter((name) => !["limit", "cursor"].includes(name))
