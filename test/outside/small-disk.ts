/**
 * A disk of a few megabytes that a test can fill: a file system in memory, mounted for one test.
 *
 * Promises: what was mounted is unmounted by `remove`; where mounting is not allowed, `reasonNoSmallDisk` names the reason
 * and nothing is left behind.
 * Never: fills anything but the disk it made.
 */
import { execFileSync } from "node:child_process"
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { waitUntil } from "../support/exchange.ts"

const mountProgram = "/bin/mount"
const unmountProgram = "/bin/umount"

const mount = (folder: string, megabytes: number): void => {
  mkdirSync(folder, { recursive: true })
  execFileSync(mountProgram, ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=755`, "tmpfs", folder], {
    stdio: "pipe"
  })
}

/** Why no small disk can be made here; null when one can. */
export const reasonNoSmallDisk = (): string | null => {
  if (process.getuid?.() !== 0) return "only root may mount"
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-mount-"))
  try {
    mount(folder, 1)
    execFileSync(unmountProgram, [folder])
    return null
  } catch {
    return "mounting is not allowed here"
  } finally {
    rmdirSync(folder)
  }
}

export class SmallDisk {
  readonly folder: string

  constructor(folder: string, megabytes: number) {
    this.folder = folder
    mount(folder, megabytes)
  }

  get #ballast(): string {
    return path.join(this.folder, "ballast")
  }

  /** Takes all the space that is left; once more, what others freed meanwhile. */
  fill(): void {
    const file = openSync(this.#ballast, "a")
    try {
      for (const size of [1_048_576, 4_096]) writeUntilFull(file, Buffer.alloc(size))
    } finally {
      closeSync(file)
    }
  }
  free(): void {
    rmSync(this.#ballast, { force: true })
  }
  /** Unmounts it as soon as nobody uses it any more. */
  async remove(): Promise<void> {
    await waitUntil(
      "the disk to be unused",
      () => {
        execFileSync(unmountProgram, [this.folder], { stdio: "pipe" })
        return true
      },
      10_000
    )
  }
}

const writeUntilFull = (file: number, chunk: Buffer): void => {
  try {
    for (;;) writeSync(file, chunk)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
  }
}
