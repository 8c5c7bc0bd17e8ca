/**
 * The routes of sources: what each is set to and has sent, and what would be made of a post.
 *
 * An operator who writes an alert must not have to place an order to learn how it is read. So a post is tried: it goes through the
 * gate, the mapping, the reader and the row of the intake itself, and ends before the store. The caller has the token, so here, and
 * only here, each check of the authentication is named.
 *
 * Promises: what is answered is what the intake would make of the same bytes and headers now; nothing is stored, counted against a
 * rate or alerted.
 * Never: shows a secret, or takes a caller without the token.
 * Failure: that of the routes; a body over the size of a post is 413.
 */
import { Effect, Result } from "effect"
import type { JsonValue } from "../../domain/kernel/canonical-json.ts"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { readJson } from "../../domain/kernel/json-reader.ts"
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import { describeSource } from "../../domain/kernel/settings-shown.ts"
import type { Settings, SourceSettings } from "../../domain/kernel/settings.ts"
import { meaningOf } from "../../domain/kernel/symbol-map.ts"
import { ageOf, ageVerdict } from "../../domain/signals/identity.ts"
import { takersOf } from "../../domain/signals/routing.ts"
import * as wire from "../../wire/sources.ts"
import { networkProblem, type Networks } from "../platform/networks.node.ts"
import { snapshotOf } from "../platform/config.port.ts"
import { type ReadPost, readPost, withoutSourceSecret } from "../signals/intake-reading.wire.ts"
import { intakeRow } from "../signals/intake-row.ts"
import { explain, gateOf } from "./http.authentication.ts"
import { readBody, refuseUnread } from "./http.body.ts"
import { callerOf, oneHeader, senderAddress } from "./http.caller.ts"
import { answerJson, type Exchange, refusalWords, refuse } from "./http.exchange.ts"
import { guarded, type Handling } from "./http.front.ts"
import { type JsonOf, type Route, route } from "./http.route.ts"
import type { SourceCounts } from "./source-counts.ts"

export interface SourceParts {
  /** May be a view of live settings. */
  readonly settings: Settings
  readonly isProxy: Networks | null
  readonly counts: SourceCounts
  readonly waiting: (source: string) => number
  readonly nowMs: () => number
  /** What is wrong with the form of a request, by its headers. */
  readonly formFault: (exchange: Exchange) => FieldError | undefined
}

const statusOf = (
  { counts, waiting }: SourceParts,
  settings: Settings,
  name: string,
  source: SourceSettings
) => {
  const { accepted, duplicate, lastAddress, lastAnswer, lastAtMs, refused } = counts.of(name)
  return {
    name,
    settings: describeSource(source, settings.secrets),
    strategies: takersOf(settings.strategies, name, null).map(([strategy]) => strategy),
    posts: {
      since: isoOf(counts.sinceMs),
      accepted,
      duplicate,
      refused,
      waiting: waiting(name),
      last_at: lastAtMs === null ? null : isoOf(lastAtMs),
      last_answer: lastAnswer,
      last_address: lastAddress
    }
  }
}

type Tried = JsonOf<(typeof wire.trySource)["answers"][200]>

const instrumentOf = (settings: Settings, symbol: string): NonNullable<Tried["instrument"]> => {
  const meaning = meaningOf(symbol, settings)
  return meaning._tag === "Means"
    ? { symbol: meaning.symbol, how: meaning.how, message: null }
    : { symbol: null, how: "refused", message: meaning.hint }
}

const nothing = {
  kind: null,
  signal: null,
  mapped: null,
  instrument: null,
  identity: null,
  age: null,
  strategies: []
} as const

