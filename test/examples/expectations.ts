/**
 * What each example must show, in words its reader would use; the checkout and the installed package are judged alike.
 *
 * Promises: only what does not depend on the machine's speed is expected: order and counts, never times.
 */
import { expect } from "vitest"
import { type ExampleRun, matching } from "../support/example-run.ts"

const count = (run: ExampleRun, pattern: RegExp) => matching(run, pattern).length

const crashAndReturn = (run: ExampleRun) => {
  expect(matching(run, /counter, life \d: 3/)).toEqual([1, 2, 3, 4].map((life) => `counter, life ${life}: 3`))
  expect(matching(run, /attempt \d, next in \d+ ms: DivisionByZero/)).toEqual([
    "attempt 1, next in 20 ms: DivisionByZero",
    "attempt 2, next in 40 ms: DivisionByZero",
    "attempt 3, next in 80 ms: DivisionByZero"
  ])
  expect(count(run, /^Parked root\/counter#4/)).toBe(1)
  expect(run.lines).toContain("root/clock: running, 0 restarts, last error: none")
  expect(run.lines).toContain("root/counter: failed, 3 restarts, last error: DivisionByZero")
  expect(run.lines.at(-1)).toBe("stopped, killed: 0")
}

const nestedEscalation = (run: ExampleRun) => {
  // One group dies, its sibling stops with it each time: three lives of the session in each of two groups.
  expect(run.lines).toContain("the session lived 6 times")
  expect(count(run, /^Stopped root\/venue\/orders#/)).toBe(6)
  expect(matching(run, /^Escalated \S+ \S+/)).toEqual([
    "Escalated root/venue/session#3 group_budget:",
    "Escalated root/venue/session#3 group_budget:",
    "Escalated root/venue#2 group_budget:"
  ])
  expect(count(run, /^Stopped root\/journal#1/)).toBe(1)
  expect(run.lines.at(-1)).toMatch(
    /^the tree gave up: root gave up because of root\/venue .*session refused by the venue$/
  )
}

const flakySocket = (run: ExampleRun) => {
  expect(matching(run, /^server: connection \d .*/).slice(0, 5)).toEqual([
    "server: connection 1 closes politely",
    "server: connection 2 resets",
    "server: connection 3 falls silent",
    "server: connection 4 sends rubbish",
    "server: connection 5 works"
  ])
  expect(matching(run, /-> BackingOff \(xstate\.\w+/).slice(0, 3)).toEqual([
    "-> BackingOff (xstate.done",
    "-> BackingOff (xstate.error",
    "-> BackingOff (xstate.after"
  ])
  // Everything the network did was the machine's business; only the bug was the supervisor's.
  expect(matching(run, /^child_terminated .*/)).toEqual([
    "child_terminated root/client#1: Error: not a number: rubbish"
  ])
  expect(run.lines).toContain("client: Connecting.Live, ready true, 1 restarts")
  expect(run.lines.at(-1)).toBe("stopped, killed: 0")
}

/** By file name. A new example needs its place here: the test of the folder says so. */
export const expectations: Readonly<Record<string, (run: ExampleRun) => void>> = {
  "crash-and-return.ts": crashAndReturn,
  "flaky-socket.ts": flakySocket,
  "nested-escalation.ts": nestedEscalation
}
