/**
 * The node at the moment that is looked at, as the service tells it.
 *
 * Promises: one request at a time, for the latest moment that was asked for; `shown` names the entry it is of, so nothing is taken
 * for another moment.
 * Never: shows anything of now.
 */
import { read } from "./api.ts"

export interface PastComponent {
  readonly path: string
  readonly type: "worker" | "supervisor" | "dynamic"
  readonly machine: string | null
  readonly phase: string
  readonly state: string
  readonly ready: boolean
  readonly since: string
  readonly incarnation: number
  readonly restarts: number
  readonly last_error: string | null
}

export interface PastOrder {
  readonly id: string
  readonly account: string
  readonly strategy: string
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  readonly filled_quantity: string
  readonly status: string
  readonly reason: string | null
  readonly since: string
}

export interface PastPosition {
  readonly account: string
  readonly symbol: string
  readonly quantity: string
  readonly average_price: string
  readonly realised_pnl: string
}

export interface Moment {
  readonly seq: number
  readonly at: string
  readonly boot: string
  /** Entries of the time before it that are nowhere. */
  readonly missing: number
  readonly health: {
    readonly status: string
    readonly since: string
    readonly ready: boolean
    readonly can_trade: boolean
    readonly trading_state: string | null
    readonly reasons: ReadonlyArray<string>
  } | null
  readonly components: ReadonlyArray<PastComponent>
  readonly orders: ReadonlyArray<PastOrder> | null
  readonly positions: ReadonlyArray<PastPosition> | null
  readonly is_part: boolean
}

class Past {
  shown = $state.raw<Moment | null>(null)
  /** Why the moment cannot be shown; empty where it can. */
  problem = $state("")
  #wanted: number | string | null = null
  #isAsking = false

  /** The moment of an entry, or of an instant; null ends it. */
  want(at: number | string | null): void {
    this.#wanted = at
    this.problem = ""
    if (at === null) this.shown = null
    else if (!this.#isAsking) void this.#ask()
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    let answered: number | string | null = null
    while (this.#wanted !== null && answered !== this.#wanted) {
      const at: number | string = this.#wanted
      answered = at
      try {
        // One after the other: the moments in between are of no use once the slider is further.
        const moment = await read<Moment>(`/api/v1/past?at=${encodeURIComponent(at)}`)
        if (this.#wanted !== null) this.shown = moment
      } catch (error) {
        if (this.#wanted !== at) continue
        this.shown = null
        this.problem = error instanceof Error ? error.message : String(error)
      }
    }
    this.#isAsking = false
  }
}

export const past = new Past()
