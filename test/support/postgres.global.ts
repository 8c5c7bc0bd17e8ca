/**
 * The PostgreSQL server of a test run: one for all test files, started when the first of them needs it.
 *
 * Test files run in processes of their own, so the server belongs to the runner's process: it dies with it (the kernel
 * sees to that, see the launcher). Files ask over a unix socket: "server" starts it, "template" also migrates a template
 * database once, from which each file's own database is copied in some 50 ms; "seed" makes a stopped cluster once, which
 * tests that run servers of their own copy instead of paying for an initdb each. A run without such files starts nothing.
 *
 * Promises: no server and no directory survive the run; directories of runs that were killed are swept by the next.
 * Never: is durable: fsync is off, which no test of this server may rely on. Crash tests start servers of their own.
 */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { Effect, Exit, Logger, Scope } from "effect"
import type { TestProject } from "vitest/node"
import { applySchema } from "../../src/layers/database/database-schema.pg.ts"
import type { SocketTarget } from "../../src/layers/database/database-target.ts"
import { connectOnce } from "../../src/layers/database/postgres-process.ts"
import { embeddedServer } from "../../src/layers/database/postgres-server.embedded.ts"
import { administer } from "./postgres-admin.ts"
import { scratchRoot } from "./scratch.ts"
import { signalGuard } from "./signal-guard.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Unix socket where test files ask for the shared server. */
    postgresDesk: string
  }
}

export const templateName = "holdfast_template"
const prefix = "holdfast-test-"
const settings = [
  "fsync=off",
  "full_page_writes=off",
  "max_connections=200",
  "shared_buffers=64MB",
  "autovacuum=off"
]

/** Directories of our own runs whose process is gone; those of another user are that user's to remove. */
const sweep = (): void => {
  for (const name of fs.readdirSync(scratchRoot())) {
    const pid = Number(/^holdfast-test-(\d+)-/.exec(name)?.[1] ?? Number.NaN)
    if (!Number.isInteger(pid) || fs.existsSync(`/proc/${pid}`) || process.platform !== "linux") continue
    const directory = path.join(scratchRoot(), name)
    if (fs.statSync(directory, { throwIfNoEntry: false })?.uid === process.getuid?.())
      fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** A shared server: started at most once, its template made at most once. */
export const makeDesk = (directory: string) => {
  const scope = Effect.runSync(Scope.make())
  let server: Promise<SocketTarget> | undefined
  let template: Promise<SocketTarget> | undefined
  const start = () => {
    server ??= Effect.runPromise(
      embeddedServer({ dataDir: path.join(directory, "data"), extraSettings: settings }).start.pipe(
        Effect.map((running) => running.target as SocketTarget),
        // The server's log is for a person at a console; a test run is none.
        Effect.provide(Logger.layer([])),
        Scope.provide(scope)
      )
    )
    return server
  }
  const migrate = () => {
    template ??= start().then(async (target) => {
      await Effect.runPromise(connectOnce(target, templateName))
      const made = { ...target, database: templateName }
      await Effect.runPromise(applySchema({ target: made }))
      for (const statement of signalGuard) await Effect.runPromise(administer(made, statement))
      return target
    })
    return template
  }
  let cluster: Promise<string> | undefined
  const seed = () => {
    const dataDir = path.join(directory, "seed")
    cluster ??= Effect.runPromise(
      Effect.scoped(embeddedServer({ dataDir }).start).pipe(
        Effect.as(path.join(dataDir, "postgres")),
        Effect.provide(Logger.layer([]))
      )
    )
    return cluster
  }
  return { start, migrate, seed, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const answer = async (desk: ReturnType<typeof makeDesk>, request: string): Promise<string> => {
  try {
    if (request === "seed") return JSON.stringify({ seed: await desk.seed() })
    return JSON.stringify({ target: await (request === "template" ? desk.migrate() : desk.start()) })
  } catch (cause) {
    return JSON.stringify({
      error: cause instanceof Error ? `${cause.message} ${String(cause.cause ?? "")}` : String(cause)
    })
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  sweep()
  const directory = fs.mkdtempSync(path.join(scratchRoot(), `${prefix}${process.pid}-`))
  fs.chmodSync(directory, 0o711)
  const desk = makeDesk(directory)
  const listener = net.createServer((socket) => {
    socket.once("data", (request) => {
      void answer(desk, request.toString("utf8").trim()).then((text) => socket.end(text))
    })
    socket.on("error", () => socket.destroy())
  })
  const address = path.join(directory, "desk.sock")
  await new Promise<void>((resolve, reject) => listener.once("error", reject).listen(address, resolve))
  listener.unref()
  project.provide("postgresDesk", address)
  return async () => {
    listener.close()
    await desk.close()
    fs.rmSync(directory, { recursive: true, force: true })
  }
}
