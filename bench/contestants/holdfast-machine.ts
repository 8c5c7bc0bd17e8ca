/** A holdfast machine child: the same statechart as contestants/xstate.ts, supervised. */
import { machineChild } from "../../src/runtime/entry.ts"
import { serve } from "../contestant.ts"
import { contestantOf } from "./holdfast-tree.ts"
import { chart } from "./chart.ts"

await serve(contestantOf((hooks) => machineChild({ machine: chart(hooks) })))
