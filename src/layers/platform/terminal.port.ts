/**
 * Terminal: the port to the person who started the service by hand, if there is one.
 *
 * A log is kept, copied and shipped; a terminal is read by whoever sits there. What is for that person alone, such as an address
 * with a token in it, is printed here and nowhere else.
 *
 * Promises: `print` is null when nobody sits there, so nothing meant for a person ends up in a file.
 * Never: prompts.
 */
import { Context } from "effect"

export interface TerminalService {
  /** Prints one line. */
  readonly print: ((line: string) => void) | null
}

export class Terminal extends Context.Service<Terminal, TerminalService>()("holdfast/layers/Terminal") {}
