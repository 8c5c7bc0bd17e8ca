/**
 * Signal server actor: the practice signal server of a feed without an address, one child per such feed.
 *
 * It has no machine because it has no states: it listens from its start to its end, and a server that cannot listen is
 * a failed start, which its supervisor retries.
 *
 * Promises: it listens before the feed after it starts, and its port is free when it has ended.
 * Never: talks to the feed.
 */
import { Effect } from "effect"
import { SignalServers } from "../../layers/feeds/signal-server.port.ts"
import type { ChildSelf, Running } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** The component `root/feeds/signal-server:<feed>`. */
export const signalServerActor = (feed: string, signalsPerWave: number) => (self: ChildSelf) =>
  Effect.gen(function* () {
    const servers = yield* SignalServers
    const url = yield* servers.launch(feed, signalsPerWave)
    yield* logEvent("info", "signals.listening", `the practice signal server of ${feed} listens`, {
      component: self.path,
      url
    })
    self.setStatus({ state: "Listening", ready: true, tags: ["ready"], detail: { url } })
    const running: Running = {}
    return running
  })
