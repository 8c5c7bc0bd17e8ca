/**
 * past: what a process was at an entry of its journal: every component, open orders, positions, and health (G6).
 *
 * A picture is all of it at one number of the journal; the entries that follow move it on. Folding is what makes any moment
 * visible without a picture of each: a picture now and then, and the few entries behind it.
 *
 * Promises: folding the same entries over a picture again changes nothing, because entries carry values and not differences; what
 * is not known is null, and never made up; components are those of the process of the last entry, orders and positions go on
 * over processes, as their rows do.
 * Never: reads a clock or a row.
 */
import type { JournalEntry } from "../platform/journal.ts"

/** The phases of a component, as the supervision tree names them. */
export type Phase =
  | "waiting"
  | "starting"
  | "running"
  | "stopping"
  | "backingOff"
  | "failed"
  | "stopped"
  | "paused"

/** Times are epoch milliseconds. */
export interface PastComponent {
  readonly path: string
  readonly type: string
  readonly machine: string | null
  readonly phase: Phase
  readonly state: string
  readonly ready: boolean
  readonly since: number
  readonly incarnation: number
  readonly restarts: number
  readonly lastError: string | null
}

/** Money and quantities are decimal strings. */
export interface PastOrder {
  readonly id: string
  readonly account: string
  readonly strategy: string
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  readonly filledQuantity: string
  readonly status: string
  readonly reason: string | null
  readonly correlationId: string | null
  /** Since when it is in its status. */
  readonly since: number
}

export interface PastPosition {
  readonly account: string
  readonly symbol: string
  readonly quantity: string
  readonly averagePrice: string
  readonly realisedPnl: string
}

export interface PastHealth {
  readonly status: string
  readonly since: number
  readonly ready: boolean
  readonly canTrade: boolean
  readonly tradingState: string | null
  readonly reasons: ReadonlyArray<string>
}

export interface Picture {
  readonly boot: string
  readonly at: number
  readonly components: ReadonlyArray<PastComponent>
  readonly health: PastHealth | null
  /** Those that were open, and those that ended since the picture it was folded from. Null where nothing tells. */
  readonly orders: ReadonlyArray<PastOrder> | null
  /** Null where nothing tells. */
  readonly positions: ReadonlyArray<PastPosition> | null
  /** There were more orders or positions than a picture holds. */
  readonly isPart: boolean
}

/** Before anything is known of a process. */
export const nothingKnown = (boot: string, at: number): Picture => ({
  boot,
  at,
  components: [],
  health: null,
  orders: null,
  positions: null,
  isPart: false
})

/** The statechart of a component, by its place in the tree; supervisors have none. */
export const machineOf = (path: string, type: string): string | null => {
  if (type !== "worker") return null
  if (path.startsWith("root/trading/accounts/")) return "account"
  if (path.startsWith("root/trading/brokers/")) return "broker"
  if (path.startsWith("root/trading/agents/")) return "agent"
  return path.slice(path.lastIndexOf("/") + 1).split(":")[0] ?? null
}

/** The phase that each step in the life of a component leads to; a step that is not here changes none. */
const PHASES: Readonly<Record<string, Phase>> = {
  "component.starting": "starting",
  "component.started": "running",
  "component.restarted": "running",
  "component.ignored": "stopped",
  "component.backing_off": "backingOff",
  "component.parked": "failed",
  "component.escalated": "failed",
  "component.stopped": "stopped",
  "component.killed": "stopped",
  "component.paused": "paused",
  "component.resumed": "starting"
}

/** What its failure is reported by. */
const FAILURES: ReadonlySet<string> = new Set([
  "component.failed",
  "component.backing_off",
  "component.parked",
  "component.escalated"
])

type Detail = Readonly<Record<string, unknown>>

const isDetail = (value: unknown): value is Detail =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const textOf = (detail: Detail, field: string): string => {
  const value = detail[field]
  return typeof value === "string" ? value : ""
}

/** A process as entry after entry tells it. */
export class PastState {
  #boot: string
  #at: number
  readonly #components: Map<string, PastComponent>
  #health: PastHealth | null
  readonly #orders: Map<string, PastOrder> | null
  readonly #positions: Map<string, PastPosition> | null
  readonly #isPart: boolean

  constructor({ at, boot, components, health, isPart, orders, positions }: Picture) {
    this.#boot = boot
    this.#at = at
    this.#components = new Map(components.map((one) => [one.path, one]))
    this.#health = health
    this.#orders = orders === null ? null : new Map(orders.map((one) => [one.id, one]))
    this.#positions = positions === null ? null : new Map(positions.map((one) => [positionKey(one), one]))
    this.#isPart = isPart
  }

