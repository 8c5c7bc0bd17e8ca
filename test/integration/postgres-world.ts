/**
 * A world for the launcher's tests: lives of a service to start and kill, and questions about what is left.
 *
 * Verbs only; scenario and assertion stay in the tests. Every wait has a deadline, and whatever a test leaves behind
 * (a process, a directory) is gone with its scope.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { seedCluster } from "../support/postgres.ts"
import { scratchRoot } from "../support/scratch.ts"
import { signalAll } from "../support/signals.ts"
import { isServerOf, processTree } from "../../src/layers/database/postgres-pid-file.ts"
import type { LifeLine, LifeOptions } from "./postgres-life.ts"

export const isRoot = process.getuid?.() === 0

/** A directory of its own, removed with the scope. `mode` 0711: a server that runs as another user passes through. */
export const temporaryDirectory = (
  name = "holdfast world",
  mode = 0o711,
  root = scratchRoot()
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const directory = fs.mkdtempSync(path.join(root, `${name}-`))
      fs.chmodSync(directory, mode)
      return directory
    }),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
  )

/** A data directory whose cluster is already initialised: what most tests want. */
export const seededDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.tap(
  temporaryDirectory(),
  seedCluster
)

/** Generous: the machine that runs the tests may do much else, and none of them is about speed. */
export const patience = { timeout: 300_000 } as const

/** Another installation of the binaries at `to`: hard links where the system allows, `links: false` leaves symlinks out. */
export const installBinaries = (from: string, to: string, options: { readonly links: boolean }): void => {
  fs.mkdirSync(to, { recursive: true })
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)]
    if (entry.isDirectory()) installBinaries(source, target, options)
    else if (!entry.isSymbolicLink()) {
      try {
        fs.linkSync(source, target)
      } catch {
        fs.copyFileSync(source, target)
      }
    } else if (options.links) fs.symlinkSync(fs.readlinkSync(source), target)
  }
}

/** Polls until `look` gives something, at most `withinMs`. */
export const until = <A>(what: string, look: () => A | undefined, withinMs = 60_000): Effect.Effect<A> =>
  Effect.promise(async () => {
    const deadline = performance.now() + withinMs
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

const parentOf = (pid: number): number | undefined => {
  try {
    return Number(/\) . (\d+) /.exec(fs.readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1])
  } catch {
    return undefined
  }
}

/**
 * Postmasters of this cluster that the kernel lists, whoever started them. A backend that has just been forked still
 * bears its postmaster's command line.
 */
export const serversOf = (cluster: string): ReadonlyArray<number> => {
  const named = fs
    .readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && isServerOf(pid, cluster))
  return named.filter((pid) => !named.includes(parentOf(pid) ?? 0))
}

/** False for a zombie too: it has ended, and only waits for its parent to take notice. */
const isAlive = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) [ZX] /.test(fs.readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

/** No postmaster, and no backend, of the cluster is left. */
export const noServerLeft = (cluster: string, backends: ReadonlyArray<number> = []): Effect.Effect<true> =>
  until(`no server of ${cluster}`, () => {
    const alive = backends.filter(isAlive)
    return serversOf(cluster).length === 0 && alive.length === 0 ? true : undefined
  })

/**
 * Stops the server first, so that it starts no further process, and then those it has. All of them, to thaw.
 *
 * The list is read a second time: proc(5) promises every child only of a process whose children are stopped.
 */
export const freezeTree = (pid: number): ReadonlyArray<number> => {
  process.kill(pid, "SIGSTOP")
  signalAll(processTree(pid), "SIGSTOP")
  const tree = processTree(pid)
  signalAll(tree, "SIGSTOP")
  return tree
}

export const thawTree = (tree: ReadonlyArray<number>): void => signalAll(tree, "SIGCONT")

export interface Life {
  readonly child: ChildProcess
  readonly lines: ReadonlyArray<LifeLine>
  /** The last line of this kind so far, waited for. */
  readonly said: <K extends LifeLine["say"]>(
    kind: K,
    nth?: number
  ) => Effect.Effect<Extract<LifeLine, { say: K }>>
  readonly acked: () => ReadonlyArray<string>
  /** Signals it and waits for its end; gives the exit code. */
  readonly end: (signal: NodeJS.Signals) => Effect.Effect<number | null>
}

const program = fileURLToPath(new URL("./postgres-life.ts", import.meta.url))

export interface LifeStart extends LifeOptions {
  /** Run as this uid and gid (needs root). */
  readonly uid?: number
}

/** Starts a life; it is killed with the scope. */
export const startLife = (options: LifeStart): Effect.Effect<Life, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { uid, ...rest } = options
      const node = [process.execPath, program, JSON.stringify(rest)]
      const drop =
        uid === undefined ? [] : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"]
      const [file = "", ...args] = [...drop, ...node]
      const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"], cwd: "/" })
      const lines: Array<LifeLine> = []
      let rest_ = ""
      child.stdout.on("data", (chunk: Buffer) => {
        const parts = (rest_ + chunk.toString("utf8")).split("\n")
        rest_ = parts.pop() ?? ""
        for (const part of parts) if (part.startsWith("{")) lines.push(JSON.parse(part) as LifeLine)
      })
      const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)))
      const life: Life = {
        child,
        lines,
        said: <K extends LifeLine["say"]>(kind: K, nth = 1) =>
          until(`a life says ${kind} (${nth})`, () => {
            const failed = lines.find((line) => line.say === "failed")
            if (failed !== undefined && kind !== "failed")
              throw new Error(`the life failed: ${JSON.stringify(failed)}`)
            return lines.filter((line) => line.say === kind)[nth - 1] as
              | Extract<LifeLine, { say: K }>
              | undefined
          }),
        acked: () => lines.flatMap((line) => (line.say === "acked" ? [line.id] : [])),
        end: (signal) =>
          Effect.promise(() => {
            child.kill(signal)
            return ended
          })
      }
      return life
    }),
    (life) => life.end("SIGKILL")
  )
