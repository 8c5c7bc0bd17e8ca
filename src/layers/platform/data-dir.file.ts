/**
 * Data directory on the file system: `flock` on `DATA_DIR/holdfast.lock`.
 *
 * Node has no flock, but a lock belongs to the open file, not to the process that asked for it: `flock -n 3` (from the
 * package that also brings setpriv) locks the descriptor it inherits and leaves; the lock stays with ours until the
 * kernel closes it, SIGKILL included. It also holds between containers that share the directory, where PostgreSQL's
 * own interlock is blind.
 *
 * Promises: race-free and without stale locks: there is nothing to clean up after a crash.
 * Never: judges by the pid in the file; that is for people.
 * Failure: `DataDirLocked`, `DataDirUnusable`.
 * Rejected: an abstract unix socket (one per network namespace, so two containers would both win); a pid file (races,
 * reused pids); a native module (7 MB of memory for one call).
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { errorCodeOf } from "./error-code.ts"
import { readNote, writeNote } from "./data-dir-note.file.ts"
import {
  DataDir,
  DataDirLocked,
  type DataDirService,
  DataDirUnusable,
  type HeldDataDir
} from "./data-dir.port.ts"
import { Entropy, type EntropyService } from "./entropy.port.ts"
import { inRealTime, runCommand } from "./subprocess.node.ts"

/** `flock -n` answers at once; what takes this long hangs. */
const flockMsMax = 10_000

/** Exit status we request from `flock` when another process has the lock; its default, 1, could mean anything. */
const conflictStatus = 75

/** BSD systems lock in `open` itself: O_EXLOCK, which Node does not name. */
const exclusiveOpen = 0x20

const lockName = "holdfast.lock"
const modeNote = "mode"

const unusable = (directory: string, hint: string) => (cause: unknown) =>
  new DataDirUnusable({ path: directory, cause, hint })

const pidIn = (file: string): number | undefined => {
  try {
    const pid = Number(fs.readFileSync(file, "utf8").split("\n")[0])
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

const lockedBy = (directory: string): DataDirLocked => {
  const pid = pidIn(path.join(directory, lockName))
  const who = pid === undefined ? "the other holdfast" : `the holdfast with pid ${pid}`
  return new DataDirLocked({ path: directory, pid, hint: `stop ${who}, or set another DATA_DIR` })
}

/**
 * Creates a directory and its parents, one by one. Node's own `recursive` retries endlessly when an existing parent
 * reports ENOENT (as /proc does): it never returns, and with it nothing else of this process.
 */
const makeDirectories = (directory: string, mode: number): void => {
  if (fs.existsSync(directory)) return
  const parent = path.dirname(directory)
  if (parent !== directory) makeDirectories(parent, mode)
  try {
    fs.mkdirSync(directory, { mode })
  } catch (cause) {
    // Another process made it between the look and the call.
    if (!fs.existsSync(directory)) throw cause
  }
}

/** Opens the lock's file even when an empty directory, or a mode that locks out its owner, was left in its place. */
const openPlain = (file: string, flags: number): number => {
  try {
    return fs.openSync(file, flags, 0o644)
  } catch (cause) {
    const code = errorCodeOf(cause)
    if (code === "EISDIR") fs.rmdirSync(file)
    else if (code === "EACCES") fs.chmodSync(file, 0o644)
    else throw cause
    return fs.openSync(file, flags, 0o644)
  }
}

const openLockFile = (directory: string): Effect.Effect<number, DataDirLocked | DataDirUnusable> =>
  Effect.try({
    try: () => {
      // 0711: an embedded server that runs as another user passes through; nobody else can list it.
      makeDirectories(directory, 0o711)
      const flags = fs.constants.O_RDWR | fs.constants.O_CREAT
      const locking = process.platform === "darwin" ? exclusiveOpen | fs.constants.O_NONBLOCK : 0
      return openPlain(path.join(directory, lockName), flags | locking)
    },
    catch: (cause) => {
      const code = errorCodeOf(cause)
      if (process.platform === "darwin" && (code === "EAGAIN" || code === "EWOULDBLOCK"))
        return lockedBy(directory)
      return unusable(
        directory,
        "DATA_DIR must be creatable and writable by the user that runs holdfast"
      )(cause)
    }
  })

const lock = (directory: string, descriptor: number): Effect.Effect<void, DataDirLocked | DataDirUnusable> =>
  Effect.gen(function* () {
    if (process.platform === "darwin") return
    const result = yield* runCommand(
      { file: "flock", args: ["-n", "-E", String(conflictStatus), "3"], descriptors: [descriptor] },
      flockMsMax
    )
    if (result.code === 0) return
    if (result.code === conflictStatus) return yield* lockedBy(directory)
    const cause = new Error(
      result.startError ?? (result.timedOut ? "flock did not finish in time" : result.output.trim())
    )
    return yield* unusable(
      directory,
      "the command `flock` of util-linux is needed, on a file system that can lock"
    )(cause)
  })

/** The file's first line names the holder of the lock, for whoever is refused. */
const sign = (descriptor: number): void => {
  fs.ftruncateSync(descriptor, 0)
  fs.writeSync(descriptor, `${process.pid}\nsince ${new Date().toISOString()}\n`, 0)
}

/** The node's identity: created once. An unreadable one is recreated: a new node, which shares no lease with the old. */
const readNodeId = (directory: string, entropy: EntropyService): string => {
  const known = readNote(directory, "node-id") ?? ""
  if (/^[0-9a-f-]{36}$/.test(known)) return known
  const made = entropy.uuid()
  writeNote(directory, "node-id", made)
  return made
}

const hold = (
  directory: string,
  entropy: EntropyService
): Effect.Effect<HeldDataDir, DataDirLocked | DataDirUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    const descriptor = yield* Effect.acquireRelease(openLockFile(directory), (fd) =>
      Effect.sync(() => {
        fs.closeSync(fd)
      })
    )
    yield* lock(directory, descriptor)
    return yield* Effect.try({
      try: () => {
        sign(descriptor)
        const mode = readNote(directory, modeNote)
        return {
          path: directory,
          nodeId: readNodeId(directory, entropy),
          bootId: entropy.uuid(),
          mode: mode || null
        }
      },
      catch: unusable(directory, "DATA_DIR must be writable and not full")
    })
  }).pipe(inRealTime)

export const dataDirAt = (directory: string, entropy: EntropyService): DataDirService => {
  const resolved = path.resolve(directory)
  const note = (text: string): Effect.Effect<void, DataDirUnusable> =>
    Effect.try({
      try: () => writeNote(resolved, modeNote, text),
      catch: unusable(resolved, "DATA_DIR must be writable and not full")
    })
  return { path: resolved, hold: hold(resolved, entropy), rememberMode: note, forgetMode: note("") }
}

export const layerDataDir = (directory: string): Layer.Layer<DataDir, never, Entropy> =>
  Layer.effect(
    DataDir,
    Effect.map(Entropy, (entropy) => dataDirAt(directory, entropy))
  )
