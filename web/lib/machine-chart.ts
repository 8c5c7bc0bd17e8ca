/**
 * A statechart with the coordinates of all that is drawn of it: the shape of machines.json, which the build makes.
 *
 * Promises: coordinates are pixels from the top left of the whole drawing; every transition with a target that is not drawn as
 * a row of its state belongs to exactly one edge.
 * Never: knows which state is active.
 */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

type Line = ReadonlyArray<readonly [number, number]>

export interface DrawnState extends Box {
  /** Its path, joined by points; empty for the machine itself. */
  readonly id: string
  readonly parent: string | null
  readonly key: string
  readonly type: string
  readonly description: string | null
  readonly tags: ReadonlyArray<string>
  readonly runs: ReadonlyArray<string>
  /** What is written below its name. */
  readonly lines: ReadonlyArray<string>
}

export interface DrawnTransition {
  readonly from: string
  readonly to: string | null
  /** As the journal names it; empty for one without an event. */
  readonly event: string
  readonly label: string
  readonly guard: string | null
  readonly actions: ReadonlyArray<string>
}

export interface DrawnEdge {
  readonly from: string
  readonly to: string
  /** Positions in the list of transitions. */
  readonly transitions: ReadonlyArray<number>
  readonly line: Line
  readonly label: Box
}

export interface MachineChart {
  readonly name: string
  /** Its file. */
  readonly source: string
  readonly width: number
  readonly height: number
  readonly states: ReadonlyArray<DrawnState>
  readonly transitions: ReadonlyArray<DrawnTransition>
  readonly edges: ReadonlyArray<DrawnEdge>
  /** The dots from which the first state of each compound state is entered. */
  readonly initials: ReadonlyArray<{
    readonly of: string
    readonly x: number
    readonly y: number
    readonly line: Line
  }>
}

const around = (id: string): ReadonlyArray<string> => {
  const parts = id.split(".")
  return parts.map((_, index) => parts.slice(0, index + 1).join("."))
}

/**
 * The states that are active where a component reports `state`, with all that they are in. A machine with several regions
 * reports `A.x+B.y`, or `Up.A.x+B.y` where the regions are inside of `Up`; some components report the last part alone.
 */
export const activeStates = ({ states }: MachineChart, state: string): ReadonlySet<string> => {
  const known = new Set(states.map(({ id }) => id))
  const found = new Set<string>([""])
  let before: ReadonlyArray<string> = []
  for (const region of state.split("+")) {
    // The regions of one state share what is around them; only the first carries it.
    const prefix = before.findLast((id) => known.has(`${id}.${region}`))
    const candidates = [
      region,
      `${prefix ?? ""}.${region}`,
      states.find(({ key }) => key === region)?.id ?? ""
    ]
    before = around(candidates.find((id) => known.has(id)) ?? "")
    for (const id of before) found.add(id)
  }
  return found
}

/**
 * The edge that a transition took, by where it led; null where it is drawn as a row or not at all. `guards`, where they were
 * captured, tell two edges of one event apart.
 */
export const edgeTaken = (
  chart: MachineChart,
  from: string,
  to: string,
  event: string,
  guards: string | null = null
): DrawnEdge | null => {
  const left = activeStates(chart, from)
  const entered = activeStates(chart, to)
  const candidates = chart.edges.filter((edge) => left.has(edge.from) && entered.has(edge.to))
  const passed = new Set(guards?.split(", "))
  const withEvent = (isGuard: (guard: string | null) => boolean) =>
    candidates.find((edge) =>
      edge.transitions.some((at) => {
        const transition = chart.transitions[at]
        return transition?.event === event && isGuard(transition.guard)
      })
    )
  return (
    withEvent((guard) => guard !== null && passed.has(guard)) ??
    (guards === null ? undefined : withEvent((guard) => guard === null)) ??
    withEvent(() => true) ??
    candidates.find((edge) => !left.has(edge.to)) ??
    null
  )
}
