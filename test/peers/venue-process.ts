/**
 * A paper venue as a process of its own, and a wire to its database that a test can cut or freeze.
 *
 * Verbs: start, kill, stop, waitUntil; relay.open, relay.freeze, relay.cut. The venue is seen only through HTTP.
 *
 * Promises: every wait has a deadline and names what it waited for; a process ends with the scope it was started in.
 * Never: sleeps for a guess, or signals a process it did not start.
 */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { resolve } from "node:path"

const program = resolve(import.meta.dirname, "../../peers/paper-broker/main.ts")

export interface VenueProcess {
  readonly url: string
  readonly lines: ReadonlyArray<string>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Exit status and signal, once the process has ended. */
  readonly exited: Effect.Effect<readonly [number | null, NodeJS.Signals | null]>
}

interface Running {
  readonly child: ChildProcess
  readonly lines: Array<string>
  readonly exit: Promise<readonly [number | null, NodeJS.Signals | null]>
}

const launch = (args: ReadonlyArray<string>): Running => {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] })
  const lines: Array<string> = []
  let rest = ""
  child.stdout.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n")
    rest = parts.pop() ?? ""
    lines.push(...parts)
  })
  const exit = new Promise<readonly [number | null, NodeJS.Signals | null]>((settle) => {
    child.on("close", (code, signal) => settle([code, signal]))
  })
  return { child, lines, exit }
}

/** Runs the program and waits until it has ended; for starts that are refused. */
export const runToEnd = (args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const { exit, lines } = launch(args)
    const [code] = await exit
    return { code, lastLine: lines.at(-1) ?? "" }
  }).pipe(Effect.timeout("15 seconds"))

/** Looks every `everyMs`, at most ten seconds. */
export const waitUntil = <A, E, R>(
  what: string,
  look: Effect.Effect<A | undefined, E, R>,
  everyMs = 20
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 10_000 / everyMs; tries++) {
      const found = yield* look
      if (found !== undefined) return found
      yield* Effect.sleep(everyMs)
    }
    return yield* Effect.die(new Error(`waited ten seconds for ${what}`))
  })

/** Starts the program and waits until it listens. It is killed with the scope. */
export const startProcess = (args: ReadonlyArray<string>): Effect.Effect<VenueProcess, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* Effect.acquireRelease(
      Effect.sync(() => launch(args)),
      ({ child, exit }) => {
        child.kill("SIGCONT")
        child.kill("SIGKILL")
        return Effect.promise(() => exit)
      }
    )
    const listening = Effect.sync(() =>
      running.lines.find((line) => line.includes('"event":"venue.listening"'))
    )
    const line = yield* waitUntil("the venue to listen", listening)
    const { annotations } = JSON.parse(line) as { annotations: { url: string } }
    return {
      url: annotations.url,
      lines: running.lines,
      kill: (signal) => Effect.sync(() => void running.child.kill(signal)),
      exited: Effect.promise(() => running.exit).pipe(Effect.timeout("15 seconds"), Effect.orDie)
    }
  })

/** A TCP wire to a unix socket that can be closed, opened and frozen while connections are up. */
export const relayTo = (socketPath: string) =>
  Effect.gen(function* () {
    const pairs = new Set<readonly [Socket, Socket]>()
    let frozen = false
    let open = false
    const server = createServer((near) => {
      if (!open) return void near.destroy()
      const far = connect(socketPath)
      const pair = [near, far] as const
      pairs.add(pair)
      for (const [from, to] of [
        [near, far],
        [far, near]
      ] as const) {
        from.on("data", (bytes) => void (frozen || to.write(bytes)))
        from.on("error", () => {})
        from.on("close", () => {
          to.destroy()
          pairs.delete(pair)
        })
      }
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))),
      () =>
        Effect.sync(() => {
          for (const pair of pairs) for (const end of pair) end.destroy()
          server.close()
        })
    )
    return {
      port: (server.address() as AddressInfo).port,
      open: Effect.sync(() => void ((open = true), (frozen = false))),
      /** Bytes vanish; connections stay. */
      freeze: Effect.sync(() => void (frozen = true)),
      cut: Effect.sync(() => {
        open = false
        for (const pair of pairs) for (const end of pair) end.destroy()
      })
    }
  })
