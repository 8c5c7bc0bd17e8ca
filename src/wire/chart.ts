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

export const chartLine = z
  .object({
    name: z.string(),
    states: count,
    transitions: count,
    components: z.array(z.string()).meta({ description: "Paths of the components that run it now." })
  })
  .meta({ id: "ChartLine" })

export const chart = z
  .object({
    name: z.string(),
    initial: z.string().nullable(),
    states: z.array(chartState),
    transitions: z.array(chartTransition)
  })
  .meta({ id: "Chart" })
