/**
 * The supervision tree of holdfast, as one literal.
 *
 * Reading it answers what runs, what restarts what, how long each may take to start and to stop, and what
 * happens when restarting does not help. Children start from first to last and stop from last to first, so the
 * order of the root is the order of T8 read backwards (docs/decisions/0005-tree-order.md).
 *
 * Promises: a start here needs no SQL and no peer, so the tree is up in milliseconds and names what is missing;
 * `readiness: "required"` marks what taking a webhook durably needs, and nothing else.
 * Never: holds logic beyond leaving out what ROLES leaves out.
 */
import type { FeedSettings, Settings } from "../domain/kernel/settings.ts"
import { CANARY } from "../domain/kernel/canary.ts"
import { AGENTS } from "../domain/decision/agents.ts"
import { dynamic, supervisor, worker } from "../runtime/child-spec.ts"
import { agentActor } from "./decision/agent.actor.ts"
import { accountActors } from "./execution/account.actor.ts"
import { alertsActor } from "./alerts/alerts.actor.ts"
import { breakersActor } from "./execution/breakers.actor.ts"
import { brokerActor } from "./execution/broker.actor.ts"
import { canaryActor } from "./operators/canary.actor.ts"
import { databaseActor } from "./database/database.actor.ts"
import { exitsActor } from "./execution/exits.actor.ts"
import { expectedSignalsActor } from "./operators/expected-signals.actor.ts"
import { feedActor } from "./feeds/feed.actor.ts"
import { heartbeatActor } from "./operators/heartbeat.actor.ts"
import { httpActor } from "./api/http.actor.ts"
import { journalActor } from "./health/journal.actor.ts"
import { marketActor } from "./market/market.actor.ts"
import { nodeActor } from "./execution/node.actor.ts"
import { paperVenueActor } from "./venues/paper-venue.actor.ts"
import { pipelineActor } from "./decision/pipeline.actor.ts"
import { practiceSignalsActor } from "./operators/practice-signals.actor.ts"
import { refusedPostsActor } from "./intake/refused-posts.actor.ts"
import { reconcilerActor } from "./execution/reconciler.actor.ts"
import { riskActor } from "./execution/risk.actor.ts"
import { resourcesActor } from "./operators/resources.actor.ts"
import { retentionActor } from "./operators/retention.actor.ts"
import { signalServerActor } from "./feeds/signal-server.actor.ts"
import { sinkActor } from "./operators/sink.actor.ts"
import { spoolActor } from "./intake/spool.actor.ts"
import { telegramActor } from "./operators/telegram.actor.ts"
import { tradingStateActor } from "./control/trading-state.actor.ts"
import { voterActor } from "./decision/voter.actor.ts"
import { wavesActor } from "./feeds/waves.actor.ts"

/** Delays between restarts: a transient fault passes before anyone notices, a lasting one costs an attempt every ten seconds. */
const backoff = { firstMs: 100, factor: 2, maxMs: 10_000, jitter: "full", resetAfterMs: 30_000 } as const
/** Five restarts in a minute are more than any transient fault needs. */
const budget = { max: 5, withinMs: 60_000 } as const
/** T7: used up means the process exits 70 and the service manager starts it again. */
const vital = { backoff, whenExhausted: { action: "escalate" }, readiness: "optional" } as const
/** T7: used up means state `failed`, a HIGH alert and a slow retry; nothing else is touched. */
const local = {
  backoff,
  budget,
  whenExhausted: { action: "park", retryEveryMs: 30_000 },
  readiness: "optional"
} as const
/** Supervisors restart at once: the delays are their children's. */
const vitalGroup = {
  whenExhausted: { action: "escalate" },
  readiness: "optional",
  intensity: budget
} as const
const localGroup = { whenExhausted: local.whenExhausted, readiness: "optional", intensity: budget } as const

/** Brokers of these settings that live inside this process. */
const embedded = (settings: Settings): ReadonlyArray<string> =>
  Object.entries(settings.brokers).flatMap(([name, broker]) => (broker.url === null ? [name] : []))

