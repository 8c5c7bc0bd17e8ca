/**
 * telegram-lanes: which of the stored updates are held here, in the order of their chats.
 *
 * One command that hangs must hold up its own chat and nobody else: an operator's /halt in another chat is handled at once. So each
 * chat is a lane of its own, and a chat that writes more than its lane holds is read again when the lane has an end.
 *
 * Promises: updates of a chat leave in the order in which they were added; of one chat one lane runs, of all at most
 * `telegramLimits.lanesMax`; what is held is bounded, for each chat and in all.
 * Never: reads a clock; handles an update.
 */
import { telegramLimits } from "./telegram-limits.ts"

interface Lane<Update> {
  /** The first one is being handled while the lane runs. */
  readonly updates: Array<Update>
  isRunning: boolean
}

type Behind = Map<string, Set<number>>

const addTo = (behind: Behind, chat: string, id: number): void => {
  const ids = behind.get(chat) ?? new Set()
  ids.add(id)
  behind.set(chat, ids)
}
const idsOf = (behind: Behind): ReadonlyArray<number> => [...behind.values()].flatMap((ids) => [...ids])

export class TelegramLanes<Update extends { readonly updateId: number }> {
  readonly #lanes = new Map<string, Lane<Update>>()
  /** Epoch milliseconds before which an update is not tried again. */
  readonly #aside = new Map<number, number>()
  /** By chat, those that its lane had no room for: read again when it ends, so that none overtakes another. */
  readonly #skipped: Behind = new Map()
  /** By chat, messages that wait until the bot knows its name. */
  readonly #nameless: Behind = new Map()

  /** Updates that are not to be read now. */
  except(nowMs: number): ReadonlyArray<number> {
    for (const [id, untilMs] of this.#aside) if (untilMs <= nowMs) this.#aside.delete(id)
    const held = [...this.#lanes.values()].flatMap(({ updates }) => updates.map(({ updateId }) => updateId))
    return [...held, ...this.#aside.keys(), ...idsOf(this.#skipped), ...idsOf(this.#nameless)]
  }
  /** Whether no more are to be read before a lane ends. */
  isFull(nowMs: number): boolean {
    return this.except(nowMs).length >= telegramLimits.heldMax
  }
  /** Puts an update at the end of its lane; one for which there is no room is read again when the lane has ended. */
  add(chat: string, update: Update): void {
    const lane = this.#lanes.get(chat) ?? { updates: [], isRunning: false }
    if (this.#skipped.has(chat) || lane.updates.length >= telegramLimits.laneUpdatesMax)
      return addTo(this.#skipped, chat, update.updateId)
    lane.updates.push(update)
    this.#lanes.set(chat, lane)
  }
  /** Keeps a message, and those of its chat that come after it, until the bot knows its name. */
  awaitName(chat: string, id: number): void {
    addTo(this.#nameless, chat, id)
  }
  awaitsName(chat: string): boolean {
    return this.#nameless.has(chat)
  }
  nameKnown(): void {
    this.#nameless.clear()
  }
  /** An update that failed is read again, though not at once; its lane goes on. */
  putAside(id: number, untilMs: number): void {
    this.#aside.set(id, untilMs)
  }
  /** The chats whose lanes begin to run now. */
  start(): ReadonlyArray<string> {
    const running = [...this.#lanes.values()].filter(({ isRunning }) => isRunning).length
    const begun = [...this.#lanes]
      .filter(([, { isRunning }]) => !isRunning)
      .slice(0, Math.max(0, telegramLimits.lanesMax - running))
    for (const [, lane] of begun) lane.isRunning = true
    return begun.map(([chat]) => chat)
  }
  /** The update at the front of a lane. */
  front(chat: string): Update | undefined {
    return this.#lanes.get(chat)?.updates[0]
  }
  /** The update at the front is handled, or put aside. */
  shift(chat: string): void {
    this.#lanes.get(chat)?.updates.shift()
  }
  /** The lane runs no more; what came while it ended runs it again. Returns whether more is to be done at once. */
  end(chat: string): boolean {
    const hadSkipped = this.#skipped.delete(chat)
    const lane = this.#lanes.get(chat)
    if (lane !== undefined) lane.isRunning = false
    if (lane?.updates.length === 0) this.#lanes.delete(chat)
    return hadSkipped || [...this.#lanes.values()].some(({ isRunning }) => !isRunning)
  }
}
