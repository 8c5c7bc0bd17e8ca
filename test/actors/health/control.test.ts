/** What an operator asks of a component, on a running tree: what is refused before anything is touched. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { controlOf } from "../../../src/actors/health/control.ts"
import type { ControlCommand } from "../../../src/domain/control/control.ts"
import { DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import type { OpenShare, PositionsStoreService } from "../../../src/layers/orders/positions-store.port.ts"
import type { ControlRefused } from "../../../src/domain/control/control.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { settingsFor } from "../../layers/api/http-world.ts"

const idle = (id: string) =>
  worker({
    id,
    start: () => Effect.succeed({ run: Effect.never }),
    stopBudgetMs: 100,
    whenExhausted: { action: "escalate" },
    readiness: "optional"
  })
const spec = supervisor({
  id: "root",
  whenExhausted: { action: "escalate" },
  children: [
    idle("http"),
    idle("database"),
    supervisor({
      id: "trading",
      whenExhausted: { action: "escalate" },
      children: [idle("exits"), idle("pipeline")]
    })
  ]
})

const away = new DatabaseUnavailable({
  operation: "t",
  reason: "connection",
  outcome: "not_applied",
  cause: "test"
})

const world = (open: PositionsStoreService["open"]) =>
  Effect.gen(function* () {
    const tree = yield* startTree(spec, { stopDeadlineMs: 1_000 })
    const positions = { open } as unknown as PositionsStoreService
    const control = controlOf({ settings: settingsFor(), positions, tree: () => tree })
    const phaseOf = (path: string): string | undefined => {
      const nodes = [tree.snapshot(), ...tree.snapshot().children.flatMap((node) => [node, ...node.children])]
      return nodes.find((node) => node.path === path)?.phase
    }
    const give = (command: ControlCommand, path: string, confirmed = false) =>
      control({ command, path, confirmed })
    const refusal = (command: ControlCommand, path: string, confirmed = false) =>
      Effect.map(
        Effect.flip(Effect.as(give(command, path, confirmed), "carried out")),
        (refused: ControlRefused) => refused
      )
    return { give, phaseOf, refusal }
  })

const held =
  (symbols: ReadonlyArray<string>): PositionsStoreService["open"] =>
  (accounts) =>
    Effect.succeed(symbols.map((symbol) => ({ account: accounts[0] ?? "", symbol }) as unknown as OpenShare))

describe("control", () => {
  it.effect("refuses what cannot be taken back before anything is touched", () =>
    Effect.gen(function* () {
      const { phaseOf, refusal } = yield* world(held([]))
      for (const path of ["root", "root/http", "root/database"]) {
        const { message, reason } = yield* refusal("pause", path, true)
        assert.deepStrictEqual([reason, message !== undefined], ["irrevocable", true])
        assert.strictEqual(phaseOf(path), "running")
      }
      assert.strictEqual((yield* refusal("restart", "root")).reason, "irrevocable")
      assert.strictEqual((yield* refusal("pause", "root/nobody")).reason, "not_found")
      assert.strictEqual((yield* refusal("resume", "root/trading/exits")).reason, "running")
    })
  )

  it.effect("pauses and resumes what protects nothing that is open", () =>
    Effect.gen(function* () {
      const { give, phaseOf } = yield* world(held([]))
      assert.deepStrictEqual(yield* give("pause", "root/trading/exits"), { unprotected: [] })
      assert.strictEqual(phaseOf("root/trading/exits"), "paused")
      yield* give("resume", "root/trading/exits")
      assert.strictEqual(phaseOf("root/trading/exits"), "running")
    })
  )

  it.effect("asks for a word before it leaves a position alone, for the component and what holds it", () =>
    Effect.gen(function* () {
      const { give, phaseOf, refusal } = yield* world(held(["SPY"]))
      for (const path of ["root/trading/exits", "root/trading"]) {
        const { positions, reason } = yield* refusal("pause", path)
        assert.deepStrictEqual([reason, positions], ["unprotected", ["paper-1/SPY"]])
        assert.strictEqual(phaseOf(path), "running")
        assert.deepStrictEqual(yield* give("pause", path, true), { unprotected: ["paper-1/SPY"] })
        yield* give("resume", path)
      }
      assert.deepStrictEqual(yield* give("pause", "root/trading/pipeline"), { unprotected: [] })
      yield* give("restart", "root/trading/exits")
    })
  )

  it.effect("takes positions it cannot read for open ones", () =>
    Effect.gen(function* () {
      const { give, refusal } = yield* world(() => Effect.fail(away))
      const { positions, reason } = yield* refusal("pause", "root/trading/exits")
      assert.deepStrictEqual([reason, positions], ["unprotected", null])
      assert.deepStrictEqual(yield* give("pause", "root/trading/exits", true), { unprotected: null })
    })
  )

  it.effect("answers for a restart of the listener before the listener is back", () =>
    Effect.gen(function* () {
      const { give } = yield* world(held([]))
      assert.deepStrictEqual(yield* give("restart", "root/http"), { unprotected: [] })
    })
  )
})