/** The account and the broker of the canary, which no settings name. */
const canaryOf = ({ canary }: Settings): ReadonlyArray<string> => (canary.everyMs === null ? [] : [CANARY])

const instancesOf = (names: ReadonlyArray<string>) => names.map((name) => ({ id: name, args: name }))

/** A dead quote feed must never stop a broker in mid-order: one_for_one. */
const trading = (settings: Settings) =>
  supervisor({
    ...vitalGroup,
    id: "trading",
    strategy: "one_for_one",
    children: [
      worker({ ...local, id: "market", start: marketActor, stopBudgetMs: 2_000 }),
      ...embedded(settings).map((name) =>
        worker({ ...local, id: `paper-venue:${name}`, start: paperVenueActor(name), stopBudgetMs: 3_000 })
      ),
      dynamic({
        ...vitalGroup,
        id: "brokers",
        template: { ...local, start: (name: string) => brokerActor(name), stopBudgetMs: 2_000 },
        instances: instancesOf([...Object.keys(settings.brokers), ...canaryOf(settings)])
      }),
      dynamic({
        ...vitalGroup,
        id: "accounts",
        // T8: an executor finishes its round trip; the deadline of a create is below this.
        template: { ...local, start: accountActors(), stopBudgetMs: 6_000 },
        instances: instancesOf([...Object.keys(settings.accounts), ...canaryOf(settings)])
      }),
      worker({ ...vital, id: "reconciler", start: reconcilerActor(), stopBudgetMs: 3_000 }),
      worker({ ...vital, id: "exits", start: exitsActor(), stopBudgetMs: 3_000 }),
      // Its rows decide: parked, it opens and closes nothing, and what is open stays open.
      worker({ ...local, id: "breakers", start: breakersActor(), stopBudgetMs: 3_000 }),
      // Fails closed when parked: its figures become too old, and loss limits deny entries.
      worker({ ...local, id: "risk", start: riskActor(), stopBudgetMs: 3_000 }),
      // Before the pipeline that asks them. A parked agent abstains.
      supervisor({
        ...localGroup,
        id: "agents",
        strategy: "one_for_one",
        children: AGENTS.map((agent) =>
          worker({ ...local, id: agent, start: agentActor(agent), stopBudgetMs: 1_000 })
        )
      }),
      // A parked voter abstains, and what it decides is denied unless its settings say otherwise.
      ...Object.entries(settings.voters).map(([name, voter]) =>
        worker({ ...local, id: `voter:${name}`, start: voterActor(name, voter), stopBudgetMs: 1_000 })
      ),
      worker({ ...vital, id: "pipeline", start: pipelineActor(), stopBudgetMs: 5_000 })
    ]
  })

const feedWorkers = (name: string, feed: FeedSettings) => [
  ...(feed.url === null
    ? [
        worker({
          ...local,
          id: `signal-server:${name}`,
          start: signalServerActor(name, feed.practiceSignals),
          stopBudgetMs: 2_000
        })
      ]
    : []),
  worker({ ...local, id: `feed:${name}`, start: feedActor(name, feed), stopBudgetMs: 2_000 })
]

/**
 * A feed's faults stay its own: one_for_one, and a parked feed touches neither another feed nor trading. Its
 * scheduler comes after it, so that at the stop nobody waits for signals of a feed that is gone.
 */
const feeds = ({ feeds, roles }: Settings) =>
  supervisor({
    ...localGroup,
    id: "feeds",
    strategy: "one_for_one",
    children: Object.entries(feeds).flatMap(([name, feed]) => [
      ...(roles.has("feeds") ? feedWorkers(name, feed) : []),
      ...(roles.has("waves")
        ? // Releasing a wave is one statement; its own deadline is the database's.
          [worker({ ...local, id: `waves:${name}`, start: wavesActor(name), stopBudgetMs: 3_000 })]
        : [])
    ])
  })

/** What looks at this process and this installation; nothing else depends on it. */
const monitors = ({ canary, roles }: Settings) =>
  supervisor({
    ...localGroup,
    id: "monitors",
    strategy: "one_for_one",
    children: [
      // It enters by the intake of this process.
      ...(roles.has("http") && canary.everyMs !== null
        ? [worker({ ...local, id: "canary", start: canaryActor(canary.everyMs), stopBudgetMs: 2_000 })]
        : []),
      worker({ ...local, id: "resources", start: resourcesActor, stopBudgetMs: 2_000 })
    ]
  })

