/**
 * Decision journal: orders that decisions bring into the world, as entries of the journal.
 *
 * Promises: each order of a committed decision is one entry, with its signal as correlation id; a denied one too.
 * Never: records a decision that was not committed.
 */
import { Effect, Layer } from "effect"
import { OrderJournal } from "../orders/order-journal.ts"
import { SignalsStore } from "./signals-store.port.ts"

/** The signals store whose decisions are recorded. */
export const journalledDecisions = <E, R>(
  store: Layer.Layer<SignalsStore, E, R>
): Layer.Layer<SignalsStore, E, R | OrderJournal> =>
  Layer.effect(
    SignalsStore,
    Effect.gen(function* () {
      const signals = yield* SignalsStore
      const { moved } = yield* OrderJournal
      return SignalsStore.of({
        ...signals,
        decide: (token, claimed, accounts, plan) =>
          Effect.tap(signals.decide(token, claimed, accounts, plan), (outcomes) =>
            Effect.forEach(
              outcomes.flatMap((outcome) => (outcome._tag === "Decided" ? outcome.decision.orders : [])),
              (order) => moved({ ...order, commandId: null, openedBy: null, filledQuantity: "0" }),
              { discard: true }
            )
          )
      })
    })
  ).pipe(Layer.provide(store))