/** What a post that can be read is. */
const readingOf = (
  settings: Settings,
  name: string,
  source: SourceSettings,
  { identity, mapped, parsed }: ReadPost,
  nowMs: number
): Omit<Tried, "source" | "answer" | "authentication" | "problems"> => {
  const named = {
    kind: identity.kind,
    key: identity.key,
    body_hash: identity.bodyHash,
    signal_id: identity.signalId
  }
  if (parsed.kind === "metadata") return { ...nothing, kind: "metadata", identity: named }
  const { signal } = parsed
  const { timestampIs } = source
  return {
    kind: "signal",
    signal: {
      symbol: signal.symbol,
      action: signal.action,
      direction: signal.direction,
      timeframe: signal.timeframe,
      quantity: signal.quantity,
      price: signal.price,
      strategy: signal.strategy,
      strike: signal.strike,
      expiration: signal.expiration,
      intent: signal.intent,
      position_size: signal.positionSize,
      market_position: signal.marketPosition,
      prev_market_position: signal.prevMarketPosition,
      market_position_size: signal.marketPositionSize,
      order_type: signal.orderType,
      limit_price: signal.limitPrice,
      stop_price: signal.stopPrice,
      time_in_force: signal.timeInForce
    },
    mapped,
    instrument: instrumentOf(settings, signal.symbol),
    identity: named,
    age: {
      timestamp_is: timestampIs,
      fired_at: isoOf(signal.firedAtMs),
      ms: ageOf(signal, timestampIs, nowMs),
      ms_max: source.ageMaxMs,
      verdict: ageVerdict(signal, timestampIs, nowMs, source.ageMaxMs)
    },
    strategies: takersOf(settings.strategies, name, signal.strategy).map(([strategy]) => strategy)
  }
}

/** What a signal that is stored would be rejected or ignored for. */
const remarksOf = (
  settings: Settings,
  name: string,
  tried: Pick<Tried, "age" | "instrument" | "kind" | "signal" | "strategies">
): ReadonlyArray<FieldError> => {
  if (tried.kind !== "signal") return []
  const named = tried.signal?.strategy ?? null
  const takers = takersOf(settings.strategies, name, null).map(([strategy]) => strategy)
  return [
    ...(tried.age?.verdict === "too_old"
      ? [
          {
            path: "timestamp",
            message: `is too old: it would be stored and not traded. ${tried.age.timestamp_is === "fired" ? 'If it is the time of a bar, set "timestampIs" to "bar"' : "The age counts from the end of the bar"}`
          }
        ]
      : []),
    ...(tried.instrument?.how === "refused"
      ? [{ path: "symbol", message: `would be denied: ${tried.instrument.message ?? ""}` }]
      : []),
    ...(takers.length === 0
      ? [{ path: "", message: `no strategy takes the source ${name}: add it to "sources" of one` }]
      : tried.strategies.length === 0
        ? [
            {
              path: "strategy",
              message: `${named ?? ""} does not take this source, which is taken by ${takers.join(", ")}; where it is a name of the sender's, set "fields": {"strategy": null}`
            }
          ]
        : [])
  ]
}

const judged = (
  parts: SourceParts,
  exchange: Exchange,
  settings: Settings,
  name: string,
  source: SourceSettings,
  json: Result.Result<JsonValue, FieldError>
) => {
  if (Result.isFailure(json))
    return { ...nothing, problems: [{ path: json.failure.path, message: json.failure.message }] }
  const nowMs = parts.nowMs()
  const { headers } = exchange.request
  const read = readPost({
    source: name,
    settings: source,
    json: json.success,
    headers: {
      webhookId: oneHeader(headers["webhook-id"]),
      idempotencyKey: oneHeader(headers["idempotency-key"])
    },
    cameAtMs: nowMs
  })
  if (Result.isFailure(read)) return { ...nothing, problems: read.failure }
  const reading = readingOf(settings, name, source, read.success, nowMs)
  const row = intakeRow(settings, { source: name, ...read.success, requestId: exchange.requestId, nowMs })
  return Result.isFailure(row)
    ? { ...reading, problems: row.failure }
    : { ...reading, problems: [], remarks: remarksOf(settings, name, reading) }
}

