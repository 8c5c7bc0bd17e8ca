/**
 * Process marks from /proc.
 *
 * Linux counts the start of a process in ticks since the boot and names each boot with a random id; the namespace of
 * process ids is part of the mark too, because two containers of one host share the boot and not the ids.
 *
 * Promises: a mark that cannot be read completely has no host, so nothing is ever proven by it.
 * Never: signals a process to find out whether it lives.
 * Failure: what cannot be read proves nothing. A process that may not be seen (hidepid) would look gone, so its own
 * mark must be visible the same way first.
 */
import * as fs from "node:fs"
import { Layer } from "effect"
import type { ProcessMark, ProcessSeen } from "../../domain/platform/node-life.ts"
import { ProcessMarks, type ProcessMarksService } from "./process-mark.port.ts"

const read = (file: string): string | null => {
  try {
    return fs.readFileSync(file, "utf8").trim()
  } catch {
    return null
  }
}

const link = (file: string): string | null => {
  try {
    return fs.readlinkSync(file)
  } catch {
    return null
  }
}

/** Field 3 is the state, field 22 the start; the name in parentheses before them may hold anything, also parentheses. */
const STATE_FIELD = 0
const START_FIELD = 19

/** `proc` is replaced by tests. */
export const seenIn = (proc: string, pid: number): ProcessSeen => {
  const stat = read(`${proc}/${pid}/stat`)
  if (stat === null) return null
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const state = fields[STATE_FIELD]
  const startedAt = fields[START_FIELD]
  // A zombie and a dead process run nothing.
  return startedAt === undefined || state === "Z" || state === "X" ? null : { startedAt }
}

/** hidepid hides the processes of other users: one of them may live although nothing is seen of it. */
const hidesOthers = (proc: string): boolean => {
  const mounts = read(`${proc}/self/mounts`)
  return mounts === null || mounts.split("\n").some((line) => / \/proc proc .*hidepid=(?!0|off)/u.test(line))
}

export const processMarksIn = (proc: string, pid: number): ProcessMarksService => {
  const boot = read(`${proc}/sys/kernel/random/boot_id`)
  const namespace = link(`${proc}/self/ns/pid`)
  const seen = seenIn(proc, pid)
  const known = boot !== null && namespace !== null && seen !== null && !hidesOthers(proc)
  const self: ProcessMark = {
    host: known ? `${boot} ${namespace}` : null,
    pid,
    startedAt: seen?.startedAt ?? ""
  }
  return { self, seen: (other) => seenIn(proc, other) }
}

export const layerProcessMarks: Layer.Layer<ProcessMarks> = Layer.sync(ProcessMarks, () =>
  processMarksIn("/proc", process.pid)
)
