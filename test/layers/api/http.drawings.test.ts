/** The coordinates of a chart are those that the build computed for exactly this chart, or none. */
import { assert, describe, it } from "vitest"
import { drawingsOf } from "../../../src/layers/api/http.drawings.ts"
import type { NamedChart } from "../../../src/layers/health/charts.port.ts"

const state = (id: string, parent: string | null): NamedChart["states"][number] => ({
  id,
  parent,
  key: id,
  type: "atomic",
  initial: null,
  description: null,
  tags: [],
  runs: []
})
const chart: NamedChart = {
  name: "feed",
  initial: "A",
  states: [state("", null), state("A", ""), state("B", "")],
  transitions: [{ from: "A", to: "B", event: "go", label: "go", guard: null, actions: [] }]
}
const box = { x: 1, y: 2, width: 3, height: 4 }
const drawn = {
  name: "feed",
  source: "src/machines/feeds/feed.machine.ts",
  width: 100,
  height: 50,
  states: chart.states.map((one) => ({ ...one, lines: [], ...box })),
  transitions: chart.transitions,
  edges: [
    {
      from: "A",
      to: "B",
      transitions: [0],
      line: [
        [0, 0],
        [5, 5]
      ],
      label: box
    }
  ],
  initials: []
}
const read = (charts: unknown) => drawingsOf(JSON.stringify(charts), [chart]).get("feed") ?? null

describe("the drawing of a chart", () => {
  it("is where the build placed every state and edge", () => {
    const found = read([drawn]) ?? assert.fail("it is drawn")
    assert.deepStrictEqual(
      found.states,
      ["", "A", "B"].map((id) => ({ ...box, id }))
    )
    assert.deepStrictEqual([found.width, found.height, found.edges], [100, 50, drawn.edges])
  })

  it.each<readonly [string, unknown]>([
    [
      "of which a state has another name",
      [{ ...drawn, states: drawn.states.with(1, { ...drawn.states[0]!, id: "C" }) }]
    ],
    ["of which a state is missing", [{ ...drawn, states: drawn.states.slice(1) }]],
    [
      "of which a transition leads elsewhere",
      [{ ...drawn, transitions: [{ ...chart.transitions[0], to: "A" }] }]
    ],
    ["of another chart", [{ ...drawn, name: "wave" }]],
    ["of a build with another shape", [{ name: "feed" }]]
  ])("is none where the build has one %s", (_what, charts) => {
    assert.isNull(read(charts))
  })

  it("is none where there is no file, or half of one", () => {
    assert.strictEqual(drawingsOf(null, [chart]).size, 0)
    assert.strictEqual(drawingsOf(JSON.stringify([drawn]).slice(0, -5), [chart]).size, 0)
  })
})
