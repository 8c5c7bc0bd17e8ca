/** Specifications: defaults, precise refusals, unknown keys. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dynamic, supervisor, worker } from "../../src/runtime/child-spec.ts"
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
      "w.stopBudgetMs: must be a number"
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
