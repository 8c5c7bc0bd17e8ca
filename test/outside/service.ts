/**
 * The judge's hands: a real holdfast process, seen only through what its contract promises.
 *
 * Verbs (start, post, kill, freeze, stop) so that a test holds a scenario and its assertions and nothing else. It knows
 * commands, environment, endpoints and log events; it never imports anything of `src`.
 *
 * Promises: every wait has a deadline and reports what it last saw; every process it started is gone after `dispose`.
 * Never: sleeps for a guess, signals a process it did not start, leaves 127.0.0.1.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { type Answer, type ExchangeOptions, waitUntil } from "../support/exchange.ts"
import { apiExchange } from "../support/openapi.ts"
import { Program, projectRoot, shipped } from "../support/program.ts"

export interface ServiceOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Kept across starts; a fresh temporary one when left out. */
  readonly dataDir?: string
  readonly cwd?: string
  /** The command; the service itself when left out. */
  readonly command?: readonly [file: string, ...args: ReadonlyArray<string>]
  readonly ownGroup?: boolean
  readonly typed?: boolean
}

/** A row of one of the lists of the API. */
export type Row = Readonly<Record<string, string | null>>

/** One holdfast that can be started many times on the same data directory. */
export class Service extends Program {
  readonly dataDir: string
  readonly #env: Readonly<Record<string, string>>
  readonly #cwd: string
  readonly #command: readonly [file: string, ...args: ReadonlyArray<string>]
  readonly #stance: { readonly ownGroup: boolean; readonly typed: boolean }
  readonly #ownsData: boolean
  #port = 0

