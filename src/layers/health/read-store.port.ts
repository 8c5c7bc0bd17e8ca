/**
 * ReadStore: the port behind the read API, and the few writes an operator makes through it.
 *
 * The API shows rows as they are, in the names of the tables, so that what an operator reads there, in psql and in a
 * log line is the same word. Lists are paged by position, not by number: a page never skips or repeats a row because
 * new ones came.
 *
 * Promises: decimals are strings, 64-bit integers are strings, times are ISO text, nothing needs a replacer to become
 * JSON; lists are newest first; the canary appears nowhere (T9).
 * Never: shows a secret (bodies are stored without theirs).
 */
import { Context, Data, type Effect } from "effect"
import type { FlagLine } from "../../domain/kernel/flags.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { RecentLinkage } from "../../domain/health/health.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** One row as JSON. */
export type Item = Readonly<Record<string, unknown>>

/** A list, and where its next page begins (null: this was the last). */
export interface Page {
  readonly items: ReadonlyArray<Item>
  readonly nextCursor: string | null
}

/** `cursor` is from an earlier page; `filters` are exact matches by column, of those that the list's endpoint has (wire/endpoints.ts), and `from` and `to`, and what a body holds, `payload`. */
export interface PageRequest {
  readonly limit: number
  readonly cursor: string | null
  readonly filters: Readonly<Record<string, string>>
}

/** A cursor that no page of this list returned. */
export class BadCursor extends Data.TaggedError("BadCursor")<{ readonly cursor: string }> {}

/** The lists there are. */
export type ListName =
  | "signals"
  | "orders"
  | "approvals"
  | "fills"
  | "positions"
  | "accounts"
  | "cash_flows"
  | "equity"
  | "waves"
  | "expected_signals"
  | "alerts"
  | "audit"
  | "settings_changes"
  | "dead_letters"
  | "refused"
  | "circuit_breakers"
  | "sinks"
  | "drills"
  | "transactions"
  | "locks"
  | "resources"
  | "latency"

/** The whole life of a signal. Null where that part does not exist yet. */
export interface Trace {
  readonly signal: Item
  readonly enrichment: Item | null
  readonly metadata: Item | null
  readonly decision: Item | null
  /** What the decision was made from (T15); null: none yet, or from before they were kept. */
  readonly facts: unknown
  readonly orders: ReadonlyArray<Item>
  /** Orders that closed, or are to close, what it opened. */
  readonly exits: ReadonlyArray<Item>
  /** Of its orders and its exits. */
  readonly fills: ReadonlyArray<Item>
  readonly links: ReadonlyArray<Item>
  /** Of the signal and its first order: bar, fired, received, decided, sent, acked, filled. */
  readonly times: Item
}

/** A part of the way of an order, from one instant to another. */
export type Stage =
  | "fired_to_received"
  | "received_to_decided"
  | "decided_to_sent"
  | "sent_to_acked"
  | "acked_to_filled"
  | "received_to_filled"

/** `from` is inclusive, `to` exclusive; null: all. */
export interface ExperimentSpan {
  readonly from: string | null
  readonly to: string | null
  readonly strategy: string | null
}

/** `from` is inclusive, `to` exclusive; the filters are those of the list. */
export interface LatencySpan {
  readonly from: string | null
  readonly to: string | null
  readonly filters: Readonly<Record<string, string>>
}

export interface Linkage {
  /** Fills of orders we originated. */
  readonly ours: number
  readonly linked: number
  /** linked / ours, null while none is ours. */
  readonly rate: number | null
  readonly external: number
}

/** The server of the database: its sessions, those of them that wait for a lock, and its sizes; null where a lock is in their way. */
export type ServerLook = Item & {
  readonly tables: ReadonlyArray<Item> | null
  readonly waits: ReadonlyArray<Item>
}

type Read<A, E = never> = Effect.Effect<A, DatabaseError | E>

export interface ReadStoreService {
  readonly list: (name: ListName, page: PageRequest) => Read<Page, BadCursor>
  /** Null when there is no such signal. */
  readonly trace: (signalId: string) => Read<Trace | null>
  /** The trace as sentences, a line each; the first is the answer, an empty one separates parts. Null when there is no such signal. */
  readonly explain: (signalId: string) => Read<ReadonlyArray<string> | null>
  /** The order with its events, null when there is none. */
  readonly order: (orderId: string) => Read<Item | null>
  /** The orders of these ids that exist, oldest first. */
  readonly orders: (orderIds: ReadonlyArray<string>) => Read<ReadonlyArray<Item>>
  /** p50, p99 and count by stage, of the latest orders of a span. */
  readonly latency: (span: LatencySpan) => Read<Item>
  /** How engines compare, by strategy and engine. */
  readonly experiments: (span: ExperimentSpan) => Read<ReadonlyArray<Item>>
  /** Since when each of these flags has been as it is; `version`: of the settings in force. */
  readonly flags: (version: string, lines: ReadonlyArray<FlagLine>) => Read<ReadonlyArray<Item>>
  /** The strategies of the settings: their stages, and what they closed since. */
  readonly strategies: (strategies: Settings["strategies"]) => Read<ReadonlyArray<Item>>
  readonly linkage: Read<Linkage>
  readonly server: Read<ServerLook>
  /** Of the latest fills of our own orders; `withMetadata` names the sources that come with metadata. */
  readonly recentLinkage: (withMetadata: ReadonlyArray<string>) => Read<RecentLinkage>
  /** Acknowledges an alert, which closes one that is an event. Null when there is no such alert. */
  readonly acknowledgeAlert: (given: {
    readonly id: string
    readonly by: string
    readonly note: string | null
  }) => Read<Item | null>
}

export class ReadStore extends Context.Service<ReadStore, ReadStoreService>()("holdfast/layers/ReadStore") {}
