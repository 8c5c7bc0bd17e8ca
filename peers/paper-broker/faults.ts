/**
 * Fault switches: the ways in which a real venue fails, at the flip of a switch.
 *
 * They are what makes a crash-point test possible: the same POST can be answered, lost before the commit, lost after it
 * (K5), answered with nonsense, or never answered. `times` counts down; null stays until the reset.
 *
 * Promises: `take` gives a switched fault to exactly `times` requests; everything is off after a start, because a fault
 * that survives a kill would make every test depend on the one before it.
 * Never: changes what the book does; a fault only changes when and how the response goes out, or that fills wait.
 */
import { Result, Schema } from "effect"
import { venueLimits } from "./options.ts"
import { Refusal, refusalStatus } from "./refusal.ts"

const Ms = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3_600_000 }))

/**
 * `*_before` happens before the book changes, `*_after` once the change is committed. `drop` cuts the connection,
 * `error` answers 500, `garbage` answers 200 with bytes that are not JSON, `penalty` answers 200 with a refusal in it, `delay`
 * waits `delayMs` and goes on.
 */
export const faultModes = [
  "delay_before",
  "delay_after",
  "drop_before",
  "drop_after",
  "error_before",
  "error_after",
  "garbage_after",
  "penalty_before",
  "refuse"
] as const

const RequestFault = Schema.Struct({
  mode: Schema.Literals(faultModes),
  times: Schema.optionalKey(Schema.NullOr(Schema.Int.check(Schema.isGreaterThan(0)))),
  delayMs: Schema.optionalKey(Ms),
  code: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(venueLimits.textLengthMax)))
})
export type RequestFault = typeof RequestFault.Type

const FaultSwitches = Schema.Struct({
  create: Schema.optionalKey(Schema.NullOr(RequestFault)),
  cancel: Schema.optionalKey(Schema.NullOr(RequestFault)),
  read: Schema.optionalKey(Schema.NullOr(RequestFault)),
  /** K6: orders are accepted and stay open. */
  holdFills: Schema.optionalKey(Schema.Boolean),
  /** Into how many trades an order is split. */
  fillParts: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))),
  /** Each fill is sent twice on the stream. */
  fillsTwice: Schema.optionalKey(Schema.Boolean),
  /** Fills that come close together are sent on the stream in reverse. */
  fillsReversed: Schema.optionalKey(Schema.Boolean),
  /** Look-ups of orders do not see an order younger than this. */
  invisibleMs: Schema.optionalKey(Ms),
  /** New streams are refused with this HTTP status (401, 403, 503 ...). */
  streamStatus: Schema.optionalKey(
    Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 400, maximum: 599 })))
  ),
  /** A stream that is open and sends nothing: no hello, no events, no pong. */
  streamSilent: Schema.optionalKey(Schema.Boolean)
})
export type FaultSwitches = typeof FaultSwitches.Type

export type FaultPoint = "create" | "cancel" | "read"

/** Every switch with its value now. */
export interface FaultState {
  readonly create: RequestFault | null
  readonly cancel: RequestFault | null
  readonly read: RequestFault | null
  readonly holdFills: boolean
  readonly fillParts: number
  readonly fillsTwice: boolean
  readonly fillsReversed: boolean
  readonly invisibleMs: number
  readonly streamStatus: number | null
  readonly streamSilent: boolean
}

export interface Faults {
  readonly state: () => FaultState
  /** Changes the switches named in `body` and leaves the others. */
  readonly change: (body: unknown) => Result.Result<FaultState, Refusal>
  readonly reset: () => FaultState
  /** The fault of this request, or null. Counts down. */
  readonly take: (point: FaultPoint) => RequestFault | null
}

const decode = Schema.decodeUnknownResult(FaultSwitches, { errors: "all", onExcessProperty: "error" })

const OFF: FaultState = {
  create: null,
  cancel: null,
  read: null,
  holdFills: false,
  fillParts: 1,
  fillsTwice: false,
  fillsReversed: false,
  invisibleMs: 0,
  streamStatus: null,
  streamSilent: false
}

export const makeFaults = (): Faults => {
  let state = OFF
  return {
    state: () => state,
    change: (body) =>
      Result.match(decode(body), {
        onFailure: (e) => Result.fail(new Refusal({ code: "invalid_request", message: e.message })),
        onSuccess: (switches) => {
          state = { ...state, ...switches }
          return Result.succeed(state)
        }
      }),
    reset: () => (state = OFF),
    take: (point) => {
      const fault = state[point]
      if (fault === null) return null
      const times = fault.times ?? null
      if (times !== null) state = { ...state, [point]: times > 1 ? { ...fault, times: times - 1 } : null }
      return fault
    }
  }
}

/** The refusal a `refuse` fault answers with; codes the venue does not document are allowed on purpose. */
export const refusalOf = (fault: RequestFault): { readonly status: number; readonly code: string } => {
  const code = fault.code ?? "market_closed"
  return { code, status: Object.entries(refusalStatus).find(([known]) => known === code)?.[1] ?? 422 }
}
