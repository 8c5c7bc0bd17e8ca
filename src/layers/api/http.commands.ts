/**
 * The commands of an operator over HTTP: thin routes over the one entry (commands.port.ts).
 *
 * Promises: a route reads the request by the command's schema, names who asks and by what right, and gives the answer its
 * status; `Idempotency-Key` is one header of printable characters or a 400; a repeated answer is marked as such.
 * Never: knows what a command does.
 * Failure: what a command refuses is its status: 400, 403, 404, 409, or 503 with Retry-After.
 */
import { Effect } from "effect"
import {
  type CommandArguments,
  type CommandCaller,
  type CommandName,
  type CommandRefused,
  type RefusalKind
} from "../../domain/control/commands.ts"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { controlCommands, UNPROTECTED } from "../../domain/control/control.ts"
import { commandLimits } from "../../domain/control/command-limits.ts"
import { commandEndpoints } from "../../wire/commands.ts"
import type { Endpoint } from "../../wire/endpoint.ts"
import type { CommandAnswer, CommandsService } from "../control/commands.port.ts"
import type { Standing } from "./http.access.ts"
import type { Exchange, RefusalStatus } from "./http.exchange.ts"
import { decoded, Refused, type RequestOf, type Route, type RouteRequest, rowsRoute } from "./http.route.ts"

/** Who speaks over HTTP. What a standing may not do over HTTP never comes here; Telegram will have viewers. */
export const callerBy = ({ sender }: Exchange, { by, may }: Standing): CommandCaller => {
  const address = sender === "" ? null : sender
  const origin = by === "session" ? "console" : "api"
  return {
    by: `${origin}:${address ?? "unknown"}`,
    origin,
    means: by ?? "none",
    address,
    permission: may === "control" ? "operator" : may === "read" || may === "forged" ? "viewer" : null
  }
}

const statusOf: { readonly [kind in RefusalKind]: RefusalStatus } = {
  forbidden: 403,
  not_found: 404,
  invalid: 400,
  conflict: 409,
  unavailable: 503
}

const refusedBy = ({ errors, kind, message, more, reason }: CommandRefused): Refused =>
  new Refused({
    audited: true,
    status: statusOf[kind],
    ...(errors === undefined ? {} : { errors }),
    more:
      kind === "not_found"
        ? {}
        : {
            ...(kind === "unavailable" ? {} : { reason }),
            ...(message === "" ? {} : { message }),
            ...more
          }
  })

const KEY = /^[\x21-\x7e]+$/

const keyOf = ({ request }: Exchange): Effect.Effect<string | null, Refused> => {
  const given = request.headers["idempotency-key"]
  if (given === undefined || given === "") return Effect.succeed(null)
  return typeof given === "string" && given.length <= commandLimits.keyLengthMax && KEY.test(given)
    ? Effect.succeed(given)
    : Effect.fail(
        new Refused({
          status: 400,
          errors: [
            {
              path: "headers.idempotency-key",
              message: `must be 1 to ${commandLimits.keyLengthMax} printable characters without blanks`
            }
          ]
        })
      )
}

type Body<Name extends CommandName> = RequestOf<(typeof commandEndpoints)[Name]>["body"]

/** What a body holds of a command. */
interface Given<Name extends CommandName> {
  readonly arguments: CommandArguments[Name]
  readonly reason?: string | undefined
  /** Where the path does not name the target. */
  readonly target?: string | undefined
}

/** The segment that names the target. */
const targetIn = (params: Readonly<Record<string, string>>): string => params["path"] ?? params["id"] ?? ""

const commandRoute = <Name extends CommandName>(
  commands: CommandsService,
  command: Name,
  decode: (body: Body<Name>) => Given<Name>
): Route => {
  const endpoint: Endpoint = commandEndpoints[command]
  const [status = 200, answer] =
    Object.entries(endpoint.answers).map(([code, one]) => [Number(code), one] as const)[0] ?? []
  const route = rowsRoute(
    endpoint,
    (request) =>
      Effect.gen(function* () {
        const key = yield* keyOf(request.exchange)
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read by the schema that the type comes from
        const body = request.body as Body<Name>
        const { arguments: given, reason = null, target = targetIn(request.params) } = decode(body)
        // No text of PostgreSQL has it, so nothing is called so.
        if (target.includes("\0")) return yield* new Refused({ status: 404 })
        const done: CommandAnswer = yield* commands
          .give<Name>({
            command,
            target,
            arguments: given,
            reason,
            caller: callerBy(request.exchange, request.standing),
            requestId: request.exchange.requestId,
            key
          })
          .pipe(Effect.mapError(refusedBy))
        return {
          status,
          json: answer === undefined || "text" in answer ? done.body : yield* decoded(answer, done.body),
          ...(done.repeated ? { headers: { "idempotent-replayed": "true" } } : {})
        }
      }),
    commandLimits.auditedMsMax
  )
  return {
    ...route,
    command,
    handle: (request) =>
      Effect.tapError(route.handle(request), (error) =>
        error._tag !== "Refused" || error.audited === true
          ? Effect.void
          : noteUnread(commands, request, command, error.errors)
      )
  }
}

