/**
 * Feed actor: one signal feed, its machine joined with its socket and its rows.
 *
 * Promises: the feed's state and counts are visible in its status; `Feeds` knows it while it runs; its alerts are
 * raised at the moment the machine decides them.
 * Never: decides when to connect; holds a signal that is neither stored nor counted.
 */
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Clock, Effect } from "effect"
import type { FeedSettings } from "../../domain/kernel/settings.ts"
import { feedMask } from "../../domain/kernel/settings-secrets.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
import { Feeds, type FeedState, FeedUnavailable } from "../../layers/feeds/feeds.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { SignalServers } from "../../layers/feeds/signal-server.port.ts"
import type { FeedAlert, FeedContext, FeedEvent, FeedNews } from "../../machines/feeds/feed-setup.ts"
import { feedMachine, type FeedSnapshot } from "../../machines/feeds/feed.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { makeBacklog } from "./feed-backlog.ts"
import { absentFeedFigures, feedFigures } from "./feed-figures.ts"
import {
  type FeedCounts,
  noCounts,
  type FeedLink,
  type FeedSession,
  runFeedSession,
  runFeedStoring
} from "./feed-session.ts"
import { nothingReported } from "./feed-unusable.ts"

const detailOf = (context: FeedContext, counts: FeedCounts, waiting: number): Record<string, unknown> => ({
  attempt: context.attempt,
  next_at: isoOf(context.nextAt),
  close_code: context.lastEnd?.code ?? null,
  close_reason: context.lastEnd?.reason ?? null,
  end_kind: context.lastEnd?.kind ?? null,
  connected_since: isoOf(context.connectedSince),
  connects: context.connects,
  flapping: context.flapping,
  messages: counts.messages,
  last_data_at: isoOf(counts.lastDataAt),
  stored: counts.stored,
  duplicates: counts.duplicates,
  ignored: counts.ignored,
  unusable: counts.unusable,
  conflicts: counts.conflicts,
  refused: counts.refused,
  let_go: counts.letGo,
  waiting,
  paused: context.paused
})

/** The state as an operator reads it: where the connection is, and whether what it delivers can be stored. */
const nameOf = (snapshot: FeedSnapshot): string => {
  if (!snapshot.matches("Session")) return typeof snapshot.value === "string" ? snapshot.value : "BackingOff"
  if (snapshot.matches({ Session: "Connecting" })) return "Connecting"
  if (snapshot.matches({ Session: "Authenticating" })) return "Authenticating"
  if (snapshot.matches({ Session: { Live: { storage: "WaitingForDatabase" } } }))
    return "Live.WaitingForDatabase"
  return snapshot.context.flapping ? "Live.Flapping" : "Live"
}

/** A feed that flaps counts as away between two moments of being live, until a connection has proved good (T2). */
const tagsOf = ({ context, tags }: FeedSnapshot): ReadonlyArray<string> =>
  context.flapping ? [...new Set<string>([...tags, "degraded"])] : [...tags]

const publicStates: ReadonlyArray<FeedState> = [
  "Connecting",
  "Authenticating",
  "Live",
  "BackingOff",
  "CredentialRefused",
  "Stopped"
]
const publicState = (name: string): FeedState =>
  publicStates.find((state) => name === state || name.startsWith(`${state}.`)) ?? "Absent"

/** Kinds of alerts that are resolved once the feed is live. */
const endedByLive: ReadonlyArray<string> = ["feed.not_recovered", "feed.credentials_refused"]

