/**
 * HealthSource: the port through which the HTTP side learns what is true of the process.
 *
 * Health is derived from the supervision tree and a few facts, by one pure function; the HTTP side only renders it.
 * The tree does not exist yet when the listener comes up, so the source answers from its first moment with what is
 * known, which is: starting, in this step.
 *
 * Promises: `health` is synchronous and cheap, and never waits for a component; `ping` ends within its deadline.
 * Never: changes anything, except through `control` and `send`.
 */
import { Context, Data, type Effect } from "effect"
import type { ControlDone, ControlRefused, ControlRequest } from "../../domain/control/control.ts"
import {
  type ComponentDocument,
  type ComponentRow,
  deriveHealth,
  type Health,
  type HealthDocument,
  type HealthFacts,
  type HealthMemory,
  healthMemoryAt
} from "../../domain/health/health.ts"
import { type Mask, maskedRecord } from "../../domain/kernel/redaction.ts"

/** One component as the API lists it: the health row and what supervision knows about it. */
export interface ActorRow extends ComponentRow {
  /** Name of its statechart in the catalog, null for supervisors. */
  readonly machine: string | null
  readonly incarnation: number
  readonly budget: { readonly used: number; readonly max: number; readonly withinMs: number }
  readonly mailbox: { readonly depth: number; readonly capacity: number; readonly dropped: number } | null
  /** Epoch milliseconds of the next attempt while it backs off or is parked. */
  readonly nextAt: number | null
}

/** A timer of a machine that waits. */
export interface ActorTimer {
  /** The component, and `path#id` for a machine inside of it. */
  readonly path: string
  /** The event it will send; empty when its machine does not name it. */
  readonly event: string
  readonly delayMs: number
  /** Epoch milliseconds. */
  readonly dueAt: number
}

/** A component that did not answer in time. */
export class TreeDeaf extends Data.TaggedError("TreeDeaf")<{
  readonly path: string
  readonly deadlineMs: number
}> {}

export interface HealthSourceService {
  readonly health: () => Health
  /** Travels through the supervisors; fails when one of them does not respond. */
  readonly ping: (deadlineMs: number) => Effect.Effect<void, TreeDeaf>
  /** All components, parents before their children. */
  readonly actors: () => ReadonlyArray<ActorRow>
  /** What a component waits for, the next first; empty for whatever has no timer. */
  readonly timers: (path: string) => ReadonlyArray<ActorTimer>
  readonly control: (request: ControlRequest) => Effect.Effect<ControlDone, ControlRefused>
  /** Events that may be sent to a component by hand, and that it takes in its state now. */
  readonly handEvents: (path: string) => ReadonlyArray<string>
  /** Sends one of them. */
  readonly send: (path: string, event: string) => Effect.Effect<void, ControlRefused>
}

export class HealthSource extends Context.Service<HealthSource, HealthSourceService>()(
  "holdfast/layers/HealthSource"
) {}

/**
 * The source as it may be shown: what components repeat from peers, errors and settings is masked. Their paths and states
 * are our own words and stay.
 */
export const maskedHealth = (source: HealthSourceService, mask: Mask): HealthSourceService => ({
  ...source,
  health: () => {
    const health = source.health()
    const maskedOne = (component: ComponentDocument): ComponentDocument => ({
      ...component,
      last_error: component.last_error === null ? null : mask(component.last_error),
      detail: maskedRecord(mask, component.detail)
    })
    const masked = (): HealthDocument["components"] =>
      Object.fromEntries(
        Object.entries(health.document.components).map(([path, component]) => [path, maskedOne(component)])
      )
    const { document, httpStatus, intake, memory } = health
    // Built on demand, as in the original: there may be ten thousand components.
    return {
      httpStatus,
      intake,
      memory,
      component: (path) => {
        const component = health.component(path)
        return component === undefined ? undefined : maskedOne(component)
      },
      get outline() {
        return health.outline
      },
      // Its accounts and components are built when they are read.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it gets every property of the document
      document: Object.defineProperties({} as HealthDocument, {
        ...Object.getOwnPropertyDescriptors(document),
        components: { enumerable: true, get: masked }
      })
    }
  },
  actors: () =>
    source.actors().map((row) => ({
      ...row,
      ...(row.lastError === undefined ? {} : { lastError: mask(row.lastError) }),
      detail: maskedRecord(mask, row.detail)
    }))
})

/** What a source is made of. `facts` is called at every derivation. */
export interface HealthParts extends Omit<HealthSourceService, "health"> {
  readonly facts: () => HealthFacts
  /** Called at each change of the status, with the previous document; null at the first derivation. */
  readonly changed?: (now: HealthDocument, before: HealthDocument | null) => void
  /** Called when anything but a figure of what it says has changed; null at the first derivation. */
  readonly turned?: (now: HealthDocument, before: HealthDocument | null) => void
}

/** What a document says. Its reasons count ages and rows, which change with every look and mean nothing new. */
const sayingOf = ({ can_trade, ready, reasons, status, trading_state }: HealthDocument): string =>
  [status, ready, can_trade, trading_state, ...reasons.map((reason) => reason.replaceAll(/\d+/g, "0"))].join(
    "\n"
  )

/** A source that remembers what one derivation must pass to the next (when the status last changed, whether it ever was ready). */
export const makeHealthSource = (parts: HealthParts): HealthSourceService => {
  let memory: HealthMemory | undefined
  let last: HealthDocument | null = null
  let saying = ""
  return {
    ping: parts.ping,
    actors: parts.actors,
    timers: parts.timers,
    control: parts.control,
    handEvents: parts.handEvents,
    send: parts.send,
    health: () => {
      const facts = parts.facts()
      const before = memory ?? healthMemoryAt(facts.nowMs)
      const health = deriveHealth(facts, before)
      const { document } = health
      const previous = last
      memory = health.memory
      last = document
      const said = sayingOf(document)
      if (said !== saying) parts.turned?.(document, previous)
      saying = said
      if (document.status !== before.status) parts.changed?.(document, previous)
      return health
    }
  }
}
