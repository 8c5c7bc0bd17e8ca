/**
 * Commands: the one entry for whatever an operator may do (T14), whoever carries the words: HTTP, the console, Telegram.
 *
 * Promises: an attempt is in the audit before it takes effect and with its result afterwards; what cannot be audited is not
 * carried out; a repetition with the same key gets the answer of the first; every answer comes within its deadline.
 * Never: knows HTTP; believes a caller more than the permission it comes with.
 */
import { Context, type Effect } from "effect"
import type {
  CommandBody,
  CommandCaller,
  CommandName,
  CommandRefused,
  CommandRequest
} from "../../domain/control/commands.ts"

export interface CommandAnswer {
  readonly body: CommandBody
  /** It was answered before under the same key, and nothing was done now. */
  readonly repeated: boolean
}

export interface CommandsService {
  readonly give: <Name extends CommandName>(
    request: CommandRequest<Name>
  ) => Effect.Effect<CommandAnswer, CommandRefused>
  /**
   * Notes an attempt of somebody who proved nothing, or whose words could not be read. Bounded: strangers must not fill a
   * table, so of a flood some rows are kept and a line counts all.
   */
  readonly noteStranger: (attempt: {
    readonly command: CommandName
    readonly target: string
    readonly caller: CommandCaller
    readonly requestId: string
    readonly reason: string
  }) => Effect.Effect<void>
  /**
   * One look of whoever keeps the audit: writes what could not be written before; `all` ends the attempts of processes that
   * are gone as well. The database is there.
   */
  readonly keepAudit: (all: boolean) => Effect.Effect<void>
}

export class Commands extends Context.Service<Commands, CommandsService>()("holdfast/layers/Commands") {}
