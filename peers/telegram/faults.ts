/**
 * Scripted faults: the ways in which Telegram, or the network before it, fails a bot.
 *
 * Promises: a fault is done `times` times, then it is gone; null: until it is cleared. The first that fits is done.
 * Never: fires by chance.
 */
import { Effect, Result, Schema, SchemaIssue } from "effect"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3_600_000 }))
const optional = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

const Deed = Schema.Union([
  /** Another answer than the usual one. */
  Schema.Struct({
    type: Schema.Literal("refuse"),
    code: Schema.Int.check(Schema.isBetween({ minimum: 400, maximum: 599 })),
    description: optional(Schema.String, "refused by script"),
    retryAfter: optional(Schema.NullOr(Count), null)
  }),
  /** No answer at all; the connection stays. */
  Schema.Struct({ type: Schema.Literal("hang") }),
  /** TCP reset before anything is done. */
  Schema.Struct({ type: Schema.Literal("reset") }),
  /** It is done, and the connection is reset before the answer. */
  Schema.Struct({ type: Schema.Literal("lose_answer") }),
  /** 200 with bytes that are not JSON. */
  Schema.Struct({ type: Schema.Literal("garbage") }),
  /** The usual, later. */
  Schema.Struct({ type: Schema.Literal("delay"), ms: Count })
])
export type Deed = typeof Deed.Type

export const Fault = Schema.Struct({
  /** A method, `webhook` for deliveries (which are not made), or `*` for every method. */
  on: Schema.NonEmptyString,
  times: optional(Schema.NullOr(Count), 1),
  do: Deed
})
export type Fault = typeof Fault.Type

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()
const decode = Schema.decodeUnknownResult(Schema.Array(Fault), { errors: "all", onExcessProperty: "error" })

/** Reads a script; fails with one line per mistake. */
export const readFaults = (value: unknown): Result.Result<ReadonlyArray<Fault>, ReadonlyArray<string>> =>
  Result.mapError(decode(value), ({ issue }) =>
    formatIssues(issue).issues.map(({ message, path }) => `${(path ?? []).map(String).join(".")}: ${message}`)
  )

export class Faults {
  #faults: ReadonlyArray<Fault> = []

  set(faults: ReadonlyArray<Fault>): void {
    this.#faults = faults
  }
  /** The deed for this moment, which counts as done; null: the usual. */
  take(moment: string): Deed | null {
    const at = this.#faults.findIndex(
      ({ on, times }) => times !== 0 && (on === moment || (on === "*" && moment !== "webhook"))
    )
    const fault = this.#faults[at]
    if (fault === undefined) return null
    if (fault.times !== null)
      this.#faults = this.#faults.map((one, index) =>
        index === at ? { ...one, times: (one.times ?? 1) - 1 } : one
      )
    return fault.do
  }
}
