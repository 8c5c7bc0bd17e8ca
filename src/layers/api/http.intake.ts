/**
 * The intake: one plain handler from the bytes of a post to its durable response.
 *
 * It comes before the routes and uses no fiber per request, because this is the path whose speed and whose
 * order of checks matter: refusals come before expensive work, and nothing after the commit can fail.
 * Order: stopping -> form of the request -> size -> authentication -> rate -> JSON -> fields -> identity -> store.
 *
 * Promises: 2xx is sent only after the commit, or the fsync of the spool; every refusal names what to fix, except 401, which reveals nothing; a post of an
 * authenticated sender that is refused is handed over to be kept (T12), and `refused_id` is sent only for a row that is stored; a
 * post is answered within the commit deadline and that of the spool, a refused one within `refusedLimits.answerMsMax` more; a sender that hangs up
 * changes nothing for the others.
 * Never: waits for trading, stores a secret, or answers from anything but the store's result.
 * Failure: a database that is away or slow leaves a post to the spool (202); a spool that cannot take it, and more bodies than memory is reserved for, are 503 with Retry-After; a post the store cannot process is 500.
 */
import { answerJson, elapsedMs, type Exchange, refuse, retryAfter } from "./http.exchange.ts"
import { Clock, Context, Effect, Layer, Result } from "effect"
import type { JsonValue } from "../../domain/kernel/canonical-json.ts"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { readJson } from "../../domain/kernel/json-reader.ts"
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import { refusedLimits } from "../../domain/kernel/limits-kept.ts"
import type { RefusalReason } from "../../domain/intake/refused-post.ts"
import type { Settings, SourceSettings } from "../../domain/kernel/settings.ts"
import { Config } from "../platform/config.port.ts"
import { Metrics, type MetricsService } from "../platform/metrics.port.ts"
import { type Networks, proxiesOf } from "../platform/networks.node.ts"
import { gateOf, isBodySecret, judgeHeaders } from "./http.authentication.ts"
import {
  type BodyRead,
  type BodyRoom,
  declaredLength,
  makeBodyRoom,
  readBody,
  refuseUnread
} from "./http.body.ts"
import { callerOf, senderAddress } from "./http.caller.ts"
import { guarded, type Handling } from "./http.front.ts"
import { makeRateGate, type RateGate } from "./http.rate-limit.ts"
import { IntakeQueue, type IntakeQueueService, type PostResult } from "../intake/intake-queue.port.ts"
import { KeptPosts, type KeptPostsService } from "../intake/kept-posts.port.ts"
import { readPost, withoutSourceSecret } from "../signals/intake-reading.wire.ts"
import { intakeRow } from "../signals/intake-row.ts"
import { type IntakeAnswer, IntakeStore, type IntakeStoreService } from "../signals/intake-store.port.ts"
import { Lifecycle, type LifecycleService } from "../platform/lifecycle.port.ts"

export interface HttpIntakeService {
  /** `POST /webhook/:source`. `source` is decoded from the path and may be unknown. */
  readonly post: (exchange: Exchange, source: string, handling: Handling) => void
  /** Posts of a source that wait for their turn. */
  readonly waiting: (source: string) => number
  /** `GET /webhook/test`: ok only when a post would be accepted now. */
  readonly test: (exchange: Exchange) => void
}

export class HttpIntake extends Context.Service<HttpIntake, HttpIntakeService>()(
  "holdfast/layers/HttpIntake"
) {
  static readonly layer: Layer.Layer<
    HttpIntake,
    never,
    Config | IntakeQueue | IntakeStore | KeptPosts | Lifecycle | Metrics
  > = Layer.effect(
    HttpIntake,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const settings = yield* Config
      return makeIntake({
        settings,
        isProxy: proxiesOf(settings),
        queue: yield* IntakeQueue,
        store: yield* IntakeStore,
        kept: yield* KeptPosts,
        lifecycle: yield* Lifecycle,
        metrics: yield* Metrics,
        room: makeBodyRoom(intakeLimits.readingBytesMax),
        rates: makeRateGate(),
        nowMs: () => clock.currentTimeMillisUnsafe(),
        monotonicMs: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
      })
    })
  )
}

interface Parts {
  readonly settings: Settings
  readonly isProxy: Networks | null
  readonly queue: IntakeQueueService
  readonly store: IntakeStoreService
  readonly kept: KeptPostsService
  readonly lifecycle: LifecycleService
  readonly metrics: MetricsService
  readonly room: BodyRoom
  readonly rates: RateGate
  /** Epoch milliseconds. */
  readonly nowMs: () => number
  /** Never goes back: a clock that is set must neither lock a sender out nor let a burst pass. */
  readonly monotonicMs: () => number
}

const utf8 = /^(utf-?8|us-ascii)$/i

/** A header that is present and empty counts as absent: some senders write every header they know. */
const nonEmpty = (header: string | undefined): string | undefined => {
  const text = header?.trim()
  return text === "" ? undefined : text
}

