/**
 * A program of ours as a process: started, killed, frozen and stopped by a test, its log read line by line.
 *
 * Promises: `end` and `dispose` have deadlines; a process dies with the test that started it, even when the test run is
 * killed (`setpriv --pdeathsig`, where that exists).
 * Never: signals a process it did not start.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import path from "node:path"
import { setTimeout as pause } from "node:timers/promises"

export const projectRoot = path.resolve(import.meta.dirname, "../..")

/**
 * A program as it is shipped: what `npm test` has built (scripts/node.sh names the folder), else its source; the path from the root.
 */
export const shipped = (name: "holdfast" | "paper-broker" | "signal-server"): string => {
  const built = process.env["HOLDFAST_PROGRAMS"]
  if (built !== undefined) return path.join(built, `${name}.js`)
  return name === "holdfast" ? "src/main.ts" : `peers/${name}/main.ts`
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What is started: `cwd` and `env` go to the process, the inherited environment below `env`. */
export interface Command {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** A process group of its own, so that a test can signal the whole of it. */
  readonly ownGroup?: boolean
  /** Standard input is a pipe that `type` writes to; else it is empty. */
  readonly typed?: boolean
}

const setpriv = "/usr/bin/setpriv"
const dyingWithUs = (command: Command): Command =>
  existsSync(setpriv)
    ? { ...command, file: setpriv, args: ["--pdeathsig", "KILL", "--", command.file, ...command.args] }
    : command

/** One program that can be started many times; `lines` holds the log of all of its lives. */
export class Program {
  readonly lines: Array<Readonly<Record<string, unknown>>> = []
  /** How often it was started. */
  lives = 0
  stderr = ""
  #child: ChildProcess | null = null
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null })

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error("the program was never started")
    return pid
  }
  get isRunning(): boolean {
    const child = this.#child
    return child !== null && child.exitCode === null && child.signalCode === null
  }
  /** Completes when the present process has ended and its last line was read. */
  get exited(): Promise<Exit> {
    return this.#exit
  }
  get lastLine(): Readonly<Record<string, unknown>> {
    return this.lines.at(-1) ?? {}
  }

  events(name: string): ReadonlyArray<Readonly<Record<string, unknown>>> {
    return this.lines.filter((line) => line["event"] === name)
  }
  /** The end of the log, for the message of an assertion. */
  tail(count = 15): string {
    const lines = this.lines.slice(-count).map((line) => JSON.stringify(line).slice(0, 400))
    return `\n--- log\n${lines.join("\n")}\n--- stderr\n${this.stderr.slice(-2_000)}`
  }

  protected launch(command: Command, take: (line: Readonly<Record<string, unknown>>) => void): void {
    if (this.isRunning) throw new Error("the program is running already")
    const { file, args, cwd, env } = dyingWithUs(command)
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: command.ownGroup === true,
      stdio: [command.typed === true ? "pipe" : "ignore", "pipe", "pipe"]
    })
    this.lives += 1
    this.#child = child
    let rest = ""
    child.stdout?.on("data", (chunk: Buffer) => {
      const parts = (rest + chunk.toString("utf8")).split("\n")
      rest = parts.pop() ?? ""
      for (const part of parts) {
        const line = lineOf(part)
        this.lines.push(line)
        take(line)
      }
    })
    child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString("utf8")).slice(-20_000)
    })
    child.on("error", (error) => {
      this.stderr += String(error)
    })
    // `close`, not `exit`: by then the last line was read. A child of the program may hold the pipe open for longer.
    this.#exit = new Promise((settle) => {
      child.on("close", (code, signal) => settle({ code, signal }))
      child.on("exit", (code, signal) => setTimeout(settle, 1_000, { code, signal }).unref())
    })
  }

  /** SIGKILL to the process itself; waits until it is gone. */
  async kill(): Promise<Exit> {
    this.#child?.kill("SIGKILL")
    return await this.#exit
  }
  /** A signal to the process, or to everything in its group. */
  signal(name: NodeJS.Signals, whom: "process" | "group" = "process"): void {
    process.kill(whom === "group" ? -this.pid : this.pid, name)
  }
  /** Writes to its standard input. */
  type(text: string): void {
    this.#child?.stdin?.write(text)
  }
  freeze(): void {
    this.#child?.kill("SIGSTOP")
  }
  thaw(): void {
    this.#child?.kill("SIGCONT")
  }
  /** True while the kernel lists it as stopped. */
  get isFrozen(): boolean {
    return this.isRunning && /^\d+ \(.*\) T /.test(readFileSync(`/proc/${this.pid}/stat`, "utf8"))
  }
  /** Asks it to stop, and says how it ended. */
  async stop(deadlineMs = 60_000, signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<Exit> {
    this.#child?.kill(signal)
    return await this.end(deadlineMs)
  }
  /** How the process ended, waiting for it at most `deadlineMs`. */
  async end(deadlineMs = 60_000): Promise<Exit> {
    const late = new AbortController()
    const exit = await Promise.race([
      this.#exit,
      pause(deadlineMs, null, { signal: late.signal }).catch(() => null)
    ])
    late.abort()
    if (exit === null) throw new Error(`the program did not end within ${deadlineMs} ms${this.tail()}`)
    return exit
  }
  /** Ends the process however it must be ended. */
  async dispose(): Promise<void> {
    if (!this.isRunning) return
    this.thaw()
    await this.stop(20_000).catch(() => this.kill())
  }
}

const lineOf = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const line: unknown = JSON.parse(text)
    return typeof line === "object" && line !== null ? { ...line } : { event: "not-an-object", text }
  } catch {
    return { event: "not-json", text }
  }
}
