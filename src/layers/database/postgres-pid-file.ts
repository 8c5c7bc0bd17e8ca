/**
 * PostgreSQL pid file: what `postmaster.pid` claims about a server of this cluster, and what it is worth.
 *
 * The file outlives a killed server, and a crash of the machine may leave anything of it: nothing, zeros, half a line, a
 * pid that an unrelated process has now (usual in containers, where pids are small). PostgreSQL believes it and would
 * refuse to start forever. So a file is never believed here: a process proves it, by its own command line and working
 * directory. What no process proves is a remnant and is removed; the caller holds the lock of DATA_DIR, so nobody creates a new one.
 * A readable file of a dead pid stays: PostgreSQL removes it itself, after a look at the old shared memory.
 *
 * Promises: a process is called ours only when it is `postgres -D <this cluster>`, or a postgres that works in it; a
 * remnant is removed whatever it is (file, directory, link, unreadable), but never while a process of the cluster lives.
 * Never: signals anything; reads more than a few lines; waits on what is not a file.
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { errorCodeOf } from "../platform/error-code.ts"

/** The lines of postmaster.pid that we use. */
export interface PidFile {
  readonly pid: number
  /** Line 8: "starting", "stopping", "ready", "standby"; undefined until written. */
  readonly status: string | undefined
}

/** A pid file of PostgreSQL has some 100 bytes; anything longer is not one. */
const fileBytesMax = 4_096

export const pidFileOf = (cluster: string): string => path.join(cluster, "postmaster.pid")

/** The beginning of a regular file; undefined for anything else, and for what cannot be read. */
const beginningOf = (file: string): string | undefined => {
  try {
    // A pipe in the file's place would be waited on forever.
    if (!fs.lstatSync(file).isFile()) return undefined
    const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    try {
      const bytes = Buffer.alloc(fileBytesMax)
      return bytes.toString("utf8", 0, fs.readSync(descriptor, bytes, 0, fileBytesMax, 0))
    } finally {
      fs.closeSync(descriptor)
    }
  } catch {
    return undefined
  }
}

/** Undefined when there is none, and when its first line is not a pid (empty, garbled, not written yet). */
export const readPidFile = (cluster: string): PidFile | undefined => {
  const lines = beginningOf(pidFileOf(cluster))
    ?.split("\n")
    .map((line) => line.trim())
  const first = lines?.[0] ?? ""
  if (!/^[1-9]\d{0,9}$/.test(first)) return undefined
  const status = lines?.[7]
  return { pid: Number(first), status: status === undefined || status === "" ? undefined : status }
}

/** True for any process the kernel still lists, zombies included: what PostgreSQL's own interlock sees. */
const isListed = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return errorCodeOf(cause) === "EPERM"
  }
}

/** The arguments of a process, empty for a zombie, undefined when it is gone. */
const commandLine = (pid: number): ReadonlyArray<string> | undefined => {
  if (process.platform === "linux") {
    try {
      return fs
        .readFileSync(`/proc/${pid}/cmdline`, "utf8")
        .split("\0")
        .filter((part) => part !== "")
    } catch {
      return undefined
    }
  }
  try {
    // Elsewhere `ps` joins the arguments with spaces; the caller therefore also compares the joined form.
    return [
      execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8", timeout: 2_000 }).trim()
    ]
  } catch {
    return undefined
  }
}

/** Whether this is the working directory of a process, under whatever name the directory was reached. Linux only. */
const worksIn = (pid: number, directory: string): boolean => {
  try {
    const at = fs.statSync(`/proc/${pid}/cwd/.`)
    const wanted = fs.statSync(directory)
    return at.dev === wanted.dev && at.ino === wanted.ino
  } catch {
    return false
  }
}

/** True when `pid` is a postmaster of exactly this cluster. */
export const isServerOf = (pid: number, cluster: string): boolean => {
  const args = commandLine(pid)
  if (args === undefined || args.length === 0) return false
  if (args.length === 1)
    return /\bpostgres\b/.test(args[0] ?? "") && (args[0] ?? "").includes(`-D ${cluster}`)
  if (path.basename(args[0] ?? "") !== "postgres" || !args.includes("-D")) return false
  return args[args.indexOf("-D") + 1] === cluster || worksIn(pid, cluster)
}

/** A backend keeps its postmaster's working directory and calls itself "postgres: <what it does>". */
const isBackendOf = (pid: number, cluster: string): boolean =>
  (commandLine(pid)?.[0]?.startsWith("postgres: ") ?? false) && worksIn(pid, cluster)

/** Every process of the kernel's list; empty where there is no such list. */
const listedPids = (): ReadonlyArray<number> => {
  try {
    return fs.readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  } catch {
    return []
  }
}

/** A living postmaster of the cluster, whatever the pid file claims; without a process list, the file's pid. */
export const findServerOf = (cluster: string): number | undefined => {
  const named = readPidFile(cluster)?.pid
  if (named !== undefined && isServerOf(named, cluster)) return named
  return listedPids().find((pid) => isServerOf(pid, cluster))
}

/** What was in the way of a new server of a cluster without a living postmaster. */
export type PidFileVerdict =
  | { readonly _tag: "Clear" }
  | { readonly _tag: "Removed"; readonly what: string }
  /** Backends of a dead postmaster still end; the file protects them until then. */
  | { readonly _tag: "Draining"; readonly pid: number }

const remnantIn = (cluster: string): string | undefined => {
  try {
    fs.lstatSync(pidFileOf(cluster))
  } catch {
    return undefined
  }
  const file = readPidFile(cluster)
  if (file === undefined) return "names no process"
  return isListed(file.pid) ? `names process ${file.pid}, which is not a server of this cluster` : undefined
}

/**
 * Removes an unproven pid file. Call it when `findServerOf` found no process, under the lock of DATA_DIR. One that
 * cannot be removed is left for the server to refuse, with its own message.
 */
export const clearPidFile = (cluster: string): PidFileVerdict => {
  const what = remnantIn(cluster)
  if (what === undefined) return { _tag: "Clear" }
  const backend = listedPids().find((pid) => isBackendOf(pid, cluster))
  if (backend !== undefined) return { _tag: "Draining", pid: backend }
  return removed(pidFileOf(cluster)) ? { _tag: "Removed", what } : { _tag: "Clear" }
}

const removed = (file: string): boolean => {
  try {
    fs.rmSync(file, { recursive: true, force: true })
    return true
  } catch {
    return false
  }
}

/**
 * Removes sockets and their lock files from the directory of a server that does not run. `setting` is the option that makes
 * a server listen there: while a process has it, nothing is touched. Returns the names removed.
 */
export const clearSocketDirectory = (directory: string, setting: string): ReadonlyArray<string> => {
  const names = fs.readdirSync(directory).filter((name) => name.startsWith(".s.PGSQL."))
  if (names.length === 0) return []
  if (listedPids().some((pid) => commandLine(pid)?.includes(setting) ?? false)) return []
  return names.filter((name) => removed(path.join(directory, name)))
}

/** The postmaster and its children, from the kernel's list. Linux only; elsewhere the postmaster alone. */
export const processTree = (pid: number): ReadonlyArray<number> => {
  try {
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    return [
      pid,
      ...children
        .split(" ")
        .filter((part) => part !== "")
        .map(Number)
    ]
  } catch {
    return [pid]
  }
}
