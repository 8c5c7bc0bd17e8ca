/**
 * A stopwatch that does not run while the machine stands still.
 *
 * A bound from above on a duration says something about what is measured only as long as the process that measures is given
 * its turns. Where it gets none, because the machine is suspended or busy with others, the same bound measures the machine.
 *
 * Promises: of the time between start and reading, what this process did not stand still.
 * Never: forgives work of this process that blocks its own event loop, unless nothing else is measured: use it where the
 * measured one waits.
 */

const tickMs = 10
let lastTick = performance.now()
let stoodMs = 0
setInterval(() => {
  stoodMs = stood()
  lastTick = performance.now()
}, tickMs).unref()

/** Milliseconds without a turn so far, the present gap included. */
const stood = (): number => stoodMs + Math.max(0, performance.now() - lastTick - tickMs)

/** Starts one; answers how long it has run, milliseconds. */
export const stopwatch = (): (() => number) => {
  const from = performance.now()
  const before = stood()
  return () => performance.now() - from - (stood() - before)
}
