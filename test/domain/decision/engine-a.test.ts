import { assert, describe, it } from "@effect/vitest"
import { decideA, type EngineSignal } from "../../../src/domain/decision/engine-a.ts"
import { chooseContract } from "../../../src/domain/kernel/option-contract.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const signal = (given: Partial<EngineSignal>): EngineSignal => ({
  symbol: "SPY",
  action: null,
  direction: null,
  quantity: null,
  strike: null,
  expiration: null,
  intent: null,
  positionSize: null,
  marketPosition: null,
  marketPositionSize: null,
  ...given
})
const wish = (
  given: Partial<EngineSignal>,
  symbols: ReadonlyArray<string> = [],
  lastPrice: string | null = "450"
): string => {
  const answer = decideA({
    signal: signal(given),
    strategy: { quantity: "1", options: null },
    symbols,
    lastPrice,
    chain: null,
    nowMs
  })
  if (answer._tag !== "Propose") return answer._tag === "Nothing" ? answer.reason : answer.code
  return answer.proposals
    .map(({ leg, symbol, wish: { kind } }) => `${leg === 0 ? "" : `${leg}: `}${kind} ${symbol}`)
    .join(", ")
}

describe("what a strategy would like to do", () => {
  it("is about the symbol of the signal, whatever is held", () => {
    assert.strictEqual(wish({ direction: "LONG" }), "open SPY")
    assert.strictEqual(wish({ action: "SELL", direction: "LONG" }, ["QQQ"]), "close SPY")
  })

  it("is refused when the signal does not say enough", () => {
    assert.strictEqual(wish({ intent: "open" }), "wish_unclear")
  })
})

describe("options", () => {
  const december = "SPY 2026-12-18 C 450"
  const january = "SPY 2027-01-15 C 460"

  it("opens the contract that the alert names", () => {
    const named = { strike: "450", expiration: "2026-12-18" }
    assert.strictEqual(wish({ direction: "CALL", ...named }), `open ${december}`)
    assert.strictEqual(
      wish({ direction: "PUT", strike: "449.50", expiration: "2026-12-18" }),
      "open SPY 2026-12-18 P 449.5"
    )
  })

  it("closes the contract that is named, held or not, and otherwise those that are held", () => {
    const close = { action: "SELL", direction: "CALL" } as const
    assert.strictEqual(wish({ ...close, strike: "450", expiration: "2026-12-18" }), `close ${december}`)
    const held = [january, december, "SPY 2026-12-18 P 450", "SPYX 2026-12-18 C 450", "SPY"]
    assert.strictEqual(wish(close, held), `close ${december}, 1: close ${january}`)
    assert.strictEqual(wish({ ...close, quantity: "1" }, held), `close ${december}`)
    assert.strictEqual(wish({ ...close, strike: "460.0" }, held), `close ${january}`)
    assert.strictEqual(wish({ ...close, expiration: "2026-12-18" }, held), `close ${december}`)
    assert.strictEqual(wish(close, ["SPY"]), "nothing_to_close")
    // The price moved since it was bought: what would be chosen today is another contract.
    assert.strictEqual(wish(close, [december], "499"), `close ${december}`)
  })

  it("never writes one", () => {
    assert.strictEqual(wish({ intent: "open", action: "SELL", direction: "CALL" }), "option_written")
    assert.strictEqual(wish({ intent: "reverse", action: "SELL", direction: "PUT" }), "option_written")
    assert.strictEqual(wish({ intent: "target", positionSize: "-1", direction: "PUT" }), "option_written")
    assert.strictEqual(
      wish({ intent: "target", positionSize: "2", direction: "CALL" }),
      "target SPY 2026-12-18 C 450"
    )
  })

  it("chooses the strike at the money and the next monthly expiration when the alert is silent", () => {
    assert.strictEqual(wish({ direction: "CALL" }, [], "452.7"), "open SPY 2026-12-18 C 455")
    assert.strictEqual(wish({ direction: "CALL" }, [], "102.5"), "open SPY 2026-12-18 C 103")
    assert.strictEqual(wish({ direction: "PUT" }, [], "12.2"), "open SPY 2026-12-18 P 12")
    assert.strictEqual(wish({ direction: "PUT" }, [], "0.01"), "open SPY 2026-12-18 P 0.5")
  })

  it("says what it chose", () => {
    const choice = chooseContract(
      { underlying: "SPY", right: "CALL", strike: "450", expiration: null },
      null,
      nowMs
    )
    assert.deepStrictEqual(choice._tag === "Chosen" ? choice.contract.chosen : [], ["expiration"])
  })

  it("refuses to choose a strike from nothing, and a contract that has expired", () => {
    assert.strictEqual(
      wish({ direction: "CALL", expiration: "2026-12-18" }, [], null),
      "option_price_missing"
    )
    assert.strictEqual(wish({ direction: "CALL", strike: "450", expiration: "2026-11-22" }), "option_expired")
    assert.strictEqual(
      wish({ direction: "CALL", strike: "450", expiration: "2026-11-23" }),
      "open SPY 2026-11-23 C 450"
    )
  })
})
