/** G6: what a process was at an entry of its journal, from a picture and the entries behind it. */
import { assert, describe, it } from "vitest"
import { foldPast, machineOf, nothingKnown, type Picture } from "../../../src/domain/health/past.ts"
import { journalFact, type JournalFact } from "../../../src/domain/platform/journal.ts"
import { SeededRandom } from "../../../src/runtime/backoff.ts"

const boot = "b1"
type Told = Pick<JournalFact, "event" | "path" | "type"> & Partial<JournalFact>

/** Facts as entries, a second apart. */
const entries = (facts: ReadonlyArray<Told>, of = boot, first = 1) =>
  facts.map((fact, index) => ({
    ...journalFact({ at: (first + index) * 1_000, ...fact }),
    seq: first + index,
    boot: of
  }))
const empty: Picture = { ...nothingKnown(boot, 0), orders: [], positions: [] }
const path = "root/feeds/feed:default"
const life = (event: string, more: Partial<JournalFact> = {}): Told => ({
  type: "component",
  event,
  path,
  incarnation: 1,
  ...more
})
const move = (from: string, to: string): Told => ({ type: "transition", path, event: "go", from, to })
const step = (status: string, more: Record<string, unknown> = {}): Told => ({
  type: "order",
  path: "root/trading/accounts/paper-1",
  event: `order.${status}`,
  to: status,
  detail: {
    order_id: "o-1",
    account: "paper-1",
    strategy: "default",
    symbol: "SPY",
    side: "buy",
    quantity: "2",
    filled_quantity: "0",
    ...more
  }
})
const fill = (quantity: string): Told => ({
  ...step("filled", {
    filled_quantity: "2",
    position: { quantity, average_price: "9.5", realised_pnl: "0" }
  }),
  event: "order.fill"
})

const one = (picture: Picture) => {
  const [component] = picture.components
  assert.isDefined(component)
  return component
}

describe("a component of the past", () => {
  it("goes through its life: starting, its machine's state, ready, failed with its cause, restarted", () => {
    const told = entries([
      life("component.starting", { detail: { type: "worker" } }),
      move("", "Connecting"),
      life("component.started"),
      move("Connecting", "Live"),
      life("component.ready"),
      { ...life("component.failed", { cause: "1000 bye" }), type: "restart" },
      { ...life("component.backing_off", { cause: "1000 bye" }), type: "restart" },
      { ...life("component.restarted", { incarnation: 2 }), type: "restart" }
    ])
    const at = (count: number) => one(foldPast(empty, told.slice(0, count)))
    const shown = (count: number) => {
      const { machine, phase, ready, state } = at(count)
      return [machine, phase, state, ready]
    }
    assert.deepStrictEqual(shown(1), ["feed", "starting", "starting", false])
    assert.deepStrictEqual(shown(3), ["feed", "running", "Connecting", false])
    assert.deepStrictEqual(shown(5), ["feed", "running", "Live", true])
    assert.deepStrictEqual(shown(7), ["feed", "backingOff", "backingOff", false])
    assert.deepInclude(at(8), { phase: "running", restarts: 1, incarnation: 2, lastError: "1000 bye" })
  })

  it("is listed below its supervisor, whatever came first, and a supervisor has no machine", () => {
    const start = (where: string, type: string): Told => ({
      ...life("component.starting", { detail: { type } }),
      path: where
    })
    const { components } = foldPast(
      empty,
      entries([
        start("root/trading", "supervisor"),
        start("root/trading/accounts", "dynamic"),
        start("root/feeds", "supervisor"),
        start("root/trading/accounts/a", "worker")
      ])
    )
    assert.deepStrictEqual(
      components.map((row) => [row.path, row.machine]),
      [
        ["root/trading", null],
        ["root/trading/accounts", null],
        ["root/trading/accounts/a", "account"],
        ["root/feeds", null]
      ]
    )
  })

  it("is not one of a process that ended, while orders and positions go on", () => {
    const before = entries([life("component.starting"), step("acked"), fill("2")])
    const after = entries([{ ...life("component.starting"), path: "root/http" }], "b2", 100)
    const picture = foldPast(empty, [...before, ...after])
    assert.deepStrictEqual(
      picture.components.map((row) => row.path),
      ["root/http"]
    )
    assert.deepStrictEqual(
      picture.orders?.map(({ status }) => status),
      ["filled"]
    )
    assert.deepStrictEqual(picture.positions, [
      { account: "paper-1", symbol: "SPY", quantity: "2", averagePrice: "9.5", realisedPnl: "0" }
    ])
    assert.isNull(picture.health)
  })
})

