/**
 * Chart layout: where each state and arrow of a statechart is drawn.
 *
 * Why at build time: the layout engine weighs half a megabyte and computes for up to seconds; neither the trading loop nor a
 * browser is to do that. Widths of text are those of the font that the console ships (web/style.css), so labels fit their boxes.
 *
 * Promises: the same chart always gets the same coordinates; every transition with a target belongs to exactly one edge.
 * Never: decides what is in a chart (src/machines/chart.ts).
 */
import ElkConstructor, { type ElkExtendedEdge, type ElkNode } from "elkjs/lib/elk.bundled.js"
import type { Chart, ChartState, ChartTransition as Transition } from "../src/machines/chart.ts"
import type { MachineChart } from "../web/lib/machine-chart.ts"

/** Advance width of a character, in pixels at the sizes of web/charts/chart.svelte: names 13 px, the rest 11 px. */
const nameAdvance = 7.8
const textAdvance = 6.6
const lineHeight = 15
const nameHeight = 26

/** Options are not inherited by nested nodes, so every compound state gets all of them. */
const options = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.json.edgeCoords": "ROOT",
  "elk.json.shapeCoords": "ROOT",
  "elk.randomSeed": "7",
  "elk.spacing.nodeNode": "28",
  "elk.spacing.edgeNode": "16",
  "elk.spacing.edgeEdge": "12",
  "elk.spacing.edgeLabel": "4",
  "elk.layered.spacing.nodeNodeBetweenLayers": "40",
  "elk.layered.spacing.edgeNodeBetweenLayers": "18",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "12",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.cycleBreaking.strategy": "DEPTH_FIRST",
  "elk.layered.feedbackEdges": "false",
  "elk.layered.edgeLabels.centerLabelPlacementStrategy": "SPACE_EFFICIENT_LAYER",
  "elk.layered.thoroughness": "20"
}

const isInside = (path: string, of: string): boolean => of === "" || path.startsWith(`${of}.`)

/** Drawn as a row of its state: it stays, or leads into a state of its own. */
const isRow = ({ from, to }: Transition): boolean => to === null || to === from || isInside(to, from)

const rowOf = (transition: Transition): string =>
  transition.to === null || transition.to === transition.from
    ? transition.label
    : `${transition.label} → ${transition.to.split(".").at(-1)}`

const linesOf = (state: ChartState, transitions: ReadonlyArray<Transition>): Array<string> => [
  ...state.runs.map((name) => `⟳ ${name}`),
  ...new Set(transitions.filter((one) => one.from === state.id && isRow(one)).map(rowOf))
]

const idOf = (id: string): string => `s:${id}`
const startOf = (id: string): string => `i:${id}`

interface Edge {
  readonly from: string
  readonly to: string
  readonly transitions: ReadonlyArray<Transition>
}

const edgesOf = ({ transitions }: Chart): ReadonlyArray<Edge> =>
  [
    ...Map.groupBy(
      transitions.filter((one) => !isRow(one)),
      ({ from, to }) => JSON.stringify([from, to])
    ).values()
  ].map((group) => ({ from: group[0]?.from ?? "", to: group[0]?.to ?? "", transitions: group }))

const widthOf = (texts: ReadonlyArray<string>): number =>
  Math.max(0, ...texts.map((text) => text.length)) * textAdvance

const nodeOf = (chart: Chart, state: ChartState): ElkNode => {
  const lines = linesOf(state, chart.transitions)
  const width = Math.max(76, state.key.length * nameAdvance + 36, widthOf(lines) + 20)
  const height = nameHeight + lines.length * lineHeight + (lines.length === 0 ? 0 : 6)
  const kids = chart.states.filter(({ parent }) => parent === state.id)
  if (kids.length === 0) return { id: idOf(state.id), width, height }
  const start: Array<ElkNode> =
    state.initial === null || state.type === "parallel"
      ? []
      : [
          {
            id: startOf(state.id),
            width: 12,
            height: 12,
            layoutOptions: { "elk.layered.layering.layerConstraint": "FIRST" }
          }
        ]
  return {
    id: idOf(state.id),
    children: [...start, ...kids.map((kid) => nodeOf(chart, kid))],
    layoutOptions: {
      ...options,
      "elk.padding": `[top=${height + 14},left=18,bottom=18,right=18]`,
      "elk.nodeSize.constraints": "MINIMUM_SIZE",
      "elk.nodeSize.minimum": `(${width},${height})`
    }
  }
}

const graphOf = (chart: Chart, edges: ReadonlyArray<Edge>): ElkNode => {
  const [root] = chart.states
  if (root === undefined) throw new Error("a chart has at least its machine")
  const starts = chart.states.flatMap(({ id, initial, type }) =>
    initial === null || type === "parallel"
      ? []
      : [{ id: `e:${startOf(id)}`, sources: [startOf(id)], targets: [idOf(initial)] }]
  )
  return {
    id: "chart",
    layoutOptions: options,
    children: [nodeOf(chart, root)],
    edges: [
      ...starts,
      ...edges.map(({ from, to, transitions }, index) => {
        const rows = transitions.map(({ label }) => label)
        return {
          id: `e:${index}`,
          sources: [idOf(from)],
          targets: [idOf(to)],
          labels: [{ text: rows.join(" "), width: widthOf(rows) + 12, height: rows.length * lineHeight + 4 }]
        }
      })
    ]
  }
}

const round = (value: number | undefined): number => Math.round((value ?? 0) * 10) / 10

const lineOf = (edge: ElkExtendedEdge | undefined): Array<[number, number]> =>
  (edge?.sections ?? []).flatMap((section) =>
    [section.startPoint, ...(section.bendPoints ?? []), section.endPoint].map(
      ({ x, y }): [number, number] => [round(x), round(y)]
    )
  )

const boxOf = (at: { x?: number; y?: number; width?: number; height?: number } | undefined) => ({
  x: round(at?.x),
  y: round(at?.y),
  width: round(at?.width),
  height: round(at?.height)
})

const walk = (node: ElkNode): ReadonlyArray<ElkNode> => [node, ...(node.children ?? []).flatMap(walk)]

/** A chart with the coordinates of all that is drawn of it, in pixels. */
export const layoutOf = async (name: string, source: string, chart: Chart): Promise<MachineChart> => {
  const edges = edgesOf(chart)
  const drawn = await new ElkConstructor.default().layout(graphOf(chart, edges))
  const nodes = walk(drawn)
  const places = new Map(nodes.map((node) => [node.id, node]))
  const routes = new Map(nodes.flatMap((node) => (node.edges ?? []).map((edge) => [edge.id, edge] as const)))
  return {
    name,
    source,
    width: round(drawn.width),
    height: round(drawn.height),
    states: chart.states.map((state) => ({
      ...state,
      lines: linesOf(state, chart.transitions),
      ...boxOf(places.get(idOf(state.id)))
    })),
    transitions: chart.transitions,
    edges: edges.map(({ from, to, transitions }, index) => ({
      from,
      to,
      transitions: transitions.map((one) => chart.transitions.indexOf(one)),
      line: lineOf(routes.get(`e:${index}`)),
      label: boxOf(routes.get(`e:${index}`)?.labels?.[0])
    })),
    initials: chart.states.flatMap(({ id }) => {
      const at = places.get(startOf(id))
      return at === undefined
        ? []
        : [{ of: id, x: round(at.x), y: round(at.y), line: lineOf(routes.get(`e:${startOf(id)}`)) }]
    })
  }
}
