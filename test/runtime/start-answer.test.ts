/** What a start may return: the parts of a `Running`, each refused by name when it is something else. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { faultOf } from "../../src/runtime/start-answer.ts"

describe("the answer of a start", () => {
  it.for([
    ["null", null, "null"],
    ["a word", "garbage", "string"],
    ["a run", { run: 5 }, "a run that is not an Effect"],
    ["a drain", { drain: async () => {} }, "a drain that is not an Effect"],
    ["a send", { send: 5 }, "a send that is not a function"],
    ["a status", { status: { state: "Open" } }, "a status that is not a function"],
    ["a mailbox", { mailbox: { depth: 0 } }, "a mailbox that is not a function"]
  ] as const)("%s that cannot be used is refused by name", ([, answer, fault]) => {
    assert.strictEqual(faultOf(answer), fault)
  })
  it("everything or nothing of a Running is fine", () => {
    const all = {
      run: Effect.never,
      drain: Effect.void,
      send: () => "queued",
      status: () => {},
      mailbox: () => {}
    }
    assert.deepStrictEqual([faultOf(all), faultOf({})], [undefined, undefined])
  })
})
