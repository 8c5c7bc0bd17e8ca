/**
 * A PostgreSQL that is external to the service and belongs to one test, so that the test may do to it what happens to servers.
 *
 * The run's shared server holds the databases of other tests and of the venue, whose book is the judge's evidence; this one
 * may be killed. It is durable, as the launcher starts it.
 *
 * Promises: the same cluster and the same URL over all of its lives; it dies with the test that started it.
 * Never: signals a server it did not start.
 */
import { mkdtempSync, rmSync, chmodSync } from "node:fs"
import path from "node:path"
import { Effect, Exit, Logger, Redacted, Scope } from "effect"
import { type SocketTarget, urlOf } from "../../src/layers/database/database-target.ts"
import { processTree } from "../../src/layers/database/postgres-pid-file.ts"
import { embeddedServer } from "../../src/layers/database/postgres-server.embedded.ts"
import type { RunningServer } from "../../src/layers/database/postgres-server.port.ts"
import { administer } from "./postgres-admin.ts"
import { seedCluster } from "./postgres.ts"
import { scratchRoot } from "./scratch.ts"

export class PostgresHost {
  readonly #directory: string
  #scope: Scope.Closeable | null = null
  #running: RunningServer | null = null

  private constructor(directory: string) {
    this.#directory = directory
  }

  static async open(): Promise<PostgresHost> {
    const directory = mkdtempSync(path.join(scratchRoot(), "holdfast host-"))
    chmodSync(directory, 0o711)
    await Effect.runPromise(seedCluster(directory))
    const host = new PostgresHost(directory)
    await host.start()
    return host
  }

  get target(): SocketTarget {
    if (this.#running === null) throw new Error("the server was never started")
    return this.#running.target as SocketTarget
  }
  get url(): string {
    return Redacted.value(urlOf(this.target))
  }
  /** The postmaster first; empty while there is none. */
  get processes(): ReadonlyArray<number> {
    const pid = this.#running?.pid
    return pid === undefined ? [] : processTree(pid)
  }

  async start(): Promise<void> {
    this.#scope = Effect.runSync(Scope.make())
    this.#running = await Effect.runPromise(
      embeddedServer({ dataDir: this.#directory }).start.pipe(
        Effect.provide(Logger.layer([])),
        Scope.provide(this.#scope)
      )
    )
  }

  /** Ends the server (SIGKILL: a crash, SIGINT: a fast shutdown, SIGQUIT: an immediate one); `start` begins the next life. */
  async end(signal: "SIGKILL" | "SIGINT" | "SIGQUIT"): Promise<void> {
    const running = this.#running
    if (running?.pid === undefined || this.#scope === null) return
    process.kill(running.pid, signal)
    await Effect.runPromise(running.exited)
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
    this.#scope = null
  }

  /** One statement on a connection of its own. */
  async alter(statement: string): Promise<void> {
    await Effect.runPromise(administer(this.target, statement))
  }

  async dispose(): Promise<void> {
    if (this.#scope !== null) await Effect.runPromise(Scope.close(this.#scope, Exit.void))
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