/** JSON comes as application/json from most senders and as text/plain from TradingView when its text is not JSON to it. */
const isAcceptedType = (contentType: string | undefined): boolean => {
  if (contentType === undefined) return true
  const [type = "", ...parameters] = contentType.split(";").map((part) => part.trim())
  if (!/^(application\/([a-z0-9.+-]+\+)?json|text\/plain)$/i.test(type)) return false
  const charset = parameters
    .map((part) => /^charset="?([^"]*)"?$/i.exec(part)?.[1])
    .find((name) => name !== undefined)
  return charset === undefined || charset === "" || utf8.test(charset)
}

/** What is wrong with the form of a request, by its headers alone. */
export const refuseForm = (exchange: Exchange): FieldError | undefined => {
  const { headers } = exchange.request
  const encoding = nonEmpty(headers["content-encoding"])
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    return { path: "headers.content-encoding", message: "must be absent: compressed bodies are not accepted" }
  }
  return isAcceptedType(nonEmpty(headers["content-type"]))
    ? undefined
    : { path: "headers.content-type", message: "must be application/json or text/plain, in UTF-8" }
}

const tooLarge = { errors: [{ path: "", message: `must be at most ${intakeLimits.bodyBytesMax} bytes` }] }

/** One header that may name an event; a repeated one is joined by Node and judged as it is. */
const header = (exchange: Exchange, name: string): string | undefined => {
  const value = exchange.request.headers[name]
  return typeof value === "string" ? value : undefined
}

/** The post of an authenticated sender, with the body as received and as parsed. */
interface Authenticated {
  readonly source: string
  readonly body: Buffer
  readonly json: JsonValue | undefined
}

/** Refuses a post of an authenticated sender and has it kept. The response waits briefly for the row, to name it. */
const refuseKept = (
  parts: Parts,
  exchange: Exchange,
  { body, json, source }: Authenticated,
  refused: {
    readonly status: 400 | 409
    readonly reason: RefusalReason
    readonly errors?: ReadonlyArray<FieldError>
    readonly signalId?: string
  }
): void => {
  const { errors = [], reason, signalId = null, status } = refused
  exchange.refusal = reason
  let isAnswered = false
  const answer = (id: string | null): void => {
    clearTimeout(timer)
    if (isAnswered) return
    isAnswered = true
    refuse(exchange, status, {
      ...(signalId === null ? { errors } : { signal_id: signalId }),
      ...(id === null ? {} : { refused_id: id })
    })
  }
  // Nothing is stored while the database is away, so the response does not wait then.
  const waitMs = parts.store.available() ? refusedLimits.answerMsMax : 0
  const timer = setTimeout(() => answer(null), waitMs)
  parts.kept.keep(
    {
      source,
      reason,
      answered: status,
      errors,
      bytes: body,
      json,
      webhookId: header(exchange, "webhook-id") ?? null,
      idempotencyKey: header(exchange, "idempotency-key") ?? null,
      requestId: exchange.requestId,
      address: senderAddress(exchange.request, parts.isProxy),
      signalId
    },
    answer
  )
}

/** A post rebuilt from its row: while it waits for its commit, neither its bytes nor its parsed values are held. */
const readAgain = (source: string, text: string): Authenticated => {
  const body = Buffer.from(text)
  return { source, body, json: Result.getOrUndefined(readJson(body)) }
}

/** The response to each result of the queue: the intake's whole truth table in one place. */
const answerResult = (
  exchange: Exchange,
  result: PostResult,
  accepted: IntakeAnswer,
  conflict: (signalId: string) => void
): void => {
  // Measured now: what a sender waits for is the commit.
  const timed = (answer: IntakeAnswer) => ({ ...answer, processing_time_ms: elapsedMs(exchange) })
  switch (result._tag) {
    case "Stored":
      answerJson(exchange, 201, timed(accepted))
      return
    case "Duplicate":
      answerJson(exchange, 200, { ...timed(result.answer), status: "DUPLICATE" })
      return
    case "Conflict":
      conflict(result.signalId)
      return
    case "Spooled":
      answerJson(exchange, 202, {
        status: "SPOOLED",
        signal_id: accepted.signal_id,
        request_id: exchange.requestId
      })
      return
    case "Late":
    case "Unavailable":
      refuse(exchange, 503, {}, retryAfter)
      return
    case "Broken":
      refuse(exchange, 500)
      return
  }
}

/** An authenticated body to a row, or the errors of the body. */
const takeBody = (
  parts: Parts,
  exchange: Exchange,
  post: Authenticated,
  settings: SourceSettings,
  json: JsonValue
): void => {
  const { source } = post
  const nowMs = parts.nowMs()
  const headers = {
    webhookId: header(exchange, "webhook-id"),
    idempotencyKey: header(exchange, "idempotency-key")
  }
  const read = readPost({ source, settings, json, headers, cameAtMs: nowMs })
  if (Result.isFailure(read)) {
    refuseKept(parts, exchange, post, { status: 400, reason: "invalid", errors: read.failure })
    return
  }
  const row = intakeRow(parts.settings, {
    source,
    ...read.success,
    requestId: exchange.requestId,
    nowMs
  })
  if (Result.isFailure(row)) {
    refuseKept(parts, exchange, post, { status: 400, reason: "invalid", errors: row.failure })
    return
  }
  // The queue itself counts what it refuses.
  const taken = parts.queue.submit(row.success, (result) =>
    answerResult(exchange, result, row.success.answer, (signalId) =>
      refuseKept(parts, exchange, readAgain(source, row.success.body), {
        status: 409,
        reason: "conflict",
        signalId
      })
    )
  )
  if (!taken) refuse(exchange, 503, {}, retryAfter)
}

