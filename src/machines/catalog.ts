/**
 * Catalog: the list of every statechart of the service.
 *
 * Diagrams, the console and the tests that walk all machines (deadlines, descriptions, event matrix) read this
 * list, so a machine that is not here is never checked; a test compares it with the folder.
 *
 * Promises: one entry per `*.machine.ts` file, named by its stem.
 * Never: is imported by a machine.
 */
import type { AnyStateMachine } from "xstate"
import { accountMachine } from "./execution/account.machine.ts"
import { agentMachine } from "./decision/agent.machine.ts"
import { alertsMachine } from "./alerts/alerts.machine.ts"
import { breakerMachine } from "./orders/breaker.machine.ts"
import { breakersMachine } from "./execution/breakers.machine.ts"
import { brokerMachine } from "./execution/broker.machine.ts"
import { canaryMachine } from "./operators/canary.machine.ts"
import { databaseMachine } from "./database/database.machine.ts"
import { exitsMachine } from "./execution/exits.machine.ts"
import { expectedSignalsMachine } from "./operators/expected-signals.machine.ts"
import { feedMachine } from "./feeds/feed.machine.ts"
import { heartbeatMachine } from "./operators/heartbeat.machine.ts"
import { httpMachine } from "./api/http.machine.ts"
import { journalMachine } from "./health/journal.machine.ts"
import { marketMachine } from "./market/market.machine.ts"
import { nodeMachine } from "./execution/node.machine.ts"
import { orderMachine } from "./orders/order.machine.ts"
import { paperVenueMachine } from "./venues/paper-venue.machine.ts"
import { pipelineMachine } from "./decision/pipeline.machine.ts"
import { practiceSignalsMachine } from "./operators/practice-signals.machine.ts"
import { reconcilerMachine } from "./execution/reconciler.machine.ts"
import { refusedPostsMachine } from "./intake/refused-posts.machine.ts"
import { resourcesMachine } from "./operators/resources.machine.ts"
import { retentionMachine } from "./operators/retention.machine.ts"
import { riskMachine } from "./execution/risk.machine.ts"
import { sinkMachine } from "./operators/sink.machine.ts"
import { spoolMachine } from "./intake/spool.machine.ts"
import { telegramMachine } from "./operators/telegram.machine.ts"
import { tradingStateMachine } from "./control/trading-state.machine.ts"
import { voterMachine } from "./decision/voter.machine.ts"
import { wavesMachine } from "./feeds/waves.machine.ts"

export interface CatalogEntry {
  /** Stem of the file, for example `paper-venue`. */
  readonly name: string
  readonly machine: AnyStateMachine
}

export const catalog: ReadonlyArray<CatalogEntry> = [
  { name: "account", machine: accountMachine },
  { name: "agent", machine: agentMachine },
  { name: "alerts", machine: alertsMachine },
  { name: "breaker", machine: breakerMachine },
  { name: "breakers", machine: breakersMachine },
  { name: "broker", machine: brokerMachine },
  { name: "canary", machine: canaryMachine },
  { name: "database", machine: databaseMachine },
  { name: "exits", machine: exitsMachine },
  { name: "expected-signals", machine: expectedSignalsMachine },
  { name: "feed", machine: feedMachine },
  { name: "heartbeat", machine: heartbeatMachine },
  { name: "http", machine: httpMachine },
  { name: "journal", machine: journalMachine },
  { name: "market", machine: marketMachine },
  { name: "node", machine: nodeMachine },
  { name: "order", machine: orderMachine },
  { name: "paper-venue", machine: paperVenueMachine },
  { name: "pipeline", machine: pipelineMachine },
  { name: "practice-signals", machine: practiceSignalsMachine },
  { name: "reconciler", machine: reconcilerMachine },
  { name: "refused-posts", machine: refusedPostsMachine },
  { name: "resources", machine: resourcesMachine },
  { name: "retention", machine: retentionMachine },
  { name: "risk", machine: riskMachine },
  { name: "sink", machine: sinkMachine },
  { name: "spool", machine: spoolMachine },
  { name: "telegram", machine: telegramMachine },
  { name: "trading-state", machine: tradingStateMachine },
  { name: "voter", machine: voterMachine },
  { name: "waves", machine: wavesMachine }
]
