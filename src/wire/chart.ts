/**
 * chart: statecharts as data.
 *
 * Promises: ids are the paths of states from the root, joined by points; a transition without a target is handled and
 * stays.
 * Never: has a coordinate that nobody computed.
 */
import { z } from "zod"
import { count } from "./words.ts"

export const chartState = z
  .object({
    id: z.string().meta({ description: "Empty for the machine itself." }),
    parent: z.string().nullable(),
    key: z.string(),
    type: z.enum(["atomic", "compound", "parallel", "final", "history"]),
    initial: z.string().nullable().meta({ description: "The state that is entered with it." }),
    description: z.string().nullable(),
    tags: z.array(z.string()),
    runs: z.array(z.string()).meta({ description: "Effects that run while the machine is in it." })
  })
  .meta({ id: "ChartState" })

export const chartTransition = z
  .object({
    from: z.string(),
    to: z.string().nullable().meta({ description: "Null: handled, and stays." }),
    event: z
      .string()
      .meta({ description: "As entries of the journal name it; empty for one without an event." }),
    label: z.string().meta({ description: "The same for people." }),
    guard: z.string().nullable(),
    actions: z.array(z.string())
  })
  .meta({ id: "ChartTransition" })

const box = z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() })
const line = z
  .array(z.tuple([z.number(), z.number()]))
  .meta({ description: "Points that are joined by straight lines." })

export const chartDrawing = z
  .object({
    width: z.number(),
    height: z.number(),
    states: z.array(box.extend({ id: z.string() })),
    edges: z.array(
      z.object({
        from: z.string(),
        to: z.string(),
        transitions: z.array(count).meta({ description: "Positions in the list of transitions." }),
        line,
        label: box
      })
    ),
    initials: z
      .array(z.object({ of: z.string(), x: z.number(), y: z.number(), line }))
      .meta({ description: "The dots from which the first state of each compound state is entered." })
  })
  .meta({
    id: "ChartDrawing",
    description:
      "Where everything is drawn, in pixels from the top left; transitions that stay inside of their state are rows of it and no edges."
  })

const ifBuilt = "Null: the console was not built, or by another version; `npm run build` lays the charts out."

export const chartLine = z
  .object({
    name: z.string(),
    states: count,
    transitions: count,
    components: z.array(z.string()).meta({ description: "Paths of the components that run it now." }),
    drawn: z
      .object({ width: z.number(), height: z.number() })
      .nullable()
      .meta({ description: `Size of the drawing. ${ifBuilt}` })
  })
  .meta({ id: "ChartLine" })

export const chart = z
  .object({
    name: z.string(),
    initial: z.string().nullable(),
    states: z.array(chartState),
    transitions: z.array(chartTransition),
    drawn: chartDrawing.nullable().meta({ description: ifBuilt })
  })
  .meta({ id: "Chart" })