  constructor(options: ServiceOptions = {}) {
    super()
    this.#ownsData = options.dataDir === undefined
    this.dataDir = options.dataDir ?? mkdtempSync(path.join(tmpdir(), "holdfast-outside-"))
    this.#cwd = options.cwd ?? projectRoot
    this.#command = options.command ?? [process.execPath, shipped("holdfast")]
    this.#stance = { ownGroup: options.ownGroup ?? false, typed: options.typed ?? false }
    this.#env = {
      PORT: "0",
      LOG_FORMAT: "json",
      DATA_DIR: this.dataDir,
      HOLDFAST_CONFIG: "",
      PRACTICE_SIGNAL_MS: "",
      ...options.env
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Spawns the process; waits for nothing. */
  spawn(env: Readonly<Record<string, string>> = {}): void {
    this.#port = 0
    const [file, ...args] = this.#command
    this.launch({ file, args, cwd: this.#cwd, env: { ...this.#env, ...env }, ...this.#stance }, (line) => {
      if (line["event"] === "http.listening" && typeof line["port"] === "number") this.#port = line["port"]
    })
  }

  /** Waits until the process that was spawned listens. */
  async listening(deadlineMs = 60_000): Promise<void> {
    await this.#until("the listener", () => (this.#port === 0 ? undefined : true), deadlineMs)
  }
  /** Waits until it takes webhooks durably. */
  async ready(deadlineMs = 60_000): Promise<void> {
    await this.listening(deadlineMs)
    await this.#until(
      "/health/ready",
      async () => ((await this.get("/health/ready")).status === 200 ? true : undefined),
      deadlineMs
    )
  }
  /** Waits until it may send orders too. */
  async trading(deadlineMs = 60_000): Promise<void> {
    await this.ready(deadlineMs)
    await this.#until(
      "can_trade",
      async () => ((await this.get("/health")).body.can_trade === true ? true : undefined),
      deadlineMs
    )
  }
  /** Spawns it and waits until it may send orders. */
  async start(env: Readonly<Record<string, string>> = {}, deadlineMs = 60_000): Promise<void> {
    this.spawn(env)
    await this.trading(deadlineMs)
  }

  #until<A>(
    what: string,
    look: () => Promise<A | undefined> | A | undefined,
    deadlineMs: number
  ): Promise<A> {
    return waitUntil(
      () => `${what}${this.tail()}`,
      () => {
        if (this.isRunning) return look()
        throw new Error("the process has ended")
      },
      deadlineMs
    )
  }

  get(target: string, options: ExchangeOptions = {}): Promise<Answer> {
    return apiExchange(this.url + target, undefined, options)
  }
  /** A post; one to the API carries the control token of the data directory, unless it brings a credential of its own. */
  post(target: string, body: unknown, options: ExchangeOptions = {}): Promise<Answer> {
    const known = options.headers?.["authorization"] !== undefined || !target.startsWith("/api/")
    const headers = known ? options.headers : { ...options.headers, ...this.bearer() }
    return apiExchange(this.url + target, body, headers === undefined ? options : { ...options, headers })
  }
  /** The generated control token as a header; none while there is no such file. */
  bearer(): Readonly<Record<string, string>> {
    const file = path.join(this.dataDir, "admin-token")
    return existsSync(file) ? { authorization: `Bearer ${readFileSync(file, "utf8").trim()}` } : {}
  }
  /** Every row of a list, page by page; `query` narrows it, such as `status=received`. */
  async list(name: string, query = ""): Promise<ReadonlyArray<Row>> {
    const rows: Array<Row> = []
    let cursor: string | null = null
    const asked = new URLSearchParams(query)
    if (!asked.has("limit")) asked.set("limit", "200")
    do {
      if (cursor !== null) asked.set("cursor", cursor)
      const page = await this.get(`/api/v1/${name}?${asked.toString()}`)
      if (page.status !== 200) throw new Error(`${name}: ${page.status} ${page.text}`)
      rows.push(...(page.body.items as ReadonlyArray<Row>))
      cursor = page.body.next_cursor as string | null
    } while (cursor !== null)
    return rows
  }
  /** The trace of a signal, once every order it led to has settled (or will never be sent). */
  async settled(signalId: string, deadlineMs = 60_000): Promise<Answer["body"]> {
    let last = ""
    return await waitUntil(
      () => `signal ${signalId} to settle; last seen ${last.slice(0, 3_000)}${this.tail()}`,
      async () => {
        const { body, text } = await this.get(`/api/v1/signals/${signalId}`)
        last = text
        const decided = ["done", "rejected", "dead"].includes(body.signal?.status as string)
        return decided && (body.orders as ReadonlyArray<Row>).every(isSettled) ? body : undefined
      },
      deadlineMs
    )
  }

  /** Restarts by component, of those that had any. */
  async restarts(): Promise<Readonly<Record<string, number>>> {
    const { components } = (await this.get("/health")).body as {
      readonly components: Readonly<Record<string, { readonly restarts: number }>>
    }
    return Object.fromEntries(
      Object.entries(components).flatMap(([name, { restarts }]) => (restarts === 0 ? [] : [[name, restarts]]))
    )
  }

  /** Ends the process however it must be ended, and removes what it left. */
  override async dispose(): Promise<void> {
    await super.dispose()
    if (this.#ownsData) await waitUntil("the data directory to be free", () => removed(this.dataDir), 30_000)
  }
}

const terminal = ["filled", "cancelled", "expired", "rejected"]
const neverSent = ["denied", "expired_unsent", "withdrawn", "needs_operator"]
/** True when nothing more happens to an order by itself. */
export const isSettled = (order: Row): boolean =>
  neverSent.includes(order["status"] ?? "") ||
  (terminal.includes(order["status"] ?? "") && order["settled_at"] !== null)

const removed = (folder: string): true => {
  rmSync(folder, { recursive: true, force: true })
  return true
}

/** Process ids of the embedded server of a data directory, the postmaster first; empty while there is none. */
export const databaseProcesses = (dataDir: string): ReadonlyArray<number> => {
  try {
    const name = readdirSync(dataDir, { recursive: true, encoding: "utf8" }).find((entry) =>
      entry.endsWith("postmaster.pid")
    )
    if (name === undefined) return []
    const postmaster = Number(readFileSync(path.join(dataDir, name), "utf8").split("\n")[0])
    if (!Number.isInteger(postmaster)) return []
    const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, "utf8")
    return [postmaster, ...children.trim().split(" ").filter(Boolean).map(Number)]
  } catch (error) {
    // A server that ends takes its file and its place in /proc along, also between one look and the next.
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return []
    throw error
  }
}

let counter = 0
/** A plain alert as the README shows it; each call is another event. */
export const alertBody = (fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  symbol: "SPY",
  direction: "long",
  timeframe: "5m",
  timestamp: new Date().toISOString(),
  n: (counter += 1),
  ...fields
})
