/**
 * The paper venue: a trading venue of our own, complete enough to disagree with us.
 *
 * It is a peer, not a part: it has its own tables and its own idea of what happened, it can be killed by itself, and it
 * counts its requests. Embedded in practice mode it runs in holdfast's process and talks over loopback all the same;
 * in tests it is a process that outlives ours.
 *
 * Promises: `startPaperBroker` returns as soon as it listens, even when its database is away (requests get 503 until it
 * is there); everything it starts ends with its scope; a fault of its own loops fails `ended`, never silently.
 * Never: listens beyond loopback, or reads a table outside its schema.
 */
import { Cause, Data, Deferred, Effect, FiberSet, Result, type Scope } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { makeBook } from "./book.ts"
import { type DatabaseAway, makeVenueDatabase } from "./database.ts"
import { makeFaults } from "./faults.ts"
import { type Answer, json, refusalAnswer, write } from "./http-io.ts"
import { makeMatcher } from "./matcher.ts"
import { type PaperBrokerOptions, venueLimits } from "./options.ts"
import { makePrices } from "./prices.ts"
import { makeQueries } from "./queries.ts"
import { route, type RouteParts } from "./routes.ts"
import { makeStreamHub } from "./stream-hub.ts"

export class VenueListenFailed extends Data.TaggedError("VenueListenFailed")<{
  readonly port: number
  /** `EADDRINUSE`, `EACCES` ... */
  readonly code: string
}> {}

/** A loop of the venue died of a bug; whoever owns the venue starts another. */
export class VenueDied extends Data.TaggedError("VenueDied")<{ readonly reason: string }> {}

export type VenueState = "waiting_for_database" | "serving"

export interface PaperBroker {
  readonly port: number
  readonly url: string
  readonly state: () => VenueState
  /** Completes when the database was reached and brought up to date for the first time. */
  readonly serving: Effect.Effect<void>
  /** Never succeeds; fails when the venue cannot go on. */
  readonly ended: Effect.Effect<never, VenueDied>
}

const HOST = "127.0.0.1"

const listen = (server: Server, port: number): Effect.Effect<number, VenueListenFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<number, VenueListenFailed>((resume) => {
      const failed = (error: NodeJS.ErrnoException) =>
        resume(Effect.fail(new VenueListenFailed({ port, code: error.code ?? error.message })))
      server.once("error", failed)
      server.listen(port, HOST, () => {
        server.off("error", failed)
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP listener has an AddressInfo
        resume(Effect.succeed((server.address() as AddressInfo).port))
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Prepares the database, for as long as it takes: a venue without its book reports that. */
const prepareUntilDone = (prepare: Effect.Effect<void, DatabaseAway>): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let retryMs: number = venueLimits.databaseRetryMsFirst; ;) {
      const prepared = yield* Effect.result(prepare)
      if (Result.isSuccess(prepared)) return
      yield* Effect.annotateLogs(Effect.logWarning("paper venue waits for its database"), {
        event: "venue.database.away",
        cause: prepared.failure.why,
        retryMs
      })
      yield* Effect.sleep(retryMs)
      retryMs = Math.min(retryMs * 2, venueLimits.databaseRetryMsMax)
    }
  })

const away: Answer = json(503, { code: "database_away", message: "the venue cannot reach its database" })
const busy: Answer = json(503, { code: "busy", message: "too many requests at once" })

/** One request from its arrival to its response; whatever goes wrong is a response or a log line. */
const serve = (
  parts: RouteParts,
  isServing: () => boolean,
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<void> => {
  const open = isServing() || request.url === "/health" || request.url?.startsWith("/admin/faults") === true
  const handled = open ? route(parts, request, response) : Effect.succeed(away)
  return handled.pipe(
    Effect.catchTags({
      Refusal: (refusal) => Effect.succeed(refusalAnswer(refusal)),
      DatabaseAway: ({ why }) =>
        Effect.as(
          Effect.annotateLogs(Effect.logWarning("paper venue lost its database"), {
            event: "venue.database.lost",
            cause: why
          }),
          away
        )
    }),
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) =>
        Effect.as(
          Effect.annotateLogs(Effect.logError("paper venue failed at a request", cause), {
            event: "venue.fault"
          }),
          json(500, { code: "internal_error", message: "the venue has a bug" })
        )
    ),
    Effect.flatMap((answer) => write(response, answer))
  )
}

const makeParts = (options: PaperBrokerOptions, state: () => VenueState) =>
  Effect.gen(function* () {
    const database = yield* makeVenueDatabase(options)
    const faults = makeFaults()
    const hub = makeStreamHub(options.venue, faults)
    const prices = makePrices(database, options.seed)
    const book = makeBook(database, options)
    const queries = makeQueries(database, options)
    const matcher = yield* makeMatcher({ book, queries, prices, faults, hub })
    const health = () => ({ venue: options.venue, rule: options.rule, state: state(), streams: hub.count() })
    return { database, faults, hub, prices, book, queries, matcher, health }
  })

/** Starts a venue. It listens when this returns, and ends with the scope. */
export const startPaperBroker = (
  options: PaperBrokerOptions
): Effect.Effect<PaperBroker, VenueListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    let state: VenueState = "waiting_for_database"
    const serving = yield* Deferred.make<void>()
    const ended = yield* Deferred.make<never, VenueDied>()
    const parts = yield* makeParts(options, () => state)
    let inFlight = 0
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    const forkRead = yield* FiberSet.makeRuntimePromise<
      never,
      { readonly lastSequence: string | null } | null,
      never
    >()

    const server = createServer((request, response) => {
      if (inFlight >= venueLimits.requestsInFlightMax) return void fork(write(response, busy))
      inFlight += 1
      const done = Effect.sync(() => void (inFlight -= 1))
      fork(
        Effect.ensuring(
          serve(parts, () => state === "serving", request, response),
          done
        )
      )
    })
    server.keepAliveTimeout = venueLimits.idleConnectionMsMax
    const hello = parts.queries.lastSequence.pipe(
      Effect.map((lastSequence) => ({ lastSequence })),
      Effect.catchTag("DatabaseAway", () => Effect.succeed(null))
    )
    server.on("upgrade", (request: IncomingMessage, socket, head) => {
      if (request.url !== "/stream")
        return void socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
      parts.hub.accept(request, socket, head, () =>
        forkRead(state === "serving" ? hello : Effect.succeed(null))
      )
    })
    const port = yield* listen(server, options.port)
    // After the listener, so before its end: a listener waits for its streams.
    yield* Effect.addFinalizer(() => Effect.sync(() => parts.hub.shutdown()))

    const life = Effect.gen(function* () {
      yield* prepareUntilDone(Effect.andThen(parts.database.prepare, parts.prices.load))
      state = "serving"
      yield* Effect.annotateLogs(Effect.logInfo("paper venue reached its database"), {
        event: "venue.database.ready",
        port
      })
      yield* Deferred.succeed(serving, undefined)
      return yield* parts.matcher.run
    }).pipe(
      Effect.tapCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Deferred.fail(ended, new VenueDied({ reason: Cause.pretty(cause) }))
      )
    )
    yield* Effect.forkScoped(life)
    return {
      port,
      url: `http://${HOST}:${port}`,
      state: () => state,
      serving: Deferred.await(serving),
      ended: Deferred.await(ended)
    }
  })
