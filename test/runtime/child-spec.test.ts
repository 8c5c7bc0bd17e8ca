/** Specifications: defaults, precise refusals, unknown keys. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { checkChildSpec, dynamic, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { SpecInvalid } from "../../src/runtime/spec-validation.ts"

const start = () => Effect.succeed({})
const refusal = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    if (error instanceof SpecInvalid) return error.message
    throw error
  }
  return "accepted"
}

describe("child specs", () => {
  it("fill every default", () => {
    assert.deepStrictEqual(
      { ...worker({ id: "w", start }), start: 0 },
      {
        type: "worker",
        id: "w",
        start: 0,
        restart: "permanent",
        startDeadlineMs: 10_000,
        stopBudgetMs: 5_000,
        backoff: { firstMs: 100, factor: 2, maxMs: 30_000, jitter: "full", resetAfterMs: 30_000 },
        budget: { max: Number.POSITIVE_INFINITY, withinMs: 60_000 },
        whenExhausted: { action: "escalate" },
        readiness: "required",
        initialStart: "fail",
        significant: false,
        credentialsRetryMs: 60_000
      }
    )
    assert.deepStrictEqual(
      worker({ id: "w", start, whenExhausted: { action: "park", retryEveryMs: 1 } }).budget,
      { max: 5, withinMs: 60_000 }
    )
    const tree = supervisor({ id: "s", children: [] })
    assert.deepStrictEqual(
      [tree.strategy, tree.intensity, tree.stopBudgetMs, tree.startDeadlineMs],
      ["one_for_one", { max: 5, withinMs: 60_000 }, "infinity", Number.POSITIVE_INFINITY]
    )
  })

  const any = (value: unknown): never => value as never
  const table: ReadonlyArray<readonly [string, () => unknown, string]> = [
    [
      "an unknown key",
      () => worker(any({ id: "w", start, restrat: "permanent" })),
      "w.restrat: unknown key; known are"
    ],
    [
      "an unknown key in a nested object",
      () => worker(any({ id: "w", start, backoff: { first: 1 } })),
      "w.backoff.first: unknown key"
    ],
    ["a missing id", () => worker(any({ start })), "worker.id: is missing"],
    ["a missing start", () => worker(any({ id: "w" })), "w.start: is missing"],
    ["an id with a slash", () => worker({ id: "a/b", start }), "a/b.id: must be a non-empty string"],
    [
      "a start that is no function",
      () => worker(any({ id: "w", start: 1 })),
      "w.start: must be a function, not 1"
    ],
    ["something that is no object", () => worker(any(7)), "worker: must be an object, not 7"],
    [
      "an unknown restart type",
      () => worker(any({ id: "w", start, restart: "always" })),
      'w.restart: must be one of "permanent", "transient", "temporary", not "always"'
    ],
    [
      "a negative deadline",
      () => worker({ id: "w", start, startDeadlineMs: -1 }),
      "w.startDeadlineMs: must be a number of at least 1, not -1"
    ],
    [
      "an infinite deadline of a worker",
      () => worker({ id: "w", start, startDeadlineMs: Number.POSITIVE_INFINITY }),
      "w.startDeadlineMs: must be a number"
    ],
    [
      "NaN",
      () => worker({ id: "w", start, backoff: { firstMs: Number.NaN } }),
      "w.backoff.firstMs: must be a number of at least 0, not NaN"
    ],
    [
      "a word as stop budget",
      () => worker(any({ id: "w", start, stopBudgetMs: "soon" })),
      'w.stopBudgetMs: must be a number of at least 0, "kill" or "infinity", not "soon"'
    ],
    [
      "a cap below the first delay",
      () => worker({ id: "w", start, backoff: { firstMs: 500, maxMs: 100 } }),
      "w.backoff.maxMs: must be at least firstMs (500)"
    ],
    [
      "parking without a rate",
      () => worker(any({ id: "w", start, whenExhausted: { action: "park" } })),
      "w.whenExhausted.retryEveryMs: is missing"
    ],
    [
      "a retry rate of a child that escalates",
      () => worker(any({ id: "w", start, whenExhausted: { action: "escalate", retryEveryMs: 5 } })),
      "w.whenExhausted.retryEveryMs: unknown key; known are action"
    ],
    [
      "an unknown action",
      () => worker(any({ id: "w", start, whenExhausted: { action: "prk", retryEveryMs: 5 } })),
      'w.whenExhausted.action: must be one of "escalate", "park", not "prk"'
    ],
    [
      "a word as what an exhausted budget does",
      () => worker(any({ id: "w", start, whenExhausted: "park" })),
      'w.whenExhausted: must be an object, not "park"'
    ],
    [
      "one and a half restarts",
      () => worker({ id: "w", start, budget: { max: 1.5, withinMs: 1_000 } }),
      "w.budget.max: must be a whole number of at least 0, or Infinity, not 1.5"
    ],
    [
      "a negative budget",
      () => supervisor({ id: "s", intensity: { max: -1, withinMs: 1_000 }, children: [] }),
      "s.intensity.max: must be a whole number of at least 0, or Infinity, not -1"
    ],
    [
      "a significant permanent child",
      () => worker({ id: "w", start, significant: true }),
      "w.significant: a permanent child cannot be significant"
    ],
    [
      "a significant child without auto shutdown",
      () =>
        supervisor({
          id: "s",
          children: [worker({ id: "w", start, significant: true, restart: "transient" })]
        }),
      "s.children[0].significant: a significant child needs"
    ],
    [
      "duplicate ids",
      () => supervisor({ id: "s", children: [worker({ id: "w", start }), worker({ id: "w", start })] }),
      's.children[1].id: duplicate id "w"'
    ],
    [
      "an unknown strategy",
      () => supervisor(any({ id: "s", strategy: "one_for_two", children: [] })),
      "s.strategy: must be one of"
    ],
    [
      "a zero period",
      () => supervisor({ id: "s", intensity: { max: 1, withinMs: 0 }, children: [] }),
      "s.intensity.withinMs: must be a number of at least 1, not 0"
    ],
    [
      "a child written by hand",
      () => supervisor(any({ id: "s", children: [{ id: "w", start }] })),
      "s.children[0]: must be made by worker(), supervisor() or dynamic()"
    ],
    [
      "a child that is incomplete",
      () => supervisor(any({ id: "s", children: [{ type: "worker", id: "w", start }] })),
      "s.children[0].restart: is missing"
    ],
    [
      "a hole between the children",
      () =>
        supervisor(any({ id: "s", children: Object.assign([worker({ id: "w", start })], { length: 2 }) })),
      "s.children[1]: must be made by worker(), supervisor() or dynamic()"
    ],
    [
      "two instances of one id",
      () =>
        dynamic({
          id: "d",
          template: { start: () => start },
          instances: [
            { id: "x", args: 0 },
            { id: "x", args: 1 }
          ]
        }),
      'd.instances[1].id: duplicate id "x"'
    ],
    [
      "an instance with a slash in its id",
      () => dynamic({ id: "d", template: { start: () => start }, instances: [{ id: "a/b", args: 0 }] }),
      "d.instances[0].id: must be a non-empty string"
    ],
    [
      "an unknown key of an instance",
      () => dynamic(any({ id: "d", template: { start: () => start }, instances: [{ idd: "x", args: 0 }] })),
      "d.instances[0].idd: unknown key; known are id, args"
    ],
    [
      "an instance that is no object",
      () => dynamic(any({ id: "d", template: { start: () => start }, instances: [null] })),
      "d.instances[0]: must be an object, not null"
    ],
    ["a missing template", () => dynamic(any({ id: "d" })), "d.template: is missing"],
    [
      "a significant template",
      () => dynamic({ id: "d", template: { start: () => start, restart: "transient", significant: true } }),
      "d.template.significant: children of a dynamic supervisor"
    ],
    [
      "an unknown key in a template",
      () => dynamic(any({ id: "d", template: { start: () => start, id: "x" } })),
      "d.template.id: unknown key"
    ]
  ]
  for (const [name, make, expected] of table) {
    it(`refuse ${name}`, () => assert.include(refusal(make), expected))
  }
  it("accept the matrix significant x restart x autoShutdown as OTP does", () => {
    const accepted: Array<string> = []
    for (const restart of ["permanent", "transient", "temporary"] as const) {
      for (const autoShutdown of ["never", "any_significant", "all_significant"] as const) {
        const message = refusal(() =>
          supervisor({
            id: "s",
            autoShutdown,
            children: [worker({ id: "w", start, restart, significant: true })]
          })
        )
        if (message === "accepted") accepted.push(`${restart} ${autoShutdown}`)
      }
    }
    assert.deepStrictEqual(accepted, [
      "transient any_significant",
      "transient all_significant",
      "temporary any_significant",
      "temporary all_significant"
    ])
  })
})

describe("a specification from outside", () => {
  const leaf = worker({ id: "w", start })
  const group = supervisor({ id: "g", children: [leaf] })
  const pool = dynamic({ id: "p", template: { start: () => start } })
  const without = (spec: object, key: string): object =>
    Object.fromEntries(Object.entries(spec).filter(([name]) => name !== key))
  const check = (spec: unknown): string => refusal(() => checkChildSpec("spec", spec))

  it("passes when a constructor made it", () => {
    for (const spec of [leaf, group, pool, supervisor({ id: "s", children: [group, pool] })])
      assert.strictEqual(check(spec), "accepted")
  })
  it("needs every key, and is told which one is missing", () => {
    for (const spec of [leaf, group, pool])
      for (const key of Object.keys(spec)) {
        const expected =
          key === "type"
            ? "spec: must be made by worker(), supervisor() or dynamic()"
            : `spec.${key}: is missing`
        assert.strictEqual(check(without(spec, key)), expected)
      }
    for (const key of Object.keys(leaf.backoff))
      assert.strictEqual(
        check({ ...leaf, backoff: without(leaf.backoff, key) }),
        `spec.backoff.${key}: is missing`
      )
    for (const key of Object.keys(pool.template))
      assert.strictEqual(
        check({ ...pool, template: without(pool.template, key) }),
        `spec.template.${key}: is missing`
      )
  })
  const nested = (...children: ReadonlyArray<unknown>) => ({
    ...supervisor({ id: "s", children: [] }),
    children: [leaf, { ...group, children }]
  })
  const table: ReadonlyArray<readonly [string, unknown, string]> = [
    [
      "an incomplete grandchild",
      nested(leaf, without({ ...leaf, id: "x" }, "backoff")),
      "spec.children[1].children[1].backoff: is missing"
    ],
    ["grandchildren of one id", nested(leaf, leaf), 'spec.children[1].children[1].id: duplicate id "w"'],
    [
      "a significant grandchild without auto shutdown",
      nested({ ...leaf, restart: "transient", significant: true }),
      "spec.children[1].children[0].significant: a significant child needs"
    ],
    [
      "a grandchild that is permanent and significant",
      nested({ ...leaf, significant: true }),
      "spec.children[1].children[0].significant: a permanent child cannot be significant"
    ],
    [
      "a cap below the first delay",
      nested({ ...leaf, backoff: { ...leaf.backoff, maxMs: 1 } }),
      "spec.children[1].children[0].backoff.maxMs: must be at least firstMs (100)"
    ],
    [
      "an instance of a dynamic grandchild",
      nested({ ...pool, instances: [{ id: "", args: 0 }] }),
      "spec.children[1].children[0].instances[0].id: must be a non-empty string"
    ],
    [
      "a significant template",
      { ...pool, template: { ...pool.template, restart: "transient", significant: true } },
      "spec.template.significant: children of a dynamic supervisor"
    ]
  ]
  for (const [name, spec, expected] of table) {
    it(`is refused for ${name}`, () => assert.include(check(spec), expected))
  }
})
