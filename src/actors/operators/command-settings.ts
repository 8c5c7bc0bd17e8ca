/**
 * Commands about the settings: what each of them does.
 *
 * Promises: a configuration that is refused is answered with every problem; the settings in force stay as they are.
 * Never: asks who gives the command, or writes the audit (commands.ts does).
 */
import { Effect } from "effect"
import { CommandRefused, type CommandRequest } from "../../domain/control/commands.ts"
import { type ReloadOutcome, SettingsControl } from "./reloader.ts"

const answerOf = (outcome: ReloadOutcome) => {
  if (outcome._tag === "Refused")
    return Effect.fail(
      new CommandRefused({
        kind: "conflict",
        reason: "config_refused",
        message: "the configuration in force stays; the one that was given is refused",
        errors: outcome.problems
      })
    )
  const { applied, components, restart, version } = outcome
  return Effect.succeed({ status: "ok", version, applied, restart, components })
}

export const writeSettings = ({ arguments: given, caller }: CommandRequest<"settings.write">) =>
  Effect.gen(function* () {
    const control = yield* SettingsControl
    const outcome = yield* control.write(given.file_version, given.text, caller.by)
    if (outcome._tag === "NotEditable")
      return yield* new CommandRefused({
        kind: "conflict",
        reason: `file_${outcome.reason}`,
        message: outcome.message
      })
    return yield* answerOf(outcome)
  })

export const reloadSettings = ({ caller }: CommandRequest<"settings.reload">) =>
  SettingsControl.use((control) => Effect.flatMap(control.reload(caller.by), answerOf))

export const revertSettings = ({ caller }: CommandRequest<"settings.back">) =>
  Effect.gen(function* () {
    const control = yield* SettingsControl
    const outcome = yield* control.back(caller.by)
    if (outcome === null)
      return yield* new CommandRefused({
        kind: "conflict",
        reason: "nothing_to_take_back",
        message: "the settings did not change since this process started"
      })
    return yield* answerOf(outcome)
  })
