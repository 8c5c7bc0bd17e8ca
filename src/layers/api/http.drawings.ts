/**
 * Drawings: the coordinates that the build of the console computed, for the charts of this process.
 *
 * Laying a chart out takes a library of megabytes and a second, which a trading process does not spend; so the build does it once, and
 * what it left is served.
 *
 * Promises: a drawing is of exactly the chart it is returned for: one of another version has other states or transitions and is left out.
 * Never: computes a coordinate; trusts the shape of the file.
 * Failure: no file, half of one, or one of another shape is no drawing.
 */
import { z } from "zod"
import { chartDrawing } from "../../wire/chart.ts"
import type { NamedChart } from "../health/charts.port.ts"

export type ChartDrawing = z.infer<typeof chartDrawing>

const drawnTransition = z.object({ from: z.string(), to: z.string().nullable(), event: z.string() })
/** The parts of machines.json that are needed here; the shape of all of it is `MachineChart` (web/lib/machine-chart.ts). */
const drawnChart = chartDrawing.extend({ name: z.string(), transitions: z.array(drawnTransition) })

const isOf = (drawn: z.infer<typeof drawnChart>, { states, transitions }: NamedChart): boolean =>
  drawn.states.length === states.length &&
  drawn.states.every(({ id }, index) => id === states[index]?.id) &&
  drawn.transitions.length === transitions.length &&
  drawn.transitions.every(({ event, from, to }, index) => {
    const own = transitions[index]
    return own?.from === from && own.to === to && own.event === event
  })

/** The drawings by the name of their chart. `text`: machines.json, null when there is none. */
export const drawingsOf = (
  text: string | null,
  charts: ReadonlyArray<NamedChart>
): ReadonlyMap<string, ChartDrawing> => {
  if (text === null) return new Map()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // A build that was cut off: the same as none.
    return new Map()
  }
  const found = z.array(drawnChart).safeParse(json)
  if (!found.success) return new Map()
  return new Map(
    found.data.flatMap((drawn) => {
      const { name, transitions: _, ...drawing } = drawn
      const chart = charts.find((one) => one.name === name)
      return chart !== undefined && isOf(drawn, chart) ? [[name, drawing]] : []
    })
  )
}
