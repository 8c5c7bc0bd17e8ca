/**
 * One cell of the crash matrix, run on real processes: a post, a venue that misbehaves, a process that dies at a named
 * point, its next life, and a judge who reads the venue's own book.
 *
 * Promises: the signal of a cell is posted until it is taken, as a sender does; an order that the venue has is filled once
 * here and there; an order that the venue has not is known to have failed, or waits for an operator; nothing else happens.
 * Never: queries the database; repairs anything by hand.
 */
import { assert } from "vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import type { DuplicateRule } from "../support/paper-broker.ts"
import {
  type Cell,
  type Ending,
  endingOf,
  faultsOf,
  isCompensation,
  isFreeze,
  nameOf
} from "./crash-cells.ts"
import { FLAT_ACCOUNT, playCancel, playFlatten } from "./crash-commands.ts"
import { CUT_SOURCE, playCompensation } from "./crash-compensation.ts"
import { playFreeze } from "./crash-freeze.ts"
import { alertBody, isSettled, type Row, type Service } from "./service.ts"
import { accounts, World } from "./world.ts"

/** A life that does not come to its point, because the fault keeps the order from it, ends here. */
const REACH_MS_MAX = 12_000

interface Outcome {
  readonly orders: ReadonlyArray<Row>
  readonly fills: ReadonlyArray<Row>
}

export class CrashScene {
  readonly world: World
  readonly #folder: string
  /** The other process of K11. */
  #standby: Service | null = null
  #cells = 0
  /** Posts that were taken. */
  posted = 0
  /** Lives that were ended at their point, and lives that settled without coming to it. */
  readonly reached = { atPoint: 0, atRest: 0 }

  private constructor(world: World, folder: string) {
    this.world = world
    this.#folder = folder
  }

  static async open(rule: DuplicateRule): Promise<CrashScene> {
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-crash-"))
    const world = await World.open({
      rule,
      database: "external",
      nodeFlags: ["--require", path.join(projectRoot, "test/support/fault-hook.cjs")],
      env: { FAULT_ORDER: path.join(folder, "order") },
      settings: {
        sources: { fan: {}, flat: {}, [CUT_SOURCE]: {} },
        strategies: {
          default: { sources: ["default"], accounts: ["paper-1"] },
          cut: { sources: [CUT_SOURCE], accounts: ["paper-1"], onPartialFill: "close" },
          flat: { sources: ["flat"], accounts: [FLAT_ACCOUNT] }
        }
      }
    })
    await world.service.start()
    return new CrashScene(world, folder)
  }