/** Actions of the machine that leave it: an alert, a line of the log. Neither waits. */
const voices = (name: string, component: string) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const run = Effect.runSyncWith(yield* Effect.context())
    return {
      raise: (_of: unknown, { kind, message, severity }: FeedAlert) =>
        run(
          alerts.raise({
            kind,
            message,
            severity,
            component,
            dedupKey: `${kind}/${name}`,
            ...(endedByLive.includes(kind) ? { standing: true } : {})
          })
        ),
      logNews: ({ context }: { readonly context: FeedContext }, news: FeedNews) => {
        switch (news.event) {
          case "feed.live":
            for (const kind of endedByLive)
              run(alerts.resolve(`${kind}/${name}`, `the signal feed ${name} is live`))
            return run(logEvent("info", news.event, `the signal feed ${name} is live`, { component }))
          case "feed.ended": {
            const { code, kind, reason } = news.end
            return run(logEvent("warn", news.event, reason, { component, kind, code }))
          }
          case "feed.waiting":
            return run(
              logEvent("info", news.event, `next attempt in ${context.delayMs} ms`, {
                component,
                attempt: context.attempt,
                next_at: isoOf(context.nextAt)
              })
            )
        }
      }
    }
  })

const plan = effectActor("feed.plan", () =>
  Effect.gen(function* () {
    return { jitter: (yield* Entropy).next(), at: yield* Clock.currentTimeMillis }
  })
)

interface Look extends Pick<FeedContext, "connectedSince" | "connects"> {
  readonly state: string
}

/** Registers a running feed for its callers and the scraper, until its scope ends. */
const published = (
  { backlog, counts, name, path }: FeedSession,
  send: (event: FeedEvent) => unknown,
  look: () => Look
) =>
  Effect.gen(function* () {
    const feeds = yield* Feeds
    const figures = yield* Figures
    const state = () => publicState(look().state)
    const reading = () => {
      const { connects } = look()
      return { isLive: state() === "Live", connects, counts, waiting: backlog.size() }
    }
    const asFigures = () =>
      figures.show(
        path,
        (nowMs) => feedFigures(name, reading(), nowMs),
        () => absentFeedFigures(name)
      )
    const asFeed = () =>
      feeds.publish(name, {
        state,
        connectedSinceMs: () => look().connectedSince,
        requestSignals: Effect.suspend(() => {
          if (state() !== "Live")
            return Effect.fail(new FeedUnavailable({ feed: name, reason: `it is ${look().state}` }))
          send({ type: "signals.ask" })
          return backlog.answer
        }),
        reconnect: (reason) => void send({ type: "feed.reconnect", reason })
      })
    for (const show of [asFigures, asFeed])
      yield* Effect.acquireRelease(Effect.sync(show), (withdraw) => Effect.sync(withdraw))
  })

/** The component `root/feeds/feed:<name>`. */
export const feedActor = (name: string, settings: FeedSettings) => (self: ChildSelf) =>
  Effect.gen(function* () {
    const servers = yield* SignalServers
    const backlog = makeBacklog()
    const counts = noCounts()
    const link: FeedLink = { connection: null, paused: false, missed: false }
    let last: Pick<FeedContext, "connectedSince" | "connects"> = { connectedSince: null, connects: 0 }
    const url = () => settings.url ?? servers.addressOf(name)
    const mask = feedMask(settings)
    const session: FeedSession = {
      name,
      path: self.path,
      settings,
      url,
      mask,
      counts,
      backlog,
      link,
      reported: nothingReported()
    }
    const running = yield* machineChild({
      machine: feedMachine,
      input: { feed: name, ...settings },
      actors: {
        session: streamActor("feed.session", (channel) => runFeedSession(session, channel)),
        storing: streamActor("feed.storing", (channel) => runFeedStoring(session, channel)),
        watchDatabase: watchDatabase(),
        plan
      },
      actions: yield* voices(name, self.path),
      stopEvent: { type: "feed.stop" },
      status: (snapshot) => {
        last = snapshot.context
        return {
          state: nameOf(snapshot),
          tags: tagsOf(snapshot),
          detail: detailOf(snapshot.context, counts, backlog.size())
        }
      }
    })(self)
    if (!("send" in running) || running.send === undefined || running.status === undefined) return running
    yield* published(session, running.send, () => {
      const { state } = running.status?.() ?? { state: "Stopped" }
      return { state, ...last }
    })
    return running
  })
