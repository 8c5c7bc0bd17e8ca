/**
 * The paper venue as a process of its own, with a database of its own: it survives whatever a test does to holdfast.
 *
 * What the venue reports here (its book, its fills, its count of create requests) is what a judge compares holdfast with;
 * the switches are the ways in which a real venue fails.
 *
 * Promises: it keeps its port when it is restarted; every list is complete, however many pages it has.
 * Never: queries holdfast.
 */
import { Effect, Exit, Scope } from "effect"
import { exchange, waitUntil } from "./exchange.ts"
import { keptPort } from "./kept-port.ts"
import { emptyDatabase } from "./postgres.ts"
import { Program, projectRoot, shipped } from "./program.ts"

/** What the venue does with a client order id it has seen before. */
export type DuplicateRule = "U" | "R" | "O" | "N"

export interface PaperBrokerSettings {
  readonly rule?: DuplicateRule
  /** Of an account the venue has not heard of. Plenty by default: funds are not what most tests are about. */
  readonly cash?: string
  /** Schema of its tables. */
  readonly schema?: string
}

/** Rows as the venue sends them; decimals are strings. */
export interface BookOrder {
  readonly id: string
  readonly client_order_id: string | null
  readonly account: string
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  readonly status: string
  readonly filled_quantity: string
}
export interface BookFill {
  readonly sequence: string
  readonly trade_id: string
  readonly order_id: string
  readonly client_order_id: string | null
  readonly account: string
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  readonly price: string
  /** ISO 8601, on the venue's clock. */
  readonly at: string
}
export interface BookPosition {
  readonly account: string
  readonly symbol: string
  readonly quantity: string
}
/** `received`: requests that arrived; `created`: orders that came of them. */
export interface CreateCount {
  readonly client_order_id: string
  readonly received: number
  readonly created: number
}
/** See peers/paper-broker/faults.ts. */
export interface RequestFault {
  readonly mode:
    | "delay_before"
    | "delay_after"
    | "drop_before"
    | "drop_after"
    | "error_before"
    | "error_after"
    | "garbage_after"
    | "penalty_before"
    | "refuse"
  readonly times?: number | null
  readonly delayMs?: number
  readonly code?: string
}
export interface FaultSwitches {
  readonly create?: RequestFault | null
  readonly cancel?: RequestFault | null
  readonly read?: RequestFault | null
  readonly holdFills?: boolean
  readonly fillParts?: number
  readonly fillsTwice?: boolean
  readonly fillsReversed?: boolean
  readonly invisibleMs?: number
  readonly streamStatus?: number | null
  readonly streamSilent?: boolean
}

export class PaperBroker extends Program {
  readonly rule: DuplicateRule
  readonly #cash: string
  readonly #schema: string
  readonly #scope = Effect.runSync(Scope.make())
  #databaseUrl = ""
  #port = 0

  constructor(settings: PaperBrokerSettings = {}) {
    super()
    this.rule = settings.rule ?? "U"
    this.#cash = settings.cash ?? "1000000000"
    this.#schema = settings.schema ?? "paper_venue"
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Where its book is. */
  get databaseUrl(): string {
    return this.#databaseUrl
  }

  /** Starts it, again on the same port and the same book, and waits until it serves. */
  async start(): Promise<void> {
    if (this.#databaseUrl === "") {
      const { url } = await Effect.runPromise(emptyDatabase.pipe(Scope.provide(this.#scope)))
      this.#databaseUrl = url
    }
    if (this.#port === 0) this.#port = await keptPort()
    const heard = this.#listening().length
    const args = [shipped("paper-broker"), "--database-url", this.#databaseUrl, "--rule", this.rule]
    this.launch(
      {
        file: process.execPath,
        args: [...args, "--port", String(this.#port), "--cash", this.#cash, "--schema", this.#schema],
        cwd: projectRoot,
        env: {}
      },
      () => undefined
    )
    const line = await waitUntil(
      () => `the venue to listen${this.tail()}`,
      () => this.#listening()[heard]
    )
    this.#port = Number(line["port"])
    await waitUntil(
      () => `the venue to serve${this.tail()}`,
      async () =>
        (await exchange(`${this.url}/orders?status=open`, undefined)).status === 200 ? true : undefined
    )
  }
  /** The venue's log is Effect's own JSON: the annotations stand below a key of their own. */
  #listening(): ReadonlyArray<Readonly<Record<string, unknown>>> {
    return this.lines
      .map(({ annotations }) => (annotations ?? {}) as Readonly<Record<string, unknown>>)
      .filter((annotations) => annotations["event"] === "venue.listening")
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- rows of the venue, typed by the verbs below
  async #call(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await exchange(this.url + path, body, { method })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }
  async #all<A>(path: string, rows: string, cursor: string): Promise<ReadonlyArray<A>> {
    const found: Array<A> = []
    let next: string | null = null
    do {
      const from: string = next === null ? "" : `&${cursor}=${next}`
      const page = await this.#call("GET", `${path}${from}`)
      found.push(...(page[rows] as ReadonlyArray<A>))
      next = page.next as string | null
    } while (next !== null)
    return found
  }

  /** The whole book, or the orders under one client order id. */
  orders(clientOrderId?: string): Promise<ReadonlyArray<BookOrder>> {
    const filter = clientOrderId === undefined ? "" : `&client_order_id=${encodeURIComponent(clientOrderId)}`
    return this.#all(`/orders?status=all${filter}`, "orders", "after")
  }
  fills(): Promise<ReadonlyArray<BookFill>> {
    return this.#all("/fills?x=", "fills", "after_sequence")
  }
  async positions(account: string): Promise<ReadonlyArray<BookPosition>> {
    return (await this.#call("GET", `/positions?account=${account}`)).positions as ReadonlyArray<BookPosition>
  }
  async creates(clientOrderId?: string): Promise<ReadonlyArray<CreateCount>> {
    const filter = clientOrderId === undefined ? "" : `?client_order_id=${encodeURIComponent(clientOrderId)}`
    return (await this.#call("GET", `/admin/creates${filter}`)).creates as ReadonlyArray<CreateCount>
  }

  /** Flips the switches named; the others stay. */
  async faults(switches: FaultSwitches): Promise<void> {
    await this.#call("POST", "/admin/faults", switches)
  }
  async clearFaults(): Promise<void> {
    await this.#call("DELETE", "/admin/faults")
  }
  /** True once the fault armed for creates has hit as often as it was told to. */
  async createFaultSpent(): Promise<boolean> {
    return (await this.#call("GET", "/admin/faults")).create === null
  }
  async closeStreams(code: number): Promise<void> {
    await this.#call("POST", "/admin/stream/close", { code })
  }
  /** A trade of an open order, also while fills are held. */
  async fill(order: Pick<BookOrder, "account" | "id">, quantity: string, price: string): Promise<void> {
    await this.#call("POST", "/admin/fill", { account: order.account, order_id: order.id, quantity, price })
  }
  async price(symbol: string, price: string | null): Promise<void> {
    await this.#call("POST", "/admin/price", { symbol, price })
  }

  override async dispose(): Promise<void> {
    await super.dispose()
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }
}
