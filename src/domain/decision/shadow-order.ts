/**
 * Shadow orders: what the other engine would have made of an order (G5).
 *
 * It is judged by the same books and limits, so that only the engines differ. It is a value in the decision: nothing that could send
 * it ever reads it.
 *
 * Promises: pure; without votes to decide by a shadow is `unknown`, which is neither yes nor no.
 * Never: changes what the deciding engine does.
 */
import type { EngineName, StrategySettings } from "../kernel/settings.ts"
import type { RiskVerdict } from "../orders/risk.ts"
import type { Side } from "../signals/signal.ts"

/** An order as the shadow engine of a strategy would have decided it. It is never sent. */
export interface ShadowOrder {
  readonly engine: EngineName
  readonly strategy: string
  readonly account: string
  readonly leg: number
  readonly symbol: string
  readonly side: Side
  readonly quantity: string
  readonly intent: "entry" | "reduce"
  /** Its own price, else the side of the quote it would have met; null without a quote. */
  readonly price: string | null
  /** `unknown`: no votes were there to decide by. */
  readonly would: "order" | "deny" | "unknown"
  readonly code: string | null
  /** The score of the panel, null where it did not decide. */
  readonly score: number | null
}

/** An order as it was judged. */
export type JudgedOrder = Omit<ShadowOrder, "code" | "engine" | "score" | "would">

/** What the engines that vote make of an order that opens; null of one that closes. */
export interface EngineVerdicts {
  readonly B: RiskVerdict | null
  readonly C: RiskVerdict | null
}

/** Nobody voted, so what the engine would have done is not known. */
const isSilent = ({ code, numbers }: RiskVerdict): boolean =>
  code === "votes_missing" || code === "voter_missing" || numbers["vote"] === "abstain"

/** `deciding` is the engine that decides, `riskCode` what the limits have against the order, null for nothing. */
export const shadowsOf = (
  order: JudgedOrder,
  { shadow }: Pick<StrategySettings, "shadow">,
  deciding: EngineName,
  verdicts: EngineVerdicts,
  riskCode: string | null
): ReadonlyArray<ShadowOrder> => {
  if (shadow === null || shadow === deciding) return []
  const verdict = shadow === "A" ? null : verdicts[shadow]
  const code = riskCode ?? (verdict === null || verdict.ok ? null : verdict.code)
  const isUnknown = riskCode === null && verdict !== null && isSilent(verdict)
  const score = verdict?.numbers["score"]
  return [
    {
      ...order,
      engine: shadow,
      would: isUnknown ? "unknown" : code === null ? "order" : "deny",
      code,
      score: typeof score === "number" ? score : null
    }
  ]
}
