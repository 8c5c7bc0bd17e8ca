/** Bounded mailboxes with a declared overflow policy. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { worker } from "../../src/runtime/child-spec.ts"
import { Mailbox } from "../../src/runtime/mailbox.ts"
import { SpecInvalid } from "../../src/runtime/spec-validation.ts"
import { node, settled, start, startError } from "./probe-tree.ts"

const fill = (overflow: "drop_oldest" | "drop_newest" | "reject") => {
  const lost: Array<string> = []
  const mailbox = new Mailbox<number>({ capacity: 2, overflow }, (letter, reason) =>
    lost.push(`${letter} ${reason}`)
  )
  const answers = [1, 2, 3].map((letter) => mailbox.offer(letter))
  return { answers, lost, left: [mailbox.poll(), mailbox.poll(), mailbox.poll()], depth: mailbox.depth() }
}

describe("mailbox", () => {
  it("drop_oldest keeps the newest letters", () =>
    assert.deepStrictEqual(fill("drop_oldest"), {
      answers: ["queued", "queued", "queued"],
      lost: ["1 dropped_oldest"],
      left: [2, 3, undefined],
      depth: { depth: 0, capacity: 2, dropped: 1 }
    }))
  it("drop_newest keeps the oldest letters and tells the sender", () =>
    assert.deepStrictEqual(fill("drop_newest"), {
      answers: ["queued", "queued", "dropped_newest"],
      lost: ["3 dropped_newest"],
      left: [1, 2, undefined],
      depth: { depth: 0, capacity: 2, dropped: 1 }
    }))
  it("reject tells the sender", () =>
    assert.deepStrictEqual(fill("reject"), {
      answers: ["queued", "queued", "mailbox_full"],
      lost: ["3 mailbox_full"],
      left: [1, 2, undefined],
      depth: { depth: 0, capacity: 2, dropped: 1 }
    }))
  it.effect("a waiting taker gets the letter at once; an interrupted one gets none", () =>
    Effect.gen(function* () {
      const mailbox = new Mailbox<number>({ capacity: 1, overflow: "reject" })
      const gone = yield* Effect.forkChild(mailbox.take, { startImmediately: true })
      yield* Fiber.interrupt(gone)
      const waiting = yield* Effect.forkChild(mailbox.take, { startImmediately: true })
      mailbox.offer(1)
      assert.strictEqual(yield* settled("the take", waiting), 1)
      mailbox.offer(2)
      assert.strictEqual(yield* mailbox.take, 2)
    })
  )
  it("keeps order and memory bounds over many letters", () => {
    const mailbox = new Mailbox<number>({ capacity: 5_000, overflow: "reject" })
    let next = 0
    let taken = 0
    for (let round = 0; round < 100; round++) {
      for (let index = 0; index < 120; index++) mailbox.offer(next++)
      for (let index = 0; index < 100; index++) assert.strictEqual(mailbox.poll(), taken++)
    }
    assert.strictEqual(mailbox.size, 2_000)
  })
  const faults: ReadonlyArray<readonly [unknown, string]> = [
    [undefined, "mailbox: must be an object, not undefined"],
    [{ overflow: "reject" }, "mailbox.capacity: is missing"],
    [
      { capacity: Number.NaN, overflow: "reject" },
      "mailbox.capacity: must be a whole number of at least 1, not NaN"
    ],
    [
      { capacity: Number.POSITIVE_INFINITY, overflow: "reject" },
      "mailbox.capacity: must be a whole number of at least 1, not Infinity"
    ],
    [
      { capacity: 0, overflow: "drop_oldest" },
      "mailbox.capacity: must be a whole number of at least 1, not 0"
    ],
    [
      { capacity: 1.5, overflow: "reject" },
      "mailbox.capacity: must be a whole number of at least 1, not 1.5"
    ],
    [{ capacity: 1 }, "mailbox.overflow: is missing"],
    [{ capacity: 1, overflow: "drop_old" }, 'mailbox.overflow: must be one of "drop_oldest"'],
    [{ capacity: 1, overflow: "reject", size: 1 }, "mailbox.size: unknown key; known are capacity, overflow"]
  ]
  for (const [options, problem] of faults) {
    it(`has a bound and a policy: ${problem}`, () => {
      let refused: unknown
      try {
        refused = new Mailbox(options as never)
      } catch (error) {
        refused = error
      }
      assert.include(refused instanceof SpecInvalid ? refused.message : "accepted", problem)
    })
  }
  it.effect("a child that asks for a mailbox without a bound does not start, and no restart is tried", () =>
    Effect.gen(function* () {
      const unbounded = worker({
        id: "a",
        initialStart: "retry",
        start: (self) =>
          Effect.sync(() => {
            self.mailbox({ capacity: Number.NaN, overflow: "reject" })
            return {}
          })
      })
      const failed = yield* startError(start([unbounded]))
      assert.strictEqual(failed.failureClass, "configuration")
      assert.include(failed.message, "mailbox.capacity: must be a whole number of at least 1, not NaN")
    })
  )
  it.effect("a child's own mailbox shows its depth in the tree and its losses among the dead letters", () =>
    Effect.gen(function* () {
      const tree = yield* start([
        worker({
          id: "a",
          start: (self) =>
            Effect.sync(() => {
              const inbox = self.mailbox<{ type: string }>({ capacity: 1, overflow: "drop_oldest" })
              return { send: (event) => inbox.offer(event), mailbox: () => inbox.depth() }
            })
        })
      ])
      assert.strictEqual(tree.send("root/a", { type: "one" }), "queued")
      assert.strictEqual(tree.send("root/a", { type: "two" }), "queued")
      assert.deepStrictEqual(node(tree, "a").mailbox, { depth: 1, capacity: 1, dropped: 1 })
      assert.deepStrictEqual(
        tree.deadLetters.latest().map((letter) => `${letter.path} ${letter.eventType} ${letter.reason}`),
        ["root/a one dropped_oldest"]
      )
    })
  )
})
