/**
 * SpoolDisk on the file system: a directory below DATA_DIR, for the holder of its lock.
 *
 * A file is opened for each call. A handle that is kept would save 30 us of a write that waits milliseconds for its disk, and would
 * have to be given up after every error, because what a failed fsync has left of a file is unknown to whoever holds it open.
 *
 * Promises: those of the port; only the user of the service can read the files, because they contain what senders wrote.
 * Never: follows a symbolic link to a file.
 * Failure: `DiskFault` with the code of the system call; an operation past its deadline goes on behind the caller's back, and
 * the caller must not use that file again.
 */
import { Effect, Layer } from "effect"
import { constants } from "node:fs"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { spoolLimits } from "../../domain/kernel/limits-kept.ts"
import { Config } from "../platform/config.port.ts"
import { errorCodeOf } from "../platform/error-code.ts"
import { DiskFault, SpoolDisk, type SpoolDiskService } from "./spool-disk.port.ts"

/** No room of any kind: the disk, the user's quota, or the size of a file. */
const full: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"])

const operate = <A>(
  operation: string,
  file: string,
  deadlineMs: number,
  work: () => Promise<A>
): Effect.Effect<A, DiskFault> => {
  const fault = (code: string) => new DiskFault({ operation, file, code, full: full.has(code) })
  return Effect.tryPromise({ try: work, catch: (cause) => fault(errorCodeOf(cause) ?? String(cause)) }).pipe(
    Effect.timeoutOrElse({
      duration: deadlineMs,
      orElse: () => Effect.fail(fault(`no answer within ${deadlineMs} ms`))
    })
  )
}

/** Opens, works, and closes whatever happened. */
const withFile = async <A>(
  file: string,
  flags: number,
  work: (handle: fs.FileHandle) => Promise<A>
): Promise<A> => {
  const handle = await fs.open(file, flags | constants.O_NOFOLLOW, 0o600)
  try {
    return await work(handle)
  } finally {
    await handle.close()
  }
}

/** The name of a new or removed file is only on the disk when its directory is. */
const flushDirectory = (directory: string): Promise<void> =>
  withFile(directory, constants.O_RDONLY | constants.O_DIRECTORY, (handle) => handle.sync())

/** Makes the directory where it is missing. Its own name is in the one above. */
const makeDirectory = async (directory: string): Promise<void> => {
  const first = await fs.mkdir(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = directory; made.length >= first.length; made = path.dirname(made))
    await flushDirectory(path.dirname(made))
}

export const spoolDiskAt = (directory: string): SpoolDiskService => {
  const at = (name: string): string => path.join(directory, name)
  const write = (name: string, flags: number, bytes: Buffer): Promise<void> =>
    withFile(at(name), flags, async (handle) => {
      await handle.writeFile(bytes)
      await handle.datasync()
    })
  const append = constants.O_WRONLY | constants.O_APPEND
  const create = append | constants.O_CREAT | constants.O_EXCL
  const file = <A>(operation: string, name: string, work: () => Promise<A>) =>
    operate(operation, at(name), spoolLimits.fileMsMax, work)
  return {
    directory,
    list: operate("list", directory, spoolLimits.fileMsMax, async () => {
      await makeDirectory(directory)
      const entries = await fs.readdir(directory, { withFileTypes: true })
      return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : []))
    }),
    read: (name) =>
      file("read", name, () => withFile(at(name), constants.O_RDONLY, (handle) => handle.readFile())),
    create: (name, bytes) =>
      operate("write", at(name), spoolLimits.writeMsMax, async () => {
        await write(name, create, bytes)
        await flushDirectory(directory)
      }),
    append: (name, bytes) =>
      operate("write", at(name), spoolLimits.writeMsMax, () => write(name, append, bytes)),
    cut: (name, bytes) =>
      file("cut", name, () =>
        withFile(at(name), constants.O_WRONLY, async (handle) => {
          await handle.truncate(bytes)
          await handle.datasync()
        })
      ),
    remove: (name) =>
      file("remove", name, async () => {
        await fs.rm(at(name), { force: true })
        await flushDirectory(directory)
      }),
    rename: (name, to) =>
      file("rename", name, async () => {
        await fs.rename(at(name), at(to))
        await flushDirectory(directory)
      }),
    probe: file("write", "probe", async () => {
      await makeDirectory(directory)
      await fs.rm(at("probe"), { force: true })
      try {
        await write("probe", create, Buffer.alloc(spoolLimits.probeBytes))
      } finally {
        await fs.rm(at("probe"), { force: true })
      }
    })
  }
}

/** The directory `spool` below DATA_DIR. */
export const spoolDiskNode: Layer.Layer<SpoolDisk, never, Config> = Layer.effect(
  SpoolDisk,
  Effect.map(Config, ({ dataDir }) => spoolDiskAt(path.join(dataDir, "spool")))
)
