/**
 * The updates that wait for the bot: what it asked for, in order, for a day.
 *
 * Promises: numbers grow by one; an offset confirms everything before it; what is older than a day is gone; a kind the bot did
 * not ask for is never stored.
 * Never: delivers; the poll and the webhook read from here.
 */
import { apiLimits } from "./options.ts"

export type UpdateKind = "message" | "edited_message" | "callback_query" | "my_chat_member" | "chat_member"

/** What a bot gets that names none: all but these. */
const unasked: ReadonlySet<string> = new Set(["chat_member", "message_reaction", "message_reaction_count"])

export interface Waiting {
  readonly update: { readonly update_id: number } & Readonly<Record<string, unknown>>
  readonly atMs: number
}

export class Updates {
  readonly #now: () => number
  #waiting: ReadonlyArray<Waiting> = []
  #next: number
  /** Null: as a bot that never named any. */
  allowed: ReadonlyArray<string> | null = null

  constructor(first: number, now: () => number) {
    this.#next = first
    this.#now = now
  }
  /** The number of the next update. */
  get next(): number {
    return this.#next
  }
  /** Adds an update; returns its number, or null when the bot did not ask for its kind. */
  add(kind: UpdateKind, content: unknown): number | null {
    const wanted = this.allowed === null ? !unasked.has(kind) : this.allowed.includes(kind)
    return wanted ? this.addRaw({ [kind]: content }) : null
  }
  /** Adds whatever a test wants the bot to get. */
  addRaw(content: Readonly<Record<string, unknown>>): number {
    const id = this.#next
    this.#next += 1
    this.#waiting = [...this.waiting(), { update: { update_id: id, ...content }, atMs: this.#now() }]
    return id
  }
  waiting(): ReadonlyArray<Waiting> {
    const oldest = this.#now() - apiLimits.updateKeptMs
    if ((this.#waiting[0]?.atMs ?? oldest) < oldest)
      this.#waiting = this.#waiting.filter(({ atMs }) => atMs >= oldest)
    return this.#waiting
  }
  /** Confirms by the offset of a poll; a negative one keeps that many of the last. */
  confirm(offset: number): void {
    const waiting = this.waiting()
    this.#waiting =
      offset < 0 ? waiting.slice(offset) : waiting.filter(({ update }) => update.update_id >= offset)
  }
  remove(id: number): void {
    this.#waiting = this.#waiting.filter(({ update }) => update.update_id !== id)
  }
  clear(): void {
    this.#waiting = []
  }
}
