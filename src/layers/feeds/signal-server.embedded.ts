/**
 * Embedded signal server: the peer program of peers/signal-server, started inside this process.
 *
 * Promises: one server per feed name, on loopback, on a port of its own; it accepts any token.
 * Never: hands the server anything of ours.
 * Failure: `SignalServerFailed` when it cannot listen.
 */
import { Effect, Layer, Result } from "effect"
import { readScript } from "../../../peers/signal-server/script.ts"
import { startSignalServer } from "../../../peers/signal-server/server.ts"
import { SignalServerFailed, SignalServers } from "./signal-server.port.ts"

/** Nothing starts until `launch`. */
export const layerEmbeddedSignalServers: Layer.Layer<SignalServers> = Layer.sync(SignalServers, () => {
  const addresses = new Map<string, string>()
  return SignalServers.of({
    addressOf: (feed) => addresses.get(feed) ?? null,
    launch: (feed, perWave) =>
      Effect.gen(function* () {
        const failed = (reason: string) => new SignalServerFailed({ feed, reason })
        const script = yield* Effect.mapError(
          Effect.fromResult(Result.mapError(readScript({ perWave }), (problems) => problems.join("; "))),
          failed
        )
        const { url } = yield* Effect.mapError(startSignalServer(script), ({ code, port }) =>
          failed(`cannot listen on port ${port}: ${code}`)
        )
        yield* Effect.acquireRelease(
          Effect.sync(() => addresses.set(feed, url)),
          // The next one may be up before this one is quite down.
          () => Effect.sync(() => addresses.get(feed) === url && addresses.delete(feed))
        )
        return url
      })
  })
})
