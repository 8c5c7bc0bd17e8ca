/** The pure core, driven by hand: what an event of an ended life may do. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { dynamic, supervisor, worker } from "../../src/runtime/child-spec.ts"
import type { Command, CoreEvent } from "../../src/runtime/core-state.ts"
import { normal } from "../../src/runtime/exit-reason.ts"
import { handle, makeCore } from "../../src/runtime/supervisor-core.ts"

it("an event of an earlier incarnation changes nothing about the present one", () => {
  const child = worker({ id: "a", backoff: { firstMs: 0 }, start: () => Effect.succeed({}) })
  const core = makeCore("root", supervisor({ id: "root", children: [child] }), 1, 0)
  const a = core.children.get("a")
  if (a === undefined) throw new Error("no child a")
  const started = (incarnation: number): CoreEvent => ({
    _tag: "Started",
    child: a,
    incarnation,
    ready: true,
    elapsedMs: 0,
    extra: undefined
  })
  const down = (incarnation: number): CoreEvent => ({
    _tag: "Down",
    child: a,
    incarnation,
    reason: normal,
    startFailed: undefined,
    killedAfterMs: undefined,
    elapsedMs: 0
  })
  for (const event of [{ _tag: "Boot" } as const, started(1), down(1), started(2)]) handle(core, event, 0)
  assert.deepStrictEqual([a.phase, a.incarnation], ["running", 2])
  const unready: CoreEvent = { _tag: "Ready", child: a, incarnation: 1, ready: false, state: "Old" }
  for (const late of [unready, { _tag: "Ignored", child: a, incarnation: 1 } as const, down(1)])
    assert.deepStrictEqual(handle(core, late, 0), [])
  assert.deepStrictEqual([a.phase, a.incarnation, a.ready], ["running", 2, true])
})

const many = Array.from({ length: 150 }, (_, n) => `i${n}`)
const dynamicCore = () => {
  const template = { start: () => () => Effect.succeed({}) }
  const core = makeCore(
    "root",
    dynamic({ id: "root", template, instances: many.map((id) => ({ id, args: undefined })) }),
    1,
    0
  )
  const begun: Array<string> = []
  /** Hands an event in; answers the other commands by name. */
  const tell = (event: CoreEvent): ReadonlyArray<Command["_tag"]> =>
    handle(core, event, 0).flatMap((command) => {
      if (command._tag === "Start") begun.push(command.child.id)
      return command._tag === "Start" || command._tag === "Report" ? [] : [command._tag]
    })
  const started = (id: string): CoreEvent => {
    const child = core.children.get(id)
    if (child === undefined) throw new Error(`no child ${id}`)
    return { _tag: "Started", child, incarnation: 1, ready: true, elapsedMs: 0, extra: undefined }
  }
  return { core, begun, tell, started }
}
let tickets = 0
const ask = (verb: "Bounce" | "Pause" | "Terminate", id: string): CoreEvent => ({
  _tag: verb,
  ticket: { number: ++tickets, operation: "test" },
  id
})

it("a dynamic boot begins some instances at a time, and has booted when all are settled", () => {
  const { begun, started, tell } = dynamicCore()
  assert.deepStrictEqual(tell({ _tag: "Boot" }), ["Continue"])
  assert.deepStrictEqual(begun, many.slice(0, 64))
  for (const id of begun.slice()) assert.deepStrictEqual(tell(started(id)), [], id)
  // What an administrator decides about one whose turn has not come holds.
  assert.deepStrictEqual(tell(ask("Pause", "i100")), ["Accept"])
  assert.deepStrictEqual(tell(ask("Terminate", "i101")), ["Accept"])
  tell(ask("Bounce", "i102"))
  assert.deepStrictEqual(tell({ _tag: "GoOn" }), ["Continue"])
  assert.deepStrictEqual(tell({ _tag: "GoOn" }), [])
  const expected = many.filter((id) => !["i100", "i101", "i102"].includes(id))
  assert.deepStrictEqual(
    begun.filter((id) => id !== "i102"),
    expected
  )
  assert.deepStrictEqual(begun.filter((id) => id === "i102").length, 1)
  const rest = expected.slice(64)
  for (const id of rest.slice(0, -1)) assert.notInclude(tell(started(id)), "Booted", id)
  assert.include(tell(started(rest.at(-1) ?? "")), "Booted")
})

it("a dynamic boot that is stopped in the middle begins nobody else", () => {
  const { begun, tell } = dynamicCore()
  tell({ _tag: "Boot" })
  tell({ _tag: "Shutdown" })
  assert.deepStrictEqual(tell({ _tag: "GoOn" }), [])
  assert.lengthOf(begun, 64)
})
