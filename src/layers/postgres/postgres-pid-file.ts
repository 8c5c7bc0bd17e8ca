/**
 * PostgreSQL pid file: what `postmaster.pid` says about a server of this cluster, past or present.
 *
 * The file outlives a killed server. PostgreSQL's own interlock handles a dead pid, and old backends of it that still
 * write, better than we could: so it is never deleted for a dead pid. One case it cannot solve: the pid was reused by
 * a stranger (usual in containers, where pids are small), or is a zombie nobody reaps; then the server would refuse to
 * start for ever. Only then, and only when nobody is attached to the old shared memory, the lock files go.
 *
 * Promises: a process is called ours only when its command line is `postgres -D <this cluster>`.
 * Never: signals anything; removes the file of a dead pid or of a running server.
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { errorCodeOf } from "../process/error-code.ts"

/** The lines of postmaster.pid that we use. */
export interface PidFile {
  readonly pid: number
  /** Line 7: id of the shared memory segment; undefined until the server wrote it. */
  readonly sharedMemoryId: number | undefined
  /** Line 8: "starting", "stopping", "ready", "standby"; undefined until written. */
  readonly status: string | undefined
  /** Line 5. */
  readonly socketDirectory: string | undefined
}

export const pidFileOf = (cluster: string): string => path.join(cluster, "postmaster.pid")

/** Undefined when there is none, or when the server has not written its first line yet. */
export const readPidFile = (cluster: string): PidFile | undefined => {
  let text: string
  try {
    text = fs.readFileSync(pidFileOf(cluster), "utf8")
  } catch (cause) {
    if (errorCodeOf(cause) === "ENOENT") return undefined
    throw cause
  }
  const lines = text.split("\n").map((line) => line.trim())
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  const segment = lines[6]?.split(/\s+/)[1]
  return {
    pid,
    sharedMemoryId: segment === undefined ? undefined : Number(segment),
    status: lines[7] === undefined || lines[7] === "" ? undefined : lines[7],
    socketDirectory: lines[4] === undefined || lines[4] === "" ? undefined : lines[4]
  }
}

/** True for any process the kernel still lists, zombies included: what PostgreSQL's own interlock sees. */
export const isListed = (pid: number): boolean => {
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

/** True when `pid` is a postmaster of exactly this cluster. */
export const isServerOf = (pid: number, cluster: string): boolean => {
  const args = commandLine(pid)
  if (args === undefined || args.length === 0) return false
  if (args.length === 1)
    return /\bpostgres\b/.test(args[0] ?? "") && (args[0] ?? "").includes(`-D ${cluster}`)
  const directory = args[args.indexOf("-D") + 1]
  return path.basename(args[0] ?? "") === "postgres" && args.includes("-D") && directory === cluster
}

/** True when somebody may still be attached to the segment. Unknown counts as attached. */
const isAttached = (sharedMemoryId: number | undefined): boolean => {
  if (sharedMemoryId === undefined) return false
  let table: string
  try {
    table = fs.readFileSync("/proc/sysvipc/shm", "utf8")
  } catch {
    return true
  }
  const [header, ...rows] = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
  const id = header?.indexOf("shmid") ?? -1
  const attached = header?.indexOf("nattch") ?? -1
  if (id < 0 || attached < 0) return true
  const row = rows.find((columns) => Number(columns[id]) === sharedMemoryId)
  return row !== undefined && Number(row[attached]) > 0
}

/**
 * Removes the lock files of a server whose pid now belongs to a stranger or a zombie, when its shared memory is free.
 * Returns what it found: `clear` (nothing in the way), `removed`, or `attached` (old backends still live: wait).
 */
export const clearForeignPid = (cluster: string, file: PidFile): "clear" | "removed" | "attached" => {
  if (!isListed(file.pid) || isServerOf(file.pid, cluster)) return "clear"
  if (isAttached(file.sharedMemoryId)) return "attached"
  fs.rmSync(pidFileOf(cluster), { force: true })
  if (file.socketDirectory !== undefined) {
    for (const name of fs.readdirSync(file.socketDirectory)) {
      if (/^\.s\.PGSQL\.\d+(\.lock)?$/.test(name))
        fs.rmSync(path.join(file.socketDirectory, name), { force: true })
    }
  }
  return "removed"
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
