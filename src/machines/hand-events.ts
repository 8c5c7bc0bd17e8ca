/**
 * Events that somebody may send to a machine by hand, in practice mode: to see what it does when it hears of something.
 *
 * An event with data cannot come from a button, and one that its supervisor sends to end a machine has commands of its own. The listener
 * and the database are not here: what goes wrong with them nobody could put right from outside.
 *
 * Promises: each of them is an event of its machine, and one without data: else this file does not compile; a machine that is not listed
 * takes none.
 * Never: sends anything.
 */
import type { AnyStateMachine, EventFrom } from "xstate"
import { accountMachine } from "./execution/account.machine.ts"
import { alertsMachine } from "./alerts/alerts.machine.ts"
import { breakersMachine } from "./execution/breakers.machine.ts"
import { brokerMachine } from "./execution/broker.machine.ts"
import { canaryMachine } from "./operators/canary.machine.ts"
import { exitsMachine } from "./execution/exits.machine.ts"
import { expectedSignalsMachine } from "./operators/expected-signals.machine.ts"
import { feedMachine } from "./feeds/feed.machine.ts"
import { journalMachine } from "./health/journal.machine.ts"
import { marketMachine } from "./market/market.machine.ts"
import { nodeMachine } from "./execution/node.machine.ts"
import { paperVenueMachine } from "./venues/paper-venue.machine.ts"
import { pipelineMachine } from "./decision/pipeline.machine.ts"
import { practiceSignalsMachine } from "./operators/practice-signals.machine.ts"
import { reconcilerMachine } from "./execution/reconciler.machine.ts"
import { refusedPostsMachine } from "./intake/refused-posts.machine.ts"
import { retentionMachine } from "./operators/retention.machine.ts"
import { riskMachine } from "./execution/risk.machine.ts"
import { sinkMachine } from "./operators/sink.machine.ts"
import { spoolMachine } from "./intake/spool.machine.ts"
import { telegramMachine } from "./operators/telegram.machine.ts"
import { tradingStateMachine } from "./control/trading-state.machine.ts"
import { voterMachine } from "./decision/voter.machine.ts"
import { wavesMachine } from "./feeds/waves.machine.ts"

/** The types of the events that have a type and nothing else. */
type Bare<Event> = Event extends { readonly type: infer Type extends string }
  ? keyof Event extends "type"
    ? Type
    : never
  : never

const of = <Machine extends AnyStateMachine>(
  _machine: Machine,
  ...events: ReadonlyArray<Bare<EventFrom<Machine>>>
): ReadonlyArray<string> => events

const database = ["database.available", "database.unavailable"] as const

const byMachine: Readonly<Record<string, ReadonlyArray<string>>> = {
  account: of(accountMachine, ...database, "lease.free", "lease.lost", "orders.waiting", "reconcile.wanted"),
  alerts: of(alertsMachine, ...database, "alerts.raised"),
  breakers: of(breakersMachine, ...database, "breakers.rang"),
  broker: of(brokerMachine, ...database, "stream.connected", "venue.serves"),
  canary: of(canaryMachine, ...database, "trading.active"),
  exits: of(exitsMachine, ...database, "exit.due", "positions.changed"),
  "expected-signals": of(expectedSignalsMachine, ...database),
  feed: of(
    feedMachine,
    ...database,
    "message.received",
    "pong.framed",
    "pong.received",
    "reading.paused",
    "reading.resumed",
    "signals.ask",
    "signals.received",
    "socket.opened",
    "stats.received"
  ),
  journal: of(journalMachine, ...database),
  market: of(marketMachine, "market.ticked"),
  node: of(nodeMachine, ...database, "lease.lost"),
  "paper-venue": of(paperVenueMachine, ...database, "venue.serving"),
  pipeline: of(pipelineMachine, ...database),
  "practice-signals": of(practiceSignalsMachine, ...database),
  reconciler: of(reconcilerMachine, ...database),
  "refused-posts": of(refusedPostsMachine, ...database, "batch.stored"),
  retention: of(retentionMachine, ...database),
  risk: of(riskMachine, ...database, "risk.rang"),
  sink: of(sinkMachine, ...database, "outbox.filled"),
  spool: of(spoolMachine, ...database),
  telegram: of(telegramMachine, ...database),
  "trading-state": of(tradingStateMachine, ...database, "tradingState.changed"),
  voter: of(voterMachine, "voter.answered"),
  waves: of(wavesMachine, ...database)
}

/** The names of the machines that take some. */
export const handMachines: ReadonlyArray<string> = Object.keys(byMachine)

/** Those of a machine of the catalog; null: of none. */
export const handEventsOf = (machine: string | null): ReadonlyArray<string> =>
  machine !== null && Object.hasOwn(byMachine, machine) ? (byMachine[machine] ?? []) : []
