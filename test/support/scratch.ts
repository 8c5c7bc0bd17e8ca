/**
 * Where tests keep data directories: memory when the machine has some to spare, else the temporary directory.
 *
 * A PostgreSQL cluster is a thousand small synchronised files; on a shared disk creating and removing one takes seconds.
 * A SIGKILL cannot tell the difference: what was written survives the process in either place.
 *
 * Promises: a directory that any user may enter. Never: a place from which programs must be executed (it may be noexec).
 */
import * as fs from "node:fs"
import * as os from "node:os"

const memory = "/dev/shm"
/** Several clusters of 50-100 MB at a time, and as much again left for others. */
const bytesNeeded = 1_500_000_000

const hasRoom = (): boolean => {
  try {
    fs.accessSync(memory, fs.constants.W_OK)
    const { bavail, bsize } = fs.statfsSync(memory)
    return bavail * bsize >= bytesNeeded
  } catch {
    return false
  }
}

export const scratchRoot = (): string => (hasRoom() ? memory : os.tmpdir())