/** Signals of practice mode's own, where they are asked for; they enter by the intake of this process. */
const practiceSignals = ({ mode, practice, roles }: Settings) =>
  mode === "PRACTICE" && practice.signalEveryMs > 0 && roles.has("http")
    ? [
        worker({
          ...local,
          id: "practice-signals",
          start: practiceSignalsActor(practice.signalEveryMs),
          stopBudgetMs: 2_000
        })
      ]
    : []

/** Ways out for alerts, each on its own: one that is dead is an alert on the others. */
const sinks = ({ alerts: { heartbeat, sinks } }: Settings) => [
  ...Object.entries(sinks).map(([name, sink]) =>
    worker({ ...local, id: `sink:${name}`, start: sinkActor(name, sink), stopBudgetMs: 2_000 })
  ),
  ...(heartbeat === null
    ? []
    : [worker({ ...local, id: "heartbeat", start: heartbeatActor(heartbeat), stopBudgetMs: 2_000 })])
]

/** What people and other programs are told, and what looks after their rows. */
const operators = (settings: Settings) =>
  supervisor({
    ...localGroup,
    id: "operators",
    children: [
      worker({ ...local, id: "alerts", start: alertsActor, stopBudgetMs: 2_000 }),
      worker({ ...local, id: "trading-state", start: tradingStateActor, stopBudgetMs: 2_000 }),
      worker({ ...local, id: "retention", start: retentionActor, stopBudgetMs: 2_000 }),
      // Only who takes posts knows that none came.
      ...(settings.roles.has("http")
        ? [worker({ ...local, id: "expected-signals", start: expectedSignalsActor, stopBudgetMs: 2_000 })]
        : []),
      ...practiceSignals(settings),
      ...(settings.roles.has("telegram") && settings.telegram.token !== null
        ? [worker({ ...local, id: "telegram", start: telegramActor, stopBudgetMs: 2_000 })]
        : []),
      ...sinks(settings)
    ]
  })

/** The whole tree for these settings. */
export const rootSupervisor = (settings: Settings) =>
  supervisor({
    id: "root",
    strategy: "one_for_one",
    intensity: budget,
    children: [
      // First up, last down: health must be able to show what the others are doing.
      worker({ ...vital, id: "http", start: httpActor, stopBudgetMs: 5_000, readiness: "required" }),
      // A fast shutdown of the embedded server took 60 ms at most; ten seconds cover a checkpoint on a slow disk.
      worker({ ...vital, id: "database", start: databaseActor, stopBudgetMs: 10_000, readiness: "required" }),
      // Before all whose transitions it stores, so after them at the stop, and before the database.
      worker({ ...local, id: "journal", start: journalActor, stopBudgetMs: 2_000 }),
      // After everything that may refuse a post at the stop, and before the database.
      ...(settings.roles.has("http")
        ? [
            worker({ ...local, id: "refused-posts", start: refusedPostsActor, stopBudgetMs: 2_000 }),
            // Its files are below DATA_DIR, which the database component holds: after it at the start, before it at the stop.
            worker({ ...local, id: "spool", start: spoolActor, stopBudgetMs: 2_500 })
          ]
        : []),
      // Before everything that is held under the node's lease, so after it at the stop.
      ...(settings.roles.has("accounts") || settings.roles.has("waves")
        ? [worker({ ...vital, id: "node", start: nodeActor(), stopBudgetMs: 3_000 })]
        : []),
      // After operators and trading at the stop (T8).
      ...(settings.roles.has("monitors") ? [monitors(settings)] : []),
      operators(settings),
      // Before trading, so after it at the stop (T8): what the pipeline still decides may be stored until then.
      ...(settings.roles.has("feeds") || settings.roles.has("waves") ? [feeds(settings)] : []),
      ...(settings.roles.has("accounts") ? [trading(settings)] : [])
    ]
  })