  /** Forgets components that are not in the tree any more: a reload removed them. */
  keepComponents(paths: ReadonlySet<string>): void {
    for (const path of this.#components.keys()) if (!paths.has(path)) this.#components.delete(path)
  }

  apply(entry: JournalEntry, boot: string): void {
    if (boot !== this.#boot) {
      this.#boot = boot
      this.#components.clear()
      this.#health = null
    }
    this.#at = entry.at
    switch (entry.type) {
      case "transition":
        this.#moved(entry)
        break
      case "component":
      case "restart":
        this.#lived(entry)
        break
      case "order":
        this.#ordered(entry)
        break
      case "health":
        this.#judged(entry)
        break
      case "alert":
    }
  }

  picture(): Picture {
    return {
      boot: this.#boot,
      at: this.#at,
      components: inTree(this.#components),
      health: this.#health,
      orders: this.#orders === null ? null : [...this.#orders.values()],
      positions:
        this.#positions === null
          ? null
          : [...this.#positions.values()].filter(({ quantity }) => !/^-?0*(?:\.0*)?$/.test(quantity)),
      isPart: this.#isPart
    }
  }

  #component(entry: JournalEntry): PastComponent {
    const known = this.#components.get(entry.path)
    if (known !== undefined) return known
    const type = entry.detail === null ? "" : textOf(entry.detail, "type")
    return {
      path: entry.path,
      type: type === "" ? "worker" : type,
      machine: machineOf(entry.path, type === "" ? "worker" : type),
      phase: "waiting",
      state: "waiting",
      ready: false,
      since: entry.at,
      incarnation: entry.incarnation ?? 0,
      restarts: 0,
      lastError: null
    }
  }

  #moved(entry: JournalEntry): void {
    // A machine inside a machine is part of its component, whose line in the tree shows its own state.
    if (entry.to === null || entry.path.includes("#")) return
    const before = this.#component(entry)
    this.#components.set(entry.path, {
      ...before,
      state: entry.to,
      since: before.state === entry.to ? before.since : entry.at,
      incarnation: entry.incarnation ?? before.incarnation
    })
  }

  #lived(entry: JournalEntry): void {
    const before = this.#component(entry)
    const phase = PHASES[entry.event] ?? before.phase
    const isBegun = entry.event === "component.starting" || entry.event === "component.resumed"
    const ready = entry.event === "component.ready" || (before.ready && phase === "running")
    // A supervisor has no state but its phase; a worker that does not run has none either.
    const state = phase === before.phase ? before.state : stateIn(phase, before)
    this.#components.set(entry.path, {
      ...before,
      phase,
      state,
      ready: entry.event === "component.unready" || isBegun ? false : ready,
      since: phase === before.phase ? before.since : entry.at,
      incarnation: entry.incarnation ?? before.incarnation,
      restarts: before.restarts + (entry.event === "component.restarted" ? 1 : 0),
      lastError: FAILURES.has(entry.event) ? entry.cause : before.lastError
    })
  }

  #ordered(entry: JournalEntry): void {
    const { detail } = entry
    if (detail === null) return
    const id = textOf(detail, "order_id")
    if (id !== "" && entry.to !== null && this.#orders !== null) {
      const before = this.#orders.get(id)
      this.#orders.set(id, {
        id,
        account: textOf(detail, "account"),
        strategy: textOf(detail, "strategy"),
        symbol: textOf(detail, "symbol"),
        side: textOf(detail, "side"),
        quantity: textOf(detail, "quantity"),
        filledQuantity: textOf(detail, "filled_quantity"),
        status: entry.to,
        reason: entry.cause,
        correlationId: entry.correlationId,
        since: before?.status === entry.to ? before.since : entry.at
      })
    }
    const position = detail["position"]
    if (!isDetail(position) || this.#positions === null) return
    const after = {
      account: textOf(detail, "account"),
      symbol: textOf(detail, "symbol"),
      quantity: textOf(position, "quantity"),
      averagePrice: textOf(position, "average_price"),
      realisedPnl: textOf(position, "realised_pnl")
    }
    this.#positions.set(positionKey(after), after)
  }

  #judged(entry: JournalEntry): void {
    const detail = entry.detail ?? {}
    const { reasons } = detail
    const before = this.#health
    const status = entry.to ?? before?.status ?? ""
    this.#health = {
      status,
      since: before?.status === status ? before.since : entry.at,
      ready: detail["ready"] === true,
      canTrade: detail["can_trade"] === true,
      tradingState: textOf(detail, "trading_state") || null,
      reasons: Array.isArray(reasons) ? reasons.map(String) : []
    }
  }
}

const positionKey = ({ account, symbol }: Pick<PastPosition, "account" | "symbol">): string =>
  `${account}\u0000${symbol}`

/** A component that names no state of its own is in its phase, as the tree shows it. */
const stateIn = (phase: Phase, before: PastComponent): string =>
  phase === "running" && before.state !== before.phase ? before.state : phase

/** Parents before their children, and those in the order in which they came. */
const inTree = (components: ReadonlyMap<string, PastComponent>): ReadonlyArray<PastComponent> => {
  const below = new Map<string, Array<PastComponent>>()
  for (const one of components.values()) {
    const parent = one.path.slice(0, Math.max(0, one.path.lastIndexOf("/")))
    const key = components.has(parent) ? parent : ""
    const known = below.get(key)
    if (known === undefined) below.set(key, [one])
    else known.push(one)
  }
  const under = (path: string): ReadonlyArray<PastComponent> =>
    (below.get(path) ?? []).flatMap((one) => [one, ...under(one.path)])
  return under("")
}

/** The picture after entries, each with the process it is of. */
export const foldPast = (
  from: Picture,
  entries: ReadonlyArray<JournalEntry & { readonly boot: string }>
): Picture => {
  const state = new PastState(from)
  for (const entry of entries) state.apply(entry, entry.boot)
  return state.picture()
}
