/**
 * From a valid body to the row that is stored for it.
 *
 * The intake handler, and later the spool and the feeds, must write the same row for the same post; so the mapping is
 * here once, and it is pure.
 *
 * Promises: a signal over age becomes a `rejected` row with its reason, never an error (it is stored, T3); a
 * timestamp of the future is an error, because no later moment makes it right; metadata has no trading fields.
 * Never: reads a clock.
 */
import { Result } from "effect"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { ageVerdict, bucketKey, expiresFromMs, type Identity } from "../../domain/signals/identity.ts"
import type { IntakeBody } from "../../domain/signals/intake-body.ts"
import { plainTerms, termsOf } from "../../domain/signals/order-type.ts"
import { engineOf, takersOf } from "../../domain/signals/routing.ts"
import { instrumentName } from "../../domain/kernel/symbol-map.ts"
import { ageLimits, intakeLimits } from "../../domain/kernel/limits-signals.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { IntakeAnswer, IntakeRow } from "./intake-store.port.ts"

export interface IntakePost {
  readonly source: string
  readonly parsed: IntakeBody
  readonly identity: Identity
  /** What its fields were made of, where its source maps them. */
  readonly mapped?: Readonly<Record<string, string>> | null
  readonly requestId: string
  /** What its age is judged by. */
  readonly nowMs: number
  /** When it came, which its time bucket is of; `nowMs` where that is now. */
  readonly cameAtMs?: number
}

/** Reason of a row that was too old on arrival. */
export const TOO_OLD = "too_old"

/** The experiment a signal belongs to: the strategy that will decide it first, and the engine it decides with. */
export interface Experiment {
  readonly experimentId: string | null
  readonly variant: string | null
}

/** The first strategy that takes it. None does: no experiment; the signal is stored, and its decision records why. */
export const experimentOf = (
  settings: Pick<Settings, "mode" | "strategies" | "symbols">,
  source: string,
  signal: { readonly id: string; readonly strategy: string | null; readonly symbol: string }
): Experiment => {
  const [first] = takersOf(settings.strategies, source, signal.strategy)
  if (first === undefined) return { experimentId: null, variant: null }
  const [name, { engine }] = first
  // What a symbol means matters only where signals are split, which most are not.
  const symbol = engine === "split" ? instrumentName(signal.symbol, settings) : signal.symbol
  return { experimentId: name, variant: engineOf(first, { id: signal.id, symbol }) }
}

const answerOf = (post: IntakePost, experiment: Experiment): IntakeAnswer => ({
  status: "ACCEPTED",
  signal_id: post.identity.signalId,
  experiment_id: experiment.experimentId,
  variant: experiment.variant,
  request_id: post.requestId
})

/** The buckets on both sides; none for an identity that is not a bucket. */
const neighboursOf = ({ identity, nowMs, cameAtMs = nowMs }: IntakePost): ReadonlyArray<string> =>
  identity.previous === null
    ? []
    : [identity.previous.key, bucketKey(identity.bodyHash, cameAtMs + intakeLimits.identityBucketMs)]

const rowOf = (post: IntakePost, experiment: Experiment) => ({
  id: post.identity.signalId,
  source: post.source,
  identity: post.identity.key,
  identityKind: post.identity.kind,
  neighbourIdentities: neighboursOf(post),
  bucketAtMs: post.identity.previous === null ? undefined : (post.cameAtMs ?? post.nowMs),
  bodyHash: post.identity.bodyHash,
  body: JSON.stringify(post.parsed.body),
  mapped: post.mapped === undefined || post.mapped === null ? null : JSON.stringify(post.mapped),
  requestId: post.requestId,
  experimentId: experiment.experimentId,
  variant: experiment.variant,
  answer: answerOf(post, experiment)
})

const fromTheFuture: FieldError = {
  path: "timestamp",
  message: `must not be more than ${ageLimits.clockSkewMsMax / 1_000} s in the future`
}

/** The row of a post, or what is wrong with its time. */
export const intakeRow = (
  settings: Settings,
  post: IntakePost
): Result.Result<IntakeRow, ReadonlyArray<FieldError>> => {
  const { parsed } = post
  if (parsed.kind === "metadata") {
    return Result.succeed({
      ...rowOf(post, { experimentId: null, variant: null }),
      kind: "metadata",
      symbol: parsed.metadata.pair,
      action: null,
      direction: null,
      timeframe: null,
      firedAtMs: parsed.metadata.firedAtMs,
      expiresFromMs: null,
      quantity: null,
      price: null,
      strategy: null,
      strike: null,
      expiration: null,
      intent: null,
      positionSize: null,
      marketPosition: null,
      prevMarketPosition: null,
      marketPositionSize: null,
      ...plainTerms,
      status: "received",
      reason: null
    })
  }
  const { signal } = parsed
  const source = settings.sources[post.source]
  const timestampIs = source?.timestampIs ?? "fired"
  const verdict = ageVerdict(
    signal,
    timestampIs,
    post.nowMs,
    source?.ageMaxMs ?? ageLimits.signalAgeMsDefault
  )
  if (verdict === "from_the_future") {
    return Result.fail([fromTheFuture])
  }
  return Result.succeed({
    ...rowOf(post, experimentOf(settings, post.source, { ...signal, id: post.identity.signalId })),
    kind: "signal",
    symbol: signal.symbol,
    action: signal.action,
    direction: signal.direction,
    timeframe: signal.timeframe,
    firedAtMs: signal.firedAtMs,
    expiresFromMs: expiresFromMs(signal, timestampIs),
    quantity: signal.quantity,
    price: signal.price,
    strategy: signal.strategy,
    strike: signal.strike,
    expiration: signal.expiration,
    intent: signal.intent,
    positionSize: signal.positionSize,
    marketPosition: signal.marketPosition,
    prevMarketPosition: signal.prevMarketPosition,
    marketPositionSize: signal.marketPositionSize,
    ...termsOf(signal),
    status: verdict === "too_old" ? "rejected" : "received",
    reason: verdict === "too_old" ? TOO_OLD : null
  })
}
