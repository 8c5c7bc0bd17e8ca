/**
 * Process marks: the port to what this host knows of processes, ours and earlier ones.
 *
 * Promises: our own mark is the same for as long as we live; `seen` shows a process that ended and was not yet reaped by
 * its parent as none, because it runs nothing any more.
 * Never: guesses: a host that cannot name itself gives a mark that proves nothing.
 */
import { Context } from "effect"
import type { ProcessMark, ProcessSeen } from "../../domain/platform/node-life.ts"

export interface ProcessMarksService {
  readonly self: ProcessMark
  readonly seen: (pid: number) => ProcessSeen
}

export class ProcessMarks extends Context.Service<ProcessMarks, ProcessMarksService>()(
  "holdfast/layers/ProcessMarks"
) {}
