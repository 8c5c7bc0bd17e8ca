/**
 * Options and limits of the paper venue.
 *
 * The venue is a peer: its numbers are its own and live here, not in holdfast's limits. Each has its reason.
 *
 * Promises: durations end in `Ms`, sizes in `Bytes`; relations between limits hold by the order of the numbers below.
 * Never: reads the environment; main.ts does that for the program, an adapter for the embedded venue.
 */
import type { Redacted } from "effect"

/** What the venue does with a client order id it has seen before (within one account). */
export type DuplicateRule = "U" | "R" | "O" | "N"

export interface PaperBrokerOptions {
  /** `postgres://…`; a unix socket as `?host=%2Fdir`. The venue needs the right to create its schema. */
  readonly databaseUrl: Redacted.Redacted
  /** Schema of the venue's tables, created when absent. The venue reads and writes nothing outside it. */
  readonly schema: string
  /** 0 = any free port. */
  readonly port: number
  readonly rule: DuplicateRule
  /** Name of the venue, sent in its hello. */
  readonly venue: string
  /** Seed of the prices; the practice market with the same seed quotes the same. */
  readonly seed: number
  /** Cash of an account when the venue first hears of it, decimal string. `accounts` overrides it by account id. */
  readonly startingCash: string
  readonly accounts: Readonly<Record<string, string>>
  /** What it takes for a trade: a decimal string, at least zero. */
  readonly feeOf: (trade: {
    readonly symbol: string
    readonly quantity: string
    readonly price: string
  }) => string
}

export const venueDefaults = {
  schema: "paper_venue",
  port: 0,
  rule: "U",
  venue: "paper",
  seed: 1,
  startingCash: "100000",
  accounts: {},
  feeOf: () => "0"
} as const

export const venueLimits = {
  /** An order is 300 bytes; 16 KiB is a mistake of the sender. */
  bodyBytesMax: 16_384,
  /** Concurrent requests. More are told to retry: each may hold a connection of the pool. */
  requestsInFlightMax: 256,
  /** What the front ends of venues give an idle connection. Node's 5 s would hide what a client still writes after a pause. */
  idleConnectionMsMax: 75_000,
  /** Two for the order path of two accounts at once, one for look-ups, one for the matcher. */
  poolConnections: 4,
  /** A statement here takes a millisecond. The server ends it first; a call that takes longer has a dead server. */
  statementMsMax: 2_000,
  callMsMax: 3_000,
  connectMsMax: 2_000,
  /** Waits between attempts to reach the database, doubling. */
  databaseRetryMsFirst: 100,
  databaseRetryMsMax: 2_000,
  /** How often resting orders are compared with the price. Equal to the step of the practice price: sooner sees nothing new. */
  sweepEveryMs: 250,
  /** The net under a venue without open orders. */
  sweepIdleMs: 10_000,
  /** Orders that a sweep reads at once. */
  sweepOrdersMax: 500,
  /** Orders waiting for the matcher; what does not fit is found by the next sweep. */
  matcherQueueMax: 1_024,
  /** A stream that lets this much pile up is cut: its client can refetch, memory cannot be regained. */
  streamBufferBytesMax: 1_048_576,
  streamsMax: 64,
  /** Rows of one answer; a client pages with `after_sequence` or `after`. */
  pageRowsMax: 500,
  /** Characters of any text a client names something with. */
  textLengthMax: 128
} as const
