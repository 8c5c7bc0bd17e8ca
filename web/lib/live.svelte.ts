/**
 * The journal in the browser: the last entries, and each new one as it happens.
 *
 * Promises: entries are in order, each once, at most `entriesMax`; a stream that ends is opened again after the last entry
 * that came, so nothing is missing; what the service could not give is counted in `missed`.
 * Never: holds up the page: entries that arrive together are shown together, once a frame.
 */
import { read } from "./api.ts"

export interface Entry {
  readonly seq: number
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

const entriesMax = 20_000
const historyMax = 500
const retryMs = 1_000

class Journal {
  entries = $state.raw<ReadonlyArray<Entry>>([])
  /** Entries that are known to exist and did not come. */
  missed = $state(0)
  isOpen = $state(false)

  entry(seq: number): Entry | undefined {
    return this.entries.findLast((entry) => entry.seq === seq)
  }

  append(batch: ReadonlyArray<Entry>): void {
    const last = this.entries.at(-1)?.seq ?? -1
    const fresh = batch.filter(({ seq }) => seq > last)
    if (fresh.length > 0) this.entries = [...this.entries, ...fresh].slice(-entriesMax)
  }
}

export const journal = new Journal()

class Live {
  #socket: WebSocket | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #waiting: Array<Entry> = []
  #isStopped = false

  start(): () => void {
    this.#isStopped = false
    void this.#open()
    return () => {
      this.#isStopped = true
      clearTimeout(this.#timer)
      this.#socket?.close()
    }
  }

  /** Opens the stream again, as who is logged in now. */
  async restart(): Promise<void> {
    this.#socket?.close()
    clearTimeout(this.#timer)
    await this.#open()
  }

  async #open(): Promise<void> {
    if (this.#isStopped) return
    try {
      if (journal.entries.length === 0) {
        const page = await read<{ readonly items: ReadonlyArray<Entry> }>(
          `/api/v1/events?limit=${historyMax}`
        )
        journal.append([...page.items].toReversed())
      }
    } catch {
      return this.#again()
    }
    const url = new URL("../api/v1/live", document.baseURI)
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
    const last = journal.entries.at(-1)?.seq
    if (last !== undefined) url.searchParams.set("since", String(last))
    const socket = new WebSocket(url)
    this.#socket = socket
    socket.addEventListener("open", () => {
      journal.isOpen = true
    })
    socket.addEventListener("message", (event) => {
      if (typeof event.data === "string") this.#take(JSON.parse(event.data) as Entry)
    })
    socket.addEventListener("close", () => {
      if (this.#socket !== socket) return
      journal.isOpen = false
      this.#again()
    })
    return undefined
  }

  #again(): void {
    clearTimeout(this.#timer)
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#open(), retryMs)
  }

  /** A message of the stream that is no entry has no number; a gap has its first and last one. */
  #take(message: Entry): void {
    if (typeof message.seq !== "number") {
      if (message.type === "gap") journal.missed += Number(message.to) - Number(message.from) + 1
      return
    }
    if (this.#waiting.length === 0)
      requestAnimationFrame(() => {
        journal.append(this.#waiting)
        this.#waiting = []
      })
    this.#waiting.push(message)
  }
}

export const live = new Live()
