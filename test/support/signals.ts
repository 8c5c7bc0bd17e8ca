/**
 * Signals to many processes at once, some of which may end by themselves in between.
 *
 * A server forks and reaps backends all the time, so a listing is stale when it is used. What is gone needs no signal;
 * any other refusal of the kernel is a fault of the test and is thrown.
 */
const isGone = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ESRCH"

/** Sends `signal` to each that still exists. */
export const signalAll = (pids: ReadonlyArray<number>, signal: NodeJS.Signals): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
}
