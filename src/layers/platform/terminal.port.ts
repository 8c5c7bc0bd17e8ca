/**
 * Terminal: the port to the person who started the service by hand, if there is one.
 *
 * A log is kept, copied and shipped; a terminal is read by who sits there. What belongs to that person alone, such as an address
 * with a token in it, is said here and nowhere else.
 *
 * Promises: `say` is null when nobody sits there, so nothing said to a person ends up in a file.
 * Never: asks.
 */
import { Context } from "effect"

export interface TerminalService {
  /** Prints one line. */
  readonly say: ((line: string) => void) | null
}

export class Terminal extends Context.Service<Terminal, TerminalService>()("holdfast/layers/Terminal") {}