/** The routes of this file, the literal paths before those with a parameter. */
export const commandRoutes = (commands: CommandsService): ReadonlyArray<Route> => [
  ...controlCommands.map((name) =>
    commandRoute(commands, `component.${name}`, ({ confirm, reason }) => ({
      arguments: { confirmed: confirm === UNPROTECTED },
      reason
    }))
  ),
  commandRoute(commands, "component.send", ({ event, reason }) => ({ arguments: { event }, reason })),
  commandRoute(commands, "trading_state.set", ({ reason, scope = "global", state }) => ({
    arguments: { state },
    reason,
    target: scope
  })),
  commandRoute(commands, "alert.acknowledge", ({ note = null }) => ({ arguments: { note } })),
  commandRoute(commands, "order.cancel", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "order.approve", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "order.decline", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "order.resolve", ({ outcome, reason, venue_order_id: id = null }) => ({
    arguments: { outcome, venue_order_id: id },
    reason
  })),
  commandRoute(commands, "position.close", ({ quantity = null, reason }) => ({
    arguments: { quantity },
    reason
  })),
  commandRoute(commands, "position.adopt", ({ price = null, reason }) => ({ arguments: { price }, reason })),
  commandRoute(commands, "account.flatten", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "account.unlock", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "breaker.open", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "breaker.close", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "strategy.demote", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "strategy.promote", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "dead_letter.replay", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "dead_letters.replay", ({ expect_count, filter, reason }) => ({
    arguments: { origin: filter.origin ?? null, reason: filter.reason ?? null, expect_count },
    reason,
    target: JSON.stringify(filter)
  })),
  commandRoute(commands, "refused_post.replay", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "settings.reload", ({ reason }) => ({
    arguments: {},
    reason,
    target: "settings"
  })),
  commandRoute(commands, "settings.write", ({ file_version, reason, text }) => ({
    arguments: { file_version, text },
    reason,
    target: "settings"
  })),
  commandRoute(commands, "settings.back", ({ reason }) => ({ arguments: {}, reason, target: "settings" })),
  commandRoute(commands, "sink.test", ({ reason }) => ({ arguments: {}, reason })),
  commandRoute(commands, "telegram.test", ({ reason }) => ({ arguments: {}, reason, target: "telegram" })),
  commandRoute(commands, "drill.run", ({ fault, reason }) => ({
    arguments: { fault },
    reason,
    target: fault
  })),
  commandRoute(commands, "refused_posts.replay", ({ expect_count, filter, reason }) => ({
    arguments: {
      source: filter.source ?? null,
      reason: filter.reason ?? null,
      request_id: filter.request_id ?? null,
      expect_count
    },
    reason,
    target: JSON.stringify(filter)
  }))
]

const attemptOf = (
  exchange: Exchange,
  standing: Standing,
  command: CommandName,
  params: Readonly<Record<string, string>>
) => ({
  command,
  target: targetIn(params),
  caller: callerBy(exchange, standing),
  requestId: exchange.requestId
})

/** Notes that somebody who may not tried a command. */
export const noteStranger = (
  commands: CommandsService,
  exchange: Exchange,
  standing: Standing,
  command: CommandName,
  params: Readonly<Record<string, string>>
): Effect.Effect<void> =>
  commands.noteStranger({
    ...attemptOf(exchange, standing, command, params),
    reason: standing.may === "forged" ? "the session without its CSRF token" : "not authenticated"
  })

/** Notes that somebody who may gave a command that could not be read (T14): what was wrong with it, and not the body. */
export const noteUnread = (
  commands: CommandsService,
  { exchange, params, standing }: Pick<RouteRequest, "exchange" | "params" | "standing">,
  command: CommandName,
  errors: ReadonlyArray<FieldError> = []
): Effect.Effect<void> =>
  commands.noteStranger({
    ...attemptOf(exchange, standing, command, params),
    reason:
      errors.length === 0
        ? "no such target"
        : `invalid: ${errors.map(({ message, path }) => `${path} ${message}`.trim()).join("; ")}`
  })
