/**
 * Terminal on stdout, when it is one and the log on it is for reading.
 *
 * Promises: JSON lines on a terminal stay JSON lines: whoever asked for them records or pipes them.
 * Never: throws because the terminal has closed; `installHost` listens for that error.
 * Failure: a line to a closed terminal is lost.
 */
import { Layer } from "effect"
import type { LogFormat } from "../../domain/kernel/settings.ts"
import { Terminal } from "./terminal.port.ts"

export const terminalLayer = (format: LogFormat): Layer.Layer<Terminal> =>
  Layer.sync(Terminal, () => ({
    print:
      process.stdout.isTTY && format === "pretty"
        ? (line: string) => void process.stdout.write(`${line}\n`)
        : null
  }))