/** What may be reported to an authenticated sender. */
const judgeBody = (
  parts: Parts,
  exchange: Exchange,
  post: Authenticated,
  settings: SourceSettings,
  json: ReturnType<typeof readJson>
): void => {
  if (Result.isSuccess(json)) return takeBody(parts, exchange, post, settings, json.success)
  const { message, path } = json.failure
  return refuseKept(parts, exchange, post, { status: 400, reason: "not_json", errors: [{ path, message }] })
}

/** It stops while a post waits for its turn. */
const refuseStopping = (parts: Parts, exchange: Exchange): void => {
  parts.metrics.postRefused("stopping")
  refuse(exchange, 503, {}, { ...retryAfter, connection: "close" })
}

/** The body is complete: authentication first, then the rate, then the body. */
const judge = (
  parts: Parts,
  exchange: Exchange,
  handling: Handling,
  source: string,
  settings: SourceSettings,
  body: Buffer
): void => {
  const nowMs = parts.nowMs()
  const gate = gateOf(settings, parts.settings.secrets)
  const address = senderAddress(exchange.request, parts.isProxy)
  const credential = judgeHeaders(gate, parts.settings, {
    ...callerOf(exchange.request),
    address,
    body,
    nowMs
  })
  if (credential === "refused") {
    refuse(exchange, 401)
    return
  }
  const read = readJson(body)
  if (credential === "body" && !isBodySecret(gate, Result.getOrUndefined(read))) {
    refuse(exchange, 401)
    return
  }
  // From here on nobody sees the secret of the sender.
  const json = Result.map(read, (value) => withoutSourceSecret(settings, value))
  const post = { source, body, json: Result.getOrUndefined(json) }
  if (settings.rateLimit === null) {
    judgeBody(parts, exchange, post, settings, json)
    return
  }
  const rated = { exchange, source, sender: address, nowMs: parts.monotonicMs() }
  parts.rates.admit(rated, settings.rateLimit, () =>
    guarded(exchange, handling, () => {
      if (parts.lifecycle.stopping()) refuseStopping(parts, exchange)
      else judgeBody(parts, exchange, post, settings, json)
    })
  )
}

const makeIntake = (parts: Parts): HttpIntakeService => ({
  waiting: parts.rates.waiting,
  post: (exchange, source, handling) => {
    const { expectsContinue } = handling
    const { sources } = parts.settings
    const settings = Object.hasOwn(sources, source) ? sources[source] : undefined
    if (settings === undefined) return refuseUnread(exchange, 404, {}, {}, expectsContinue)
    if (parts.lifecycle.stopping()) {
      parts.metrics.postRefused("stopping")
      return refuseUnread(exchange, 503, {}, { ...retryAfter, connection: "close" }, expectsContinue)
    }
    const form = refuseForm(exchange)
    if (form !== undefined) return refuseUnread(exchange, 415, { errors: [form] }, {}, expectsContinue)
    const declared = declaredLength(exchange)
    if (declared !== undefined && declared > intakeLimits.bodyBytesMax) {
      return refuseUnread(exchange, 413, tooLarge, {}, expectsContinue)
    }
    // Sent only now: a sender that waits for 100 learns of a refusal before it sends the body.
    if (expectsContinue) exchange.response.writeContinue()
    const then = (body: BodyRead): void => {
      if (body === "gone") exchange.response.destroy()
      else if (body === "too_large") refuseUnread(exchange, 413, tooLarge)
      else if (body === "too_slow") refuseUnread(exchange, 408, {}, { connection: "close" })
      else if (body === "no_room") {
        parts.metrics.postRefused("reading")
        refuseUnread(exchange, 503, {}, retryAfter)
      } else guarded(exchange, handling, () => judge(parts, exchange, handling, source, settings, body))
    }
    return readBody(exchange, intakeLimits.bodyBytesMax, then, parts.room)
  },
  test: (exchange) => {
    const accepts = parts.lifecycle.stopping() ? "refuse" : parts.queue.accepts()
    if (accepts === "refuse") refuse(exchange, 503, {}, retryAfter)
    else {
      answerJson(exchange, 200, {
        status: "ok",
        message:
          accepts === "store"
            ? "posts are accepted and stored"
            : "posts are accepted and spooled until the database takes them",
        timestamp: new Date(parts.nowMs()).toISOString(),
        request_id: exchange.requestId
      })
    }
  }
})
