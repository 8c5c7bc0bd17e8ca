/** The last line before a non-zero exit names a component by its path, and what happened in words. */
import { assert, describe, it } from "@effect/vitest"
import { secondStopVerdict, verdictOfForcedStop } from "../../../src/domain/platform/exit-status.ts"

describe("a stop that was forced", () => {
  it.each([
    ["by a second request", secondStopVerdict, "StopForced", "root"],
    ["by its deadline", verdictOfForcedStop(12_000, []), "StopDeadlinePassed", "root"],
    [
      "by its deadline, which killed",
      verdictOfForcedStop(12_000, ["root/http"]),
      "StopDeadlinePassed",
      "root/http"
    ]
  ])("is status 75 with a path of the tree [%s]", (_, { fatal, status }, error, path) => {
    assert.strictEqual(status, 75)
    assert.deepInclude(fatal, { error, path, step: "stop" })
    assert.match(fatal?.path ?? "", /^root(?:\/[\w:-]+)*$/)
    assert.isNotEmpty(fatal?.hint)
  })

  it("speaks of a deadline only where there was one", () => {
    assert.notInclude(secondStopVerdict.fatal?.cause, "0 ms")
    assert.include(verdictOfForcedStop(12_000, ["root/http"]).fatal?.cause, "12000 ms; killed: root/http")
  })
})
