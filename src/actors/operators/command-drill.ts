/**
 * The command that runs a drill (G4).
 *
 * Promises: answered as soon as the drill is durable; its receipt is in the list of drills.
 * Never: asks who gives the command, or writes the audit (commands.ts does); waits for the drill.
 */
import { Effect } from "effect"
import type { CommandRequest } from "../../domain/control/commands.ts"
import { DrillControl } from "./drill-control.ts"

export const runDrill = ({ arguments: { fault }, caller, reason }: CommandRequest<"drill.run">) =>
  Effect.gen(function* () {
    const control = yield* DrillControl
    const id = yield* control.begin({ fault, by: caller.by, reason })
    return { status: "ACCEPTED", id, fault }
  })
