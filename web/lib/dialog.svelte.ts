/**
 * The command that is about to be given: at most one dialog at a time.
 *
 * Promises: `ask` opens the dialog for a command and its target; it gives nothing by itself.
 * Never: remembers a command after it was given or dropped.
 */
import { read } from "./api.ts"
import type { CommandForm } from "./command-form.ts"

export interface Pending {
  readonly form: CommandForm
  readonly target: string
  /** What is filled in at first. */
  readonly given: Readonly<Record<string, string>>
  /** One decision, one key: a second press is the same command. */
  readonly key: string
}

/** `randomUUID` is missing where the page came over plain HTTP from another machine. */
const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")

class Dialog {
  forms = $state.raw<ReadonlyMap<string, CommandForm>>(new Map())
  pending = $state.raw<Pending | null>(null)

  async load(): Promise<void> {
    const forms = await read<ReadonlyArray<CommandForm>>("/console/commands.json")
    this.forms = new Map(forms.map((form) => [form.name, form]))
  }

  ask(command: string, target: string, given: Readonly<Record<string, string>> = {}): void {
    const form = this.forms.get(command)
    if (form !== undefined) this.pending = { form, target, given, key: newKey() }
  }
}

export const dialog = new Dialog()
