/**
 * What pages show: the service as it is, or as it was at the moment that is looked at.
 *
 * Promises: everything here is of one moment: now, or the one that `moment` names; what was not recorded of the past is null.
 * Never: mixes the two.
 */
import { past, type Moment } from "./past.svelte.ts"
import { store, type Component } from "./store.svelte.ts"
import { timeline } from "./timeline.svelte.ts"

/** A component; of the past without the figures that nobody recorded. */
export type Shown = Omit<Component, "budget" | "detail" | "readiness"> & {
  readonly budget: Component["budget"] | null
  readonly detail: Component["detail"] | null
}

class View {
  readonly isPast = $derived(timeline.at !== null)

  /** The moment of the past; null while it is not known yet, and now. What came for another moment is not shown under its name. */
  readonly moment: Moment | null = $derived(
    this.isPast && past.shown?.seq === timeline.at ? past.shown : null
  )

  /** In the order of the tree. */
  readonly components: ReadonlyArray<Shown> = $derived.by(() => {
    if (!this.isPast) return store.components
    return (this.moment?.components ?? []).map((one) => ({
      ...one,
      budget: null,
      detail: null,
      mailbox: null,
      next_at: null
    }))
  })

  /** When it is, for ages. */
  get nowMs(): number {
    return this.isPast ? Date.parse(this.moment?.at ?? "") : store.now
  }

  /** What health says; null where nobody knows. */
  readonly health = $derived.by(() => {
    const { health } = this.isPast ? { health: this.moment?.health ?? null } : store
    if (health === null) return null
    return {
      status: health.status,
      can_trade: health.can_trade,
      trading_state: health.trading_state ?? "unknown",
      reasons: health.reasons.map((reason) =>
        typeof reason === "string" ? reason : (reason.message ?? JSON.stringify(reason))
      )
    }
  })
}

export const view = new View()
