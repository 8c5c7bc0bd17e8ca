/**
 * What every page shares: who is logged in, health, the tree, alerts, waves, and whether the page is up to date.
 *
 * Promises: every figure on a page is as old as `ageMs` at most; where the service does not answer for five seconds, `link` is
 * `stale`, and pages keep what they showed and are marked; one read of a kind at a time.
 * Never: shows figures of the past as live.
 */
import { ApiError, read, whoAmI } from "./api.ts"
import { poll } from "./poll.ts"

export interface Component {
  readonly path: string
  readonly type: "worker" | "supervisor" | "dynamic"
  readonly machine: string | null
  readonly phase: string
  readonly state: string
  readonly ready: boolean
  readonly readiness: string
  readonly since: string
  readonly incarnation: number
  readonly restarts: number
  readonly budget: { readonly used: number; readonly max: number | null; readonly within_ms: number }
  readonly mailbox: { readonly depth: number; readonly capacity: number; readonly dropped: number } | null
  readonly next_at: string | null
  readonly last_error: string | null
  readonly detail: Readonly<Record<string, unknown>>
}

export interface Health {
  readonly status: string
  readonly since: string
  readonly version: string
  readonly mode: string
  readonly ready: boolean
  readonly can_trade: boolean | null
  readonly trading_state?: string
  readonly reasons: ReadonlyArray<string | { readonly message?: string }>
  readonly startup: {
    readonly step: string
    readonly n: number
    readonly of: number
    readonly done?: boolean
  }
  readonly accounts?: Readonly<
    Record<string, { readonly can_trade: boolean; readonly reason: string | null }>
  >
}

export interface Wave {
  readonly feed: string
  readonly wave: string
  readonly due_at: string
  readonly status: string
  readonly late: boolean
  readonly successful: number
  readonly failed: number
  readonly skipped: number
  readonly reason: string | null
}

export type Link = "connecting" | "live" | "stale" | "logged out"

const refreshMs = 1_000
const staleMs = 5_000

class Store {
  link = $state<Link>("connecting")
  /** By what right the browser is here; null when it may only log in. */
  by = $state<string | null>(null)
  mayControl = $state(false)
  health = $state.raw<Health | null>(null)
  components = $state.raw<ReadonlyArray<Component>>([])
  waves = $state.raw<ReadonlyArray<Wave>>([])
  /** Null until they were read. */
  alerts = $state.raw<ReadonlyArray<Record<string, unknown>> | null>(null)
  /** What comes from the database could not be read the last time: it is as old as it was. */
  rowsAreOld = $state(false)
  /** When they could, in epoch milliseconds; null: never. */
  rowsReadAt = $state<number | null>(null)
  now = $state(Date.now())
  #answeredAt = 0
  #running = false

  /** Milliseconds since the service last answered. */
  get ageMs(): number {
    return this.#answeredAt === 0 ? 0 : this.now - this.#answeredAt
  }

  start(): () => void {
    const stop = poll(() => this.refresh(), refreshMs)
    const clock = setInterval(() => {
      this.now = Date.now()
      if (this.link === "live" && this.ageMs > staleMs) this.link = "stale"
    }, 250)
    return () => {
      stop()
      clearInterval(clock)
    }
  }

  async identify(): Promise<void> {
    const session = await whoAmI()
    this.by = session?.by ?? null
    this.mayControl = session?.csrf !== null && session !== null
  }

  /** Nobody is logged in: what was shown is not theirs to see, and no longer true. */
  clear(): void {
    this.by = null
    this.mayControl = false
    this.link = "logged out"
    this.health = null
    this.components = []
    this.waves = []
    this.alerts = null
    this.rowsAreOld = false
    this.rowsReadAt = null
  }

  async refresh(): Promise<void> {
    if (this.#running || document.hidden) return
    this.#running = true
    try {
      // A service that was away may have forgotten the session.
      if (this.by === null || this.link !== "live") await this.identify()
      if (this.by === null) {
        this.clear()
        return
      }
      const [health, actors, waves, alerts] = await Promise.all([
        read<Health>("/health"),
        read<{ readonly items: ReadonlyArray<Component> }>("/api/v1/actors"),
        read<{ readonly items: ReadonlyArray<Wave> }>("/api/v1/waves?limit=60").catch(() => null),
        read<{ readonly items: ReadonlyArray<Record<string, unknown>> }>(
          "/api/v1/monitoring/alerts?status=open&limit=100"
        ).catch(() => null)
      ])
      this.health = health
      this.components = actors.items
      // Rows come from the database, which may be away while the tree answers.
      if (waves !== null) this.waves = waves.items
      if (alerts !== null) this.alerts = alerts.items
      this.rowsAreOld = waves === null || alerts === null
      if (!this.rowsAreOld) this.rowsReadAt = Date.now()
      this.#answeredAt = Date.now()
      this.now = this.#answeredAt
      this.link = "live"
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        this.clear()
      } else if (Date.now() - this.#answeredAt > staleMs) this.link = "stale"
    } finally {
      this.#running = false
    }
  }
}

export const store = new Store()
