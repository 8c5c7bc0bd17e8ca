/**
 * The command that is about to be given: at most one dialog at a time.
 *
 * Promises: `ask` opens the dialog for a command and its target; it gives nothing by itself.
 * Never: remembers a command after it was given or dropped.
 */
import { read } from "./api.ts"
import type { CommandForm } from "./command-form.ts"
import { timeline } from "./timeline.svelte.ts"

export interface Pending {
  readonly form: CommandForm
  readonly target: string
  /** What the target is, for people; empty where its name says it. */
  readonly about: string
  /** What is filled in at first. */
  readonly given: Readonly<Record<string, string>>
  readonly more: More
}

/** What a page knows of a command that its form does not. */
interface More {
  /** Fields that are not asked for. */
  readonly fixed?: Readonly<Record<string, unknown>>
  /** What it will do here, a line each. */
  readonly consequence?: ReadonlyArray<string>
  /** Called when it is done. */
  readonly done?: () => void
}

/** `randomUUID` is missing where the page came over plain HTTP from another machine. */
export const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")

class Dialog {
  forms = $state.raw<ReadonlyMap<string, CommandForm>>(new Map())
  pending = $state.raw<Pending | null>(null)

  /** Why a command cannot be asked for; empty where it can. */
  problem = $state("")

  async load(): Promise<void> {
    if (this.forms.size > 0) return
    const forms = await read<ReadonlyArray<CommandForm>>("/console/commands.json")
    this.forms = new Map(forms.map((form) => [form.name, form]))
  }

  /** `about`: what the target is, for people. */
  async ask(
    command: string,
    target: string,
    given: Readonly<Record<string, string>> = {},
    about = "",
    more: More = {}
  ): Promise<void> {
    // Nothing is commanded from the past.
    if (timeline.at !== null) return
    try {
      await this.load()
      const form = this.forms.get(command)
      this.problem = form === undefined ? `this service has no command ${command}` : ""
      if (form !== undefined) this.pending = { form, target, given, about, more }
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error)
    }
  }
}

export const dialog = new Dialog()