  async dispose(): Promise<void> {
    await this.world.dispose()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Plays one cell; what did not fit is an error that names the cell. */
  async play(cell: Cell): Promise<void> {
    this.#cells += 1
    const symbol = `C${this.#cells}`
    try {
      const isPair = cell.point.startsWith("K11") || (isFreeze(cell.point) && cell.fault !== "alone")
      await (isPair ? this.#openStandby() : this.#closeStandby())
      if (isFreeze(cell.point)) await playFreeze(this, cell, symbol)
      else if (isCompensation(cell.point)) await playCompensation(this, cell, symbol)
      else if (cell.point === "K9") await playCancel(this, cell, symbol)
      else if (cell.point.startsWith("K10")) await playFlatten(this, cell, symbol)
      else await this.#playOrder(cell, symbol)
    } catch (error) {
      const { message } = error instanceof Error ? error : new Error(String(error))
      throw new Error(`${nameOf(cell)} (${symbol}): ${message}${this.world.service.tail(40)}`, {
        cause: error
      })
    }
  }

  async #playOrder(cell: Cell, symbol: string): Promise<void> {
    const fault = faultsOf(cell.point)[cell.fault]!
    const { broker } = this.world
    await broker.faults(fault.switches)
    this.command(cell.point.slice(-2), symbol)
    const posting = this.post(symbol)
    // Whoever awaits it comes later; a rejection until then is not unhandled.
    posting.catch(() => undefined)
    const victim = await this.untilDead(symbol)
    if (fault.endsWithLife === true) await broker.clearFaults()
    victim.spawn()
    const trace = await this.settled(await posting)
    // Whatever hides an order from look-ups hides it from the judge too.
    await broker.clearFaults()
    assert.lengthOf(trace.orders, 1, "one order per intent")
    await this.judge(cell.rule, endingOf(cell), trace.orders[0]!, trace.fills)
  }

  /** Orders a kill, or a freeze, at a point that is about `subject`. */
  command(point: string, subject: string, signal: "SIGKILL" | "SIGSTOP" = "SIGKILL"): void {
    writeFileSync(path.join(this.#folder, "order"), `${point} ${subject} ${signal}`)
  }

  /** Whoever stands still because it came to its point, and who else there is. */
  async untilFrozen(): Promise<{ readonly frozen: Service; readonly other: Service | null }> {
    const frozen = await waitUntil(
      () => `a process to be frozen${this.world.service.tail(30)}`,
      () => this.lives.find((service) => service.isRunning && service.isFrozen)
    )
    this.reached.atPoint += 1
    return { frozen, other: this.lives.find((service) => service !== frozen) ?? null }
  }

  get lives(): ReadonlyArray<Service> {
    return this.#standby === null ? [this.world.service] : [this.world.service, this.#standby]
  }

  async #openStandby(): Promise<void> {
    if (this.#standby !== null) return
    this.#standby = this.world.another("second")
    this.#standby.spawn()
    await this.#standby.ready()
  }
  async #closeStandby(): Promise<void> {
    await this.#standby?.dispose()
    this.#standby = null
    if (!this.world.service.isRunning) this.world.service.spawn()
    await this.world.service.trading()
  }

  /** Posts as a sender does: again after every answer that is not a 2xx, to whoever answers. */
  async post(symbol: string, source = "default"): Promise<string> {
    const body = alertBody({ symbol, quantity: 3 })
    let last = ""
    return await waitUntil(
      () => `the post to be taken; last answer ${last}`,
      async () => {
        for (const service of this.lives) {
          const answer = await service
            .post(`/webhook/${source}`, body, { deadlineMs: 4_000 })
            .catch(() => null)
          last = answer?.text ?? "none"
          if (answer !== null && answer.status < 300) {
            this.posted += 1
            return String(answer.body.signal_id)
          }
        }
        await pause(100)
        return undefined
      },
      60_000
    )
  }

  /** Whoever died at its point; or, when the signal settles before anybody does, whoever is killed at rest. */
  async untilDead(symbol: string, intent: "entry" | "reduce" = "entry"): Promise<Service> {
    const from = performance.now()
    for (;;) {
      const dead = this.lives.find((service) => !service.isRunning)
      if (dead !== undefined) {
        rmSync(path.join(this.#folder, "order"), { force: true })
        this.reached.atPoint += 1
        return dead
      }
      const all = await this.world.service.list("orders", `symbol=${symbol}`).catch(() => [])
      const rows = all.filter((order) => order["intent"] === intent)
      const isOver = (rows.length > 0 && rows.every(isSettled)) || performance.now() - from > REACH_MS_MAX
      if (isOver && this.lives.every((service) => service.isRunning)) {
        rmSync(path.join(this.#folder, "order"), { force: true })
        this.reached.atRest += 1
        await this.world.service.kill()
        return this.world.service
      }
      await pause(20)
    }
  }

  /** A signal with its settled orders, as whoever answers shows it. */
  async settled(signalId: string): Promise<Outcome> {
    const { service } = this.world
    await service.ready()
    const { fills, orders, signal } = await service.settled(signalId, 90_000)
    assert.strictEqual(signal.status, "done", JSON.stringify(signal))
    return { orders: orders as ReadonlyArray<Row>, fills: fills as ReadonlyArray<Row> }
  }

  /** What came of an order, here and in the venue's book. */
  async judge(rule: DuplicateRule, ending: Ending, order: Row, fills: ReadonlyArray<Row>): Promise<void> {
    const { broker } = this.world
    const id = String(order["client_order_id"])
    const story = JSON.stringify(order)
    const booked = await broker.orders(id)
    const received = (await broker.creates(id))[0]?.received ?? 0
    assert.isAtMost(booked.length, 1, `one order in the venue's book: ${story}`)
    // Whether a second create is harmless is what the rule says (T5).
    if (rule === "O" || rule === "N") assert.isAtMost(received, 1, `one create: ${story}`)
    assert.strictEqual(order["status"], ending, story)
    const [there] = booked
    if (there === undefined || (ending !== "filled" && ending !== "cancelled")) {
      assert.deepStrictEqual([booked, fills], [[], []], `neither an order nor a fill: ${story}`)
      return
    }
    assert.strictEqual(there.status, ending, story)
    const sum = (rows: ReadonlyArray<Row>) => rows.reduce((total, row) => total + Number(row["quantity"]), 0)
    assert.strictEqual(sum(fills), Number(there.filled_quantity), `the fills of ${story}`)
  }

  /** After all cells: both books have the same trades and positions, and no component was restarted more than its lives explain. */
  async audit(): Promise<void> {
    const { broker, service } = this.world
    await this.#closeStandby()
    const ours = await service.list("fills")
    const theirs = await broker.fills()
    assert.sameMembers(
      ours.map((fill) => String(fill["trade_id"])),
      theirs.map((fill) => fill.trade_id)
    )
    const words = (rows: ReadonlyArray<Row>) =>
      rows
        .filter((row) => Number(row["quantity"]) !== 0)
        .map((row) => `${row["account"]} ${row["symbol"]} ${Number(row["quantity"])}`)
    const book = (await Promise.all(accounts.map((account) => broker.positions(account)))).flat()
    assert.sameMembers(
      [...words(await service.list("positions"))],
      words(book.map(({ account, symbol, quantity }) => ({ account, symbol, quantity })))
    )
    assert.lengthOf(await service.list("signals"), this.posted, "one signal per post")
    const orders = await broker.orders()
    assert.strictEqual(new Set(orders.map((order) => order.client_order_id)).size, orders.length)
  }
}

/** Plays cells in one world after the other and audits the books; the names of what failed are the error. */
export const playAll = async (rule: DuplicateRule, cells: ReadonlyArray<Cell>): Promise<void> => {
  const scene = await CrashScene.open(rule)
  const from = performance.now()
  try {
    for (const cell of cells) await scene.play(cell)
    await scene.audit()
    const { atPoint, atRest } = scene.reached
    const seconds = ((performance.now() - from) / 1_000).toFixed(0)
    console.log(
      `rule ${rule}: ${cells.length} cells in ${seconds} s, ${atPoint} killed at their point, ${atRest} at rest`
    )
  } finally {
    await scene.dispose()
  }
}
