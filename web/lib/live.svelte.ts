/**
 * The journal in the browser: the last entries, and each new one as it happens.
 *
 * Promises: entries are in order, each once, and bounded; a stream that ends is opened again after the last entry that came, so
 * nothing is missing; what the service could not give is counted in `missed`; `isOpen` only while something came in the last five
 * seconds, whatever the browser believes of the connection; `isCurrent` only while the stream is open and has given all there is.
 * Never: holds up the page: entries that arrive together are shown together, once a frame; keeps a stream while nobody looks.
 */
import { read } from "./api.ts"
import { placeOf } from "./journal-search.ts"

export interface Entry {
  readonly seq: number
  readonly boot: string
  readonly type: string
  readonly at: string
  readonly path: string
  readonly incarnation: number | null
  readonly event: string
  readonly from: string | null
  readonly to: string | null
  readonly since: string | null
  readonly cause: string | null
  readonly correlation_id: string | null
  readonly guard: string | null
  readonly actions: ReadonlyArray<string> | null
  readonly context: Readonly<Record<string, readonly [unknown, unknown]>> | null
  readonly detail: Readonly<Record<string, unknown>> | null
}

/** A message of the stream that is no entry. */
interface Message {
  readonly type: "hello" | "heartbeat" | "process" | "gap" | "reset" | "bye" | "pong"
  readonly boot?: string
  readonly head?: number
  readonly from?: number
  readonly to?: number
}

/** Some 80 MB of a browser's memory. */
const entriesMax = 100_000
/** While somebody looks at the past. */
const pinnedMax = 1.2 * entriesMax
const historyMax = 500
const retryMs = 1_000
/**
 * The service says something every two seconds (`heartbeat_ms`). A connection of which one end is gone without notice stays open to
 * the browser for minutes, so after so long without anything it is dead. With the pause between two looks that is below five seconds.
 */
const silentMs = 4_600
const lookEveryMs = 250

class Journal {
  entries = $state.raw<ReadonlyArray<Entry>>([])
  /** Entries that are known to exist and did not come. */
  missed = $state(0)
  isOpen = $state(false)
  /** The process that the stream is of. */
  boot = $state("")
  /** The last number the service has named. */
  head = $state(0)
  /** The entry that somebody looks at: it and what is around it are kept longer. */
  pinned = $state<number | null>(null)
  /** There may be older entries than those held, and room for them. */
  hasEarlier = $state(true)
  /** Why older entries did not come. */
  problem = $state("")
  #isLoading = false

  get isCurrent(): boolean {
    return this.isOpen && (this.entries.at(-1)?.seq ?? 0) >= this.head
  }

  entry(seq: number): Entry | undefined {
    const found = this.entries[placeOf(this.entries, seq)]
    return found?.seq === seq ? found : undefined
  }

  append(batch: ReadonlyArray<Entry>): void {
    let last = this.entries.at(-1)?.seq ?? -1
    const fresh: Array<Entry> = []
    for (const entry of batch) {
      if (entry.seq <= last) continue
      last = entry.seq
      fresh.push(entry)
    }
    const most = this.pinned === null ? entriesMax : pinnedMax
    if (fresh.length === 0) return
    const all = this.entries.concat(fresh)
    this.entries = all.length > most ? all.slice(-most) : all
  }

  /** Puts the entries before those held in front of them, a page at a time. */
  async earlier(): Promise<void> {
    const first = this.entries[0]?.seq
    if (first === undefined || this.#isLoading || !this.hasEarlier) return
    this.#isLoading = true
    try {
      const { items } = await read<{ readonly items: ReadonlyArray<Entry> }>(
        `/api/v1/events?before=${first}&limit=${historyMax}`
      )
      this.problem = ""
      // Another journal may have begun meanwhile.
      if (this.entries[0]?.seq !== first) return
      this.entries = [...[...items].toReversed(), ...this.entries]
      this.hasEarlier = items.length === historyMax && this.entries.length + historyMax <= entriesMax
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error)
    } finally {
      this.#isLoading = false
    }
  }

  clear(): void {
    this.entries = []
    this.hasEarlier = true
    this.missed = 0
    this.head = 0
    this.isOpen = false
  }
}

export const journal = new Journal()

class Live {
  #socket: WebSocket | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #watch: ReturnType<typeof setInterval> | undefined
  /** When something came last, by a clock that nobody sets. */
  #heardAt = 0
  #waiting: Array<Entry> = []
  /** Each opening has a number; what belongs to a former one is over. */
  #opening = 0

  start(): () => void {
    const look = (): void => {
      if (document.hidden) this.stop()
      else void this.#open()
    }
    document.addEventListener("visibilitychange", look)
    look()
    return () => {
      document.removeEventListener("visibilitychange", look)
      this.stop()
    }
  }

  stop(): void {
    this.#opening += 1
    clearTimeout(this.#timer)
    clearInterval(this.#watch)
    this.#socket?.close()
    this.#socket = null
    this.#waiting = []
    journal.isOpen = false
  }

  /** Ends a connection that says nothing, and does not wait for an answer to that: there may be nobody who gives one. */
  #look(opening: number): void {
    if (opening !== this.#opening || performance.now() - this.#heardAt < silentMs) return
    this.stop()
    void this.#open()
  }

  /** Opens the stream again, as who is logged in now. */
  async restart(): Promise<void> {
    this.stop()
    await this.#open()
  }

  async #open(): Promise<void> {
    this.#opening += 1
    const opening = this.#opening
    clearTimeout(this.#timer)
    try {
      if (journal.entries.length === 0) {
        const page = await read<{ readonly items: ReadonlyArray<Entry> }>(
          `/api/v1/events?limit=${historyMax}`
        )
        if (opening !== this.#opening) return
        journal.append([...page.items].toReversed())
      }
    } catch {
      this.#again(opening)
      return
    }
    const url = new URL("../api/v1/live", document.baseURI)
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
    const last = journal.entries.at(-1)?.seq
    if (last !== undefined) url.searchParams.set("since", String(last))
    const socket = new WebSocket(url)
    this.#socket = socket
    this.#heardAt = performance.now()
    clearInterval(this.#watch)
    this.#watch = setInterval(() => this.#look(opening), lookEveryMs)
    socket.addEventListener("message", (event) => {
      if (opening !== this.#opening || typeof event.data !== "string") return
      this.#heardAt = performance.now()
      this.#take(JSON.parse(event.data) as Entry | Message)
    })
    socket.addEventListener("close", () => {
      this.#again(opening)
    })
  }

  #again(opening: number): void {
    if (opening !== this.#opening) return
    clearInterval(this.#watch)
    journal.isOpen = false
    this.#timer = setTimeout(() => void this.#open(), retryMs)
  }

  #take(message: Entry | Message): void {
    if ("seq" in message) {
      journal.head = Math.max(journal.head, message.seq)
      if (this.#waiting.length === 0)
        requestAnimationFrame(() => {
          journal.append(this.#waiting)
          this.#waiting = []
        })
      this.#waiting.push(message)
      return
    }
    if (message.type === "hello" || message.type === "process") {
      journal.isOpen = true
      journal.boot = message.boot ?? ""
    }
    if (message.head !== undefined) journal.head = Math.max(journal.head, message.head)
    if (message.type === "gap") journal.missed += (message.to ?? 0) - (message.from ?? 0) + 1
    // The numbers begin again below those that are known, as after a clock that was set back.
    if (message.type === "reset") {
      this.#waiting = []
      journal.entries = []
      journal.hasEarlier = true
      journal.head = 0
    }
  }
}

export const live = new Live()
