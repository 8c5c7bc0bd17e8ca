/**
 * Market actor: the market machine with the feed of the `Market` port.
 *
 * Promises: the feed runs only while this component lives and its state requires it; its ticks
 * are events of the machine.
 * Never: keeps quotes; the port does, so that a restart of this component forgets none.
 */
import { Clock, Effect } from "effect"
import { Market, marketLimits } from "../../layers/market/market.port.ts"
import { marketMachine } from "../../machines/market/market.machine.ts"
import type { MarketEvent } from "../../machines/market/market.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { machineChild, streamActor } from "../../runtime/machine-child.ts"

const feed = streamActor("market.feed", ({ send }: { readonly send: (event: MarketEvent) => void }) =>
  Effect.gen(function* () {
    const market = yield* Market
    let reportedAtMs = Number.NEGATIVE_INFINITY
    // One event per `reportEveryMs` proves that the feed lives; one per tick would drown everything else that is inspected.
    const changes = Effect.map(Clock.currentTimeMillis, (ms) => {
      if (ms - reportedAtMs < marketLimits.reportEveryMs) return
      reportedAtMs = ms
      send({ type: "market.ticked" })
    })
    return yield* market.feed(changes)
  })
)

/** The component `root/trading/market`. */
export const marketActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const market = yield* Market
    return yield* machineChild({
      machine: marketMachine,
      input: marketLimits,
      actors: { feed },
      status: ({ context, value }) => {
        const { lastTickAt, symbols } = market.status()
        return {
          state: typeof value === "string" ? value : (Object.values(value)[0] ?? "Feeding"),
          detail: { symbols, lastTickAt: lastTickAt?.toISOString() ?? null, attempt: context.attempt }
        }
      }
    })(self)
  })
