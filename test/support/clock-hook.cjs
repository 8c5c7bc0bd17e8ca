/**
 * A wall clock that a test can turn, loaded before the service (`--require`): a file holds the milliseconds by which `Date`
 * differs from the machine's.
 *
 * It is the clock an operator or NTP steps: `Date` jumps, the monotonic clock and the database's do not. Nothing of the
 * machine is touched, so no privilege is needed.
 *
 * Promises: whole milliseconds, as of any `Date`; a missing or unreadable file is no difference; a change is seen within `LOOK_MS`.
 * Never: does anything without the variable CLOCK_OFFSET, which names the file.
 */
const { readFileSync } = process.getBuiltinModule("node:fs")

const file = process.env["CLOCK_OFFSET"]
const LOOK_MS = 50

if (file !== undefined) {
  const Real = Date
  let offsetMs = 0
  const look = () => {
    try {
      offsetMs = Math.round(Number(readFileSync(file, "utf8"))) || 0
    } catch {
      offsetMs = 0
    }
  }
  look()
  setInterval(look, LOOK_MS).unref()
  class Turned extends Real {
    constructor(...given) {
      if (given.length === 0) super(Real.now() + offsetMs)
      else super(...given)
    }
    static now() {
      return Real.now() + offsetMs
    }
  }
  globalThis.Date = Turned
}
