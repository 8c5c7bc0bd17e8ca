/**
 * What deciding and sending read besides the database: the settings as the plan needs them, and fresh quotes.
 *
 * Both steps judge by the same rules (T10), so both take their input from here.
 *
 * Promises: the settings of a decision are those of one moment, and it names their version; a quote older than the limit is no quote; an unknown symbol is subscribed to for the next time.
 * Never: waits.
 */
import { CANARY_SYMBOL } from "../../domain/kernel/canary.ts"
import { isOn } from "../../domain/kernel/flags.ts"
import { instrumentsOf } from "../../domain/kernel/instruments.ts"
import { versionOf } from "../../domain/kernel/settings-change.ts"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import type { PlanQuote, PlanSettings } from "../../domain/orders/plan-context.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { MarketService } from "../../layers/market/market.port.ts"
import { snapshotOf } from "../../layers/platform/config.port.ts"

/** Without the engine that compares where a flag switches comparing off. Made once for each settings. */
const compared = new WeakMap<Settings, Settings["strategies"]>()
const strategiesOf = (settings: Settings): Settings["strategies"] => {
  const known = compared.get(settings)
  if (known !== undefined) return known
  const strategies = Object.fromEntries(
    Object.entries(settings.strategies).map(([name, strategy]) => [
      name,
      isOn(settings.flags, "shadow", { strategy: name }) ? strategy : { ...strategy, shadow: null }
    ])
  )
  compared.set(settings, strategies)
  return strategies
}

/** In practice an alert is a fill whatever it costs; where money is at stake the account's own money is the default bound. */
export const planSettingsOf = (inForce: Settings): PlanSettings => {
  const settings = snapshotOf(inForce)
  const {
    buyingPowerMultiple = settings.mode === "PRACTICE" ? null : "1",
    breakers: _breakers,
    scopes,
    zone: _zone,
    ...limits
  } = settings.risk
  return {
    ...settings,
    strategies: strategiesOf(settings),
    version: versionOf(settings),
    limits: { ...limits, buyingPowerMultiple },
    scopes,
    instruments: instrumentsOf(settings)
  }
}

/** A quote that is fresh now; asking for an unknown symbol subscribes to it for the next time. */
export const freshQuote =
  (market: MarketService, nowMs: number) =>
  (symbol: string): PlanQuote | null => {
    // No market quotes it, and a subscription would be one symbol less for somebody's.
    if (symbol === CANARY_SYMBOL) return null
    const quote = market.quote(symbol)
    if (quote === null) {
      market.subscribe(symbol)
      return null
    }
    const { ask, at, bid, last } = quote
    const atMs = at.getTime()
    return nowMs - atMs > ageLimits.quoteAgeMsMax ? null : { symbol, bid, ask, last, atMs }
  }