describe("orders, positions and health of the past", () => {
  it("are those of the entry, and a position that was closed is none", () => {
    const told = entries([step("intended"), step("acked"), fill("2"), fill("0.00")])
    const at = (count: number) => foldPast(empty, told.slice(0, count))
    assert.deepInclude(at(1).orders?.[0], { id: "o-1", status: "intended", since: 1_000 })
    assert.deepStrictEqual(at(2).positions, [])
    assert.strictEqual(at(3).positions?.[0]?.quantity, "2")
    assert.deepStrictEqual(at(4).positions, [])
  })

  it("are not known where no picture tells of them, whatever the entries say", () => {
    const picture = foldPast(nothingKnown(boot, 0), entries([step("acked"), fill("2")]))
    assert.isNull(picture.orders)
    assert.isNull(picture.positions)
  })

  it("say with health what was ready and what traded", () => {
    const told = (to: string, detail: Record<string, unknown>): Told => ({
      type: "health",
      path: "root",
      event: "health.changed",
      to,
      detail
    })
    const { health } = foldPast(
      empty,
      entries([
        told("degraded", { ready: true, can_trade: false, trading_state: "HALTED", reasons: ["a"] }),
        told("degraded", { ready: true, can_trade: true, trading_state: "ACTIVE", reasons: ["b"] })
      ])
    )
    assert.deepStrictEqual(health, {
      status: "degraded",
      since: 1_000,
      ready: true,
      canTrade: true,
      tradingState: "ACTIVE",
      reasons: ["b"]
    })
  })
})

describe("folding", () => {
  it("gives the same from any picture in between, also over entries that the picture has already", () => {
    const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
    const random = new SeededRandom(seed)
    const pick = <A>(...of: ReadonlyArray<A>): A => of[random.below(of.length)] as A
    const states = ["A", "B", "C.x+D.y"]
    const facts = Array.from({ length: 300 }, (): Told => {
      const where = `root/x/${random.below(4)}`
      const kind = random.below(4)
      if (kind === 0) return { ...move(pick(...states), pick(...states)), path: where }
      if (kind === 1)
        return {
          ...life(
            pick(
              "component.starting",
              "component.started",
              "component.ready",
              "component.unready",
              "component.backing_off",
              "component.stopped",
              "component.paused"
            ),
            { cause: pick("x", "y") }
          ),
          path: where
        }
      if (kind === 2) return step(pick("acked", "filled", "held"), { order_id: `o-${random.below(5)}` })
      return { ...fill(String(random.below(3))), path: where }
    })
    const told = entries(facts)
    const whole = foldPast(empty, told)
    for (let round = 0; round < 40; round += 1) {
      const cut = random.below(told.length)
      const picture = foldPast(empty, told.slice(0, cut))
      assert.deepStrictEqual(foldPast(picture, told.slice(cut)), whole, `SEED=${seed} cut ${cut}`)
      // Rows are read a little later than the entries they are kept with.
      const rows = foldPast(empty, told.slice(0, Math.min(told.length, cut + 10)))
      const early = { ...picture, orders: rows.orders, positions: rows.positions }
      const again = foldPast(early, told.slice(cut))
      assert.sameDeepMembers(
        (again.positions ?? []).map((position) => JSON.stringify(position)),
        (whole.positions ?? []).map((position) => JSON.stringify(position)),
        `SEED=${seed} cut ${cut}`
      )
      assert.sameMembers(
        (again.orders ?? []).map(({ id, status }) => `${id} ${status}`),
        (whole.orders ?? []).map(({ id, status }) => `${id} ${status}`),
        `SEED=${seed} cut ${cut}`
      )
    }
  })
})

describe("the statechart of a component", () => {
  it.each([
    ["root/trading/risk", "worker", "risk"],
    ["root/trading/agents/risk", "worker", "agent"],
    ["root/trading/agents/trend", "worker", "agent"],
    ["root/trading/accounts/paper-1", "worker", "account"],
    ["root/feeds/feed:default", "worker", "feed"],
    ["root/trading/agents", "supervisor", null]
  ])("of %s, a %s, is %s", (at, type, machine) => {
    assert.strictEqual(machineOf(at, type), machine)
  })
})
