/**
 * What a transition did beyond its names: guards, actions, cause, read from what XState selected.
 *
 * The names cannot be found afterwards: two transitions of a state may have the same target, and eventless ones leave no
 * trace in the event. XState's microstep events carry the very definitions that were taken, so they are read while
 * somebody looks, through a hook that is attached late and detached again.
 * Promises: unattached it costs one comparison for each transition; a name is at most 80 characters; whatever XState
 * hands over, nothing here throws into the machine.
 * Never: evaluates a guard, runs an action, or keeps a context.
 */
import type { ActorSystem, AnyActorRef, EventObject } from "xstate"
import { describeError } from "./exit-reason.ts"
import type { Inspection } from "./inspection.ts"

/** A definition of XState's own, of which its declarations show a part. */
interface Definition {
  readonly guard?: unknown
  readonly actions?: ReadonlyArray<unknown>
}
interface Microstep {
  readonly type: string
  readonly actorRef: unknown
  readonly _transitions?: ReadonlyArray<Definition>
}

const nameCharsMax = 80
const causeCharsMax = 300
/** More names than this help nobody; an eventless cycle has a thousand microsteps. */
const namesMax = 32

/** The name of a guard or an action: a string, `{type}`, or the function's own. */
const nameOf = (part: unknown, unnamed: string): string => {
  if (typeof part === "string") return part.slice(0, nameCharsMax)
  if (typeof part !== "object" && typeof part !== "function") return unnamed
  if (part === null) return unnamed
  const type: unknown = "type" in part ? part.type : undefined
  if (typeof type === "string") return type.slice(0, nameCharsMax)
  return typeof part === "function" && part.name !== "" ? part.name.slice(0, nameCharsMax) : unnamed
}

/** Timers of `after` and raised events: XState's bookkeeping, not what a machine was written to do. */
const bookkeeping = new Set(["xstate.raise", "xstate.cancel"])

const namesOf = (
  definitions: ReadonlyArray<Definition>
): { readonly guards: ReadonlyArray<string>; readonly actions: ReadonlyArray<string> } => {
  const guards: Array<string> = []
  const actions: Array<string> = []
  for (const definition of definitions) {
    if (definition.guard !== undefined && guards.length < namesMax)
      guards.push(nameOf(definition.guard, "guard"))
    for (const action of definition.actions ?? []) {
      const name = nameOf(action, "action")
      if (!bookkeeping.has(name) && actions.length < namesMax) actions.push(name)
    }
  }
  return { guards, actions }
}

/** The hook of one machine child: attached while somebody looks. */
export class MicrostepWatch {
  readonly #inspection: Inspection
  #taken: Array<Definition> = []
  #of: unknown
  #detach: (() => void) | undefined
  constructor(inspection: Inspection) {
    this.#inspection = inspection
  }
  /** Called before a transition; true while details are wanted. */
  begin(actor: AnyActorRef, system: ActorSystem<any>): boolean {
    if (!this.#inspection.detailed) {
      if (this.#detach !== undefined) this.end()
      return false
    }
    this.#taken = []
    this.#of = actor
    this.#detach ??= this.#attach(system)
    return true
  }
  /** Names of what was taken since `begin`. */
  names(): ReturnType<typeof namesOf> {
    return namesOf(this.#taken)
  }
  /** Detaches the hook. */
  end(): void {
    this.#detach?.()
    this.#detach = undefined
    this.#taken = []
    this.#of = undefined
  }
  #attach(system: ActorSystem<any>): () => void {
    const { unsubscribe } = system.inspect((given) => {
      const step = given as unknown as Microstep
      if (step.type !== "@xstate.microstep" || step.actorRef !== this.#of) return
      for (const definition of step._transitions ?? [])
        if (this.#taken.length < namesMax) this.#taken.push(definition)
    })
    return unsubscribe
  }
}

/** Why an event happened, in bounded text: its error, or the reason it names. */
export const causeOfEvent = (event: EventObject): string | undefined => {
  const { cause, error, reason } = event as EventObject & {
    readonly error?: unknown
    readonly reason?: unknown
    readonly cause?: unknown
  }
  const found = error ?? reason ?? cause
  if (found === undefined || found === null) return undefined
  return typeof found === "string" ? found.slice(0, causeCharsMax) : describeError(found, causeCharsMax)
}

/** The correlation id an event carries under that name. */
export const correlationOfEvent = (event: EventObject): string | undefined => {
  const { correlationId } = event as EventObject & { readonly correlationId?: unknown }
  return typeof correlationId === "string" ? correlationId.slice(0, nameCharsMax) : undefined
}
