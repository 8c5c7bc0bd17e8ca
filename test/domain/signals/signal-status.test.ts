import { assert, describe, it } from "vitest"
import {
  SIGNAL_STATUSES,
  SIGNAL_TRANSITIONS,
  type SignalStatus
} from "../../../src/domain/signals/signal-status.ts"
import { signalSteps } from "../../support/signal-guard.ts"

const next = (status: SignalStatus): ReadonlySet<SignalStatus> =>
  new Set(Object.values(SIGNAL_TRANSITIONS[status]))

describe("the life of a signal", () => {
  it("has two ends, and a way to one of them from everywhere else", () => {
    const ends = SIGNAL_STATUSES.filter((status) => next(status).size === 0)
    assert.deepStrictEqual(ends, ["done"])
    for (const status of SIGNAL_STATUSES) {
      const reached = new Set<SignalStatus>([status])
      for (const one of reached) for (const following of next(one)) reached.add(following)
      assert.isTrue(
        ends.some((end) => reached.has(end)),
        status
      )
    }
  })

  it("takes these steps and no others", () => {
    assert.deepStrictEqual(signalSteps, [
      "buffered>received",
      "buffered>rejected",
      "received>processing",
      "received>rejected",
      "processing>received",
      "processing>done",
      "processing>rejected",
      "processing>dead",
      "rejected>received",
      "dead>received"
    ])
  })
})
