/** The pure core, driven by hand: what an event of a life that is over may do. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import type { CoreEvent } from "../../src/runtime/core-state.ts"
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
