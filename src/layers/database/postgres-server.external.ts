/**
 * PostgreSQL server, external: DATABASE_URL points at a server that we do not run.
 *
 * Promises: starting it is a no-op, so it always succeeds; its end is never reported to us.
 * Never: connects. Whether it answers is for the probe to find out.
 * Failure: a server that is away shows in the probe, not in the start.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DatabaseTarget } from "./database-target.ts"
import { PostgresServer, type PostgresServerService } from "./postgres-server.port.ts"

export const externalServer = (target: DatabaseTarget): PostgresServerService => ({
  kind: "external",
  target,
  pid: () => null,
  start: Effect.succeed({ target, pid: undefined, mode: "external", startedInMs: 0, exited: Effect.never })
})

export const layerExternal = (target: DatabaseTarget): Layer.Layer<PostgresServer> =>
  Layer.succeed(PostgresServer, externalServer(target))
