/** Which edge of a chart a transition took. */
import { assert, describe, it } from "vitest"
import { edgeTaken, type MachineChart } from "../../web/lib/machine-chart.ts"

const box = { x: 0, y: 0, width: 1, height: 1 }
const state = (id: string) => ({
  ...box,
  id,
  parent: id === "" ? null : "",
  key: id,
  type: "atomic",
  description: null,
  tags: [],
  runs: [],
  lines: []
})
const transition = (to: string, guard: string | null) => ({
  from: "A",
  to,
  event: "go",
  label: "go",
  guard,
  actions: []
})
const edge = (to: string, ...transitions: ReadonlyArray<number>) => ({
  from: "A",
  to,
  transitions,
  line: [],
  label: box
})
/** `go` leads from A to B or to B.C, as a guard says. */
const chart: MachineChart = {
  name: "m",
  source: "m.ts",
  width: 1,
  height: 1,
  states: [state(""), state("A"), state("B"), state("B.C")],
  transitions: [transition("B", "isShort"), transition("B.C", "isLong"), transition("B", null)],
  edges: [edge("B", 0, 2), edge("B.C", 1)],
  initials: []
}

describe("the edge that a transition took", () => {
  it("is told by its guard, where two have one event", () => {
    assert.strictEqual(edgeTaken(chart, "A", "B.C", "go", "isLong")?.to, "B.C")
    assert.strictEqual(edgeTaken(chart, "A", "B.C", "go", "isLong, isShort")?.to, "B")
    assert.strictEqual(edgeTaken(chart, "A", "B.C", "go", "other")?.to, "B")
  })

  it("is the first that fits, where no guard was captured", () => {
    assert.strictEqual(edgeTaken(chart, "A", "B.C", "go")?.to, "B")
    assert.strictEqual(edgeTaken(chart, "A", "B", "stop")?.to, "B")
    assert.isNull(edgeTaken(chart, "B", "A", "go"))
  })
})
