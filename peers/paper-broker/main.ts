/**
 * The paper venue as a program: `node peers/paper-broker/main.ts --database-url URL [--port P] [--schema S] [--rule U|R|O|N]
 * [--seed N] [--venue NAME] [--cash AMOUNT] [--fees JSON]`; each option may also be the variable PAPER_BROKER_DATABASE_URL and so on.
 *
 * Its log is one JSON object per line on standard output; the line with `"event":"venue.listening"` names the port.
 *
 * Promises: exit status 78 for a wrong option, 69 when it cannot listen, 70 when it dies of a bug, 0 when it was asked
 * to stop; it starts without its database and waits for it.
 * Never: listens beyond loopback.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Data, Effect, Logger, Redacted, Result, Runtime, Schema } from "effect"
import { parseArgs } from "node:util"
import { plainInstruments } from "../../src/domain/kernel/instruments.ts"
import { feeOf } from "../../src/domain/kernel/venue-fee.ts"
import { type PaperBrokerOptions, venueDefaults } from "./options.ts"
import { startPaperBroker } from "./venue.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly exit: number; readonly reason: string }> {
  override readonly [Runtime.errorExitCode] = this.exit
  override readonly [Runtime.errorReported] = false
}

const PortText = Schema.NumberFromString.check(
  Schema.isInt(),
  Schema.isBetween({ minimum: 0, maximum: 65_535 })
)
const SeedText = Schema.NumberFromString.check(Schema.isInt())

const AmountText = Schema.String.check(
  Schema.isPattern(/^\d{1,15}(\.\d{1,18})?$/, { message: "must be a decimal string" })
)
const Fee = Schema.Struct({ perUnit: AmountText, pct: AmountText, minimum: AmountText })
/** As `fees` of a broker in the settings of holdfast, with every field. */
const FeesText = Schema.fromJsonString(
  Schema.Struct({
    equity: Schema.optionalKey(Fee),
    option: Schema.optionalKey(Fee),
    future: Schema.optionalKey(Fee),
    crypto: Schema.optionalKey(Fee),
    fx: Schema.optionalKey(Fee)
  })
)

const ProgramOptions = Schema.Struct({
  "database-url": Schema.String.check(
    Schema.isPattern(/^postgres(ql)?:\/\//, { message: "must be a postgres URL" })
  ),
  port: PortText,
  schema: Schema.String.check(
    Schema.isPattern(/^[a-z_][a-z0-9_]{0,62}$/, { message: "must be a plain SQL name" })
  ),
  rule: Schema.Literals(["U", "R", "O", "N"]),
  venue: Schema.NonEmptyString,
  seed: SeedText,
  cash: Schema.String.check(
    Schema.isPattern(/^\d{1,15}(\.\d{1,8})?$/, { message: "must be a decimal string" })
  ),
  fees: FeesText
})

/** Options of the command line, then of the environment, then the defaults. */
const readOptions = (): Result.Result<PaperBrokerOptions, string> => {
  const option = { type: "string" } as const
  const parsed = Result.try(() =>
    parseArgs({
      options: {
        "database-url": option,
        port: option,
        schema: option,
        rule: option,
        venue: option,
        seed: option,
        cash: option,
        fees: option
      }
    })
  )
  if (Result.isFailure(parsed)) return Result.fail(String(parsed.failure))
  const given = parsed.success.values
  const setting = (name: keyof typeof given): string | undefined =>
    given[name] ?? process.env[`PAPER_BROKER_${name.toUpperCase().replaceAll("-", "_")}`]
  return Result.mapBoth(
    Schema.decodeUnknownResult(ProgramOptions, { errors: "all" })({
      "database-url": setting("database-url"),
      port: setting("port") ?? String(venueDefaults.port),
      schema: setting("schema") ?? venueDefaults.schema,
      rule: setting("rule") ?? venueDefaults.rule,
      venue: setting("venue") ?? venueDefaults.venue,
      seed: setting("seed") ?? String(venueDefaults.seed),
      cash: setting("cash") ?? venueDefaults.startingCash,
      fees: setting("fees") ?? "{}"
    }),
    {
      onFailure: (error) => error.message,
      onSuccess: ({ "database-url": url, cash, fees, ...rest }) => ({
        ...rest,
        feeOf: (trade) => feeOf(fees, plainInstruments.of(trade.symbol), trade),
        databaseUrl: Redacted.make(url),
        startingCash: cash,
        accounts: venueDefaults.accounts
      })
    }
  )
}

const program = Effect.gen(function* () {
  const options = yield* Effect.fromResult(readOptions()).pipe(
    Effect.mapError((reason) => new Refused({ exit: 78, reason }))
  )
  const venue = yield* startPaperBroker(options).pipe(
    Effect.mapError(
      ({ port, code }) => new Refused({ exit: 69, reason: `cannot listen on ${port}: ${code}` })
    )
  )
  yield* Effect.annotateLogs(Effect.logInfo("paper venue listens"), {
    event: "venue.listening",
    port: venue.port,
    url: venue.url,
    rule: options.rule
  })
  return yield* venue.ended.pipe(Effect.mapError(({ reason }) => new Refused({ exit: 70, reason })))
}).pipe(
  Effect.scoped,
  Effect.tapError(({ reason, exit }) =>
    Effect.annotateLogs(Effect.logError(reason), { event: "venue.stopped", exit })
  ),
  Effect.provide(Logger.layer([Logger.consoleJson]))
)

// 130 is how runMain reports "interrupted by a signal": for a venue that is the ordinary stop.
NodeRuntime.runMain(program, {
  teardown: (exit, onExit) =>
    Runtime.defaultTeardown(exit, (code) => {
      const bySignal = exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause)
      onExit(bySignal ? 0 : code)
    })
})