const answerOf = (passes: boolean, form: FieldError | undefined, isRefused: boolean): Tried["answer"] => {
  const refused = (status: 400 | 401 | 415) => ({ status, word: refusalWords[status] })
  if (form !== undefined) return refused(415)
  if (!passes) return refused(401)
  return isRefused ? refused(400) : { status: 201, word: "ACCEPTED" }
}

const tryPost = (
  parts: SourceParts,
  exchange: Exchange,
  name: string,
  source: SourceSettings,
  body: Buffer,
  address: string
): Tried => {
  const settings = snapshotOf(parts.settings)
  const gate = gateOf(source, settings.secrets)
  const read = readJson(body)
  // The caller's own credentials would make it a page or a proxy, which no sender is.
  const caller = { ...callerOf(exchange.request), address, body, nowMs: parts.nowMs() }
  const authentication = explain(gate, settings, caller, Result.getOrUndefined(read))
  const json = Result.map(read, (value) => withoutSourceSecret(source, value))
  const form = parts.formFault(exchange)
  const { problems, ...found } = judged(parts, exchange, settings, name, source, json)
  const { remarks = [], ...tried } = { remarks: undefined, ...found }
  return {
    source: name,
    answer: answerOf(authentication.passes, form, problems.length > 0),
    authentication,
    ...tried,
    problems: [...(form === undefined ? [] : [form]), ...problems, ...remarks]
  }
}

const sourceNameOf = (path: string): string | null => {
  try {
    return decodeURIComponent(path.slice("/webhook/".length, -"/try".length))
  } catch {
    return null
  }
}

/** Tries the post of an exchange whose caller has the token. */
const handleTry = (parts: SourceParts, exchange: Exchange, handling: Handling): void => {
  const name = sourceNameOf(exchange.path) ?? ""
  const { sources } = parts.settings
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined
  if (source === undefined) return refuseUnread(exchange, 404, {}, {}, handling.expectsContinue)
  const given = new URLSearchParams(exchange.query).get("address")
  if (given !== null && (given.includes("/") || networkProblem(given) !== null)) {
    const errors = [{ path: "query.address", message: "must be an address such as 52.89.214.238" }]
    return refuseUnread(exchange, 400, { errors }, {}, handling.expectsContinue)
  }
  const address = given ?? senderAddress(exchange.request, parts.isProxy)
  if (handling.expectsContinue) exchange.response.writeContinue()
  return readBody(exchange, intakeLimits.bodyBytesMax, (body) => {
    if (body === "gone") exchange.response.destroy()
    else if (body === "too_large") refuseUnread(exchange, 413)
    else if (body === "too_slow") refuseUnread(exchange, 408, {}, { connection: "close" })
    else if (body === "no_room") refuse(exchange, 503)
    else
      guarded(exchange, handling, () =>
        answerJson(exchange, 200, tryPost(parts, exchange, name, source, body, address))
      )
  })
}

/** The path of a post that is tried: the one below the webhook that takes the token of the API. */
export const isTryPath = (path: string): boolean => /^\/webhook\/[^/]+\/try$/.test(path)

/** The routes of this file. */
export const sourceRoutes = (parts: SourceParts): ReadonlyArray<Route> => [
  route(wire.listSources, () =>
    Effect.sync(() => {
      const settings = snapshotOf(parts.settings)
      const items = Object.entries(settings.sources).map(([name, source]) =>
        statusOf(parts, settings, name, source)
      )
      return { status: 200, json: { items, next_cursor: null } }
    })
  ),
  {
    endpoint: wire.trySource,
    deadlineMs: intakeLimits.bodyReadMsMax,
    // Its body is that of a sender, which need not be JSON, and is read as the intake reads one.
    handle: () => Effect.die("it is answered as a stream"),
    stream: (exchange, handling) => {
      handleTry(parts, exchange, handling)
      return true
    }
  }
]
