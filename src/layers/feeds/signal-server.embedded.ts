/**
 * Embedded signal server: the peer program of peers/signal-server, started inside this process.
 *
 * Promises: one server per feed name, on loopback, on a port of its own; it accepts any token.
 * Never: hands the server anything of ours.
 * Failure: `SignalServerFailed` when it cannot listen.
 */
import { Effect, Layer, Result } from "effect"
import { readScript } from "../../../peers/signal-server/script.ts"
import { type SignalServer, startSignalServer } from "../../../peers/signal-server/server.ts"
import { SignalServerFailed, SignalServers } from "./signal-server.port.ts"

/** Nothing starts until `launch`. */
export const layerEmbeddedSignalServers: Layer.Layer<SignalServers> = Layer.sync(SignalServers, () => {
  const running = new Map<string, SignalServer>()
  return SignalServers.of({
    addressOf: (feed) => running.get(feed)?.url ?? null,
    cut: (feed) => {
      const server = running.get(feed)
      server?.cut()
      return server !== undefined
    },
    launch: (feed, perWave) =>
      Effect.gen(function* () {
        const failed = (reason: string) => new SignalServerFailed({ feed, reason })
        const script = yield* Effect.mapError(
          Effect.fromResult(Result.mapError(readScript({ perWave }), (problems) => problems.join("; "))),
          failed
        )
        const server = yield* Effect.mapError(startSignalServer(script), ({ code, port }) =>
          failed(`cannot listen on port ${port}: ${code}`)
        )
        yield* Effect.acquireRelease(
          Effect.sync(() => running.set(feed, server)),
          // The next one may be up before this one is quite down.
          () => Effect.sync(() => running.get(feed) === server && running.delete(feed))
        )
        return server.url
      })
  })
})
