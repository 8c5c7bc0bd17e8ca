/**
 * Runs an example as its reader would: `node examples/x.ts`, in a process of its own, to its end.
 *
 * Promises: the lines it printed and its exit status; one that does not end is killed after its deadline, and reported.
 * Never: leaves a process behind.
 */
import { execFile } from "node:child_process"

/** An example ends by itself within seconds, half a minute on a machine that is busy. */
export const exampleMsMax = 60_000

export interface ExampleRun {
  readonly status: number | string
  readonly lines: ReadonlyArray<string>
  readonly stderr: string
}

/** Runs `node file` in `directory`; `file` is relative to it. */
export const runExample = (directory: string, file: string): Promise<ExampleRun> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [file],
      { cwd: directory, timeout: exampleMsMax, killSignal: "SIGKILL" },
      (error, stdout, stderr) =>
        resolve({
          status: error === null ? 0 : (error.signal ?? error.code ?? 1),
          lines: stdout.split("\n").filter((line) => line !== ""),
          stderr
        })
    )
  })

/** The lines that match, in order, each cut down to what the pattern says. */
export const matching = (run: ExampleRun, pattern: RegExp): ReadonlyArray<string> =>
  run.lines.flatMap((line) => pattern.exec(line)?.[0] ?? [])
