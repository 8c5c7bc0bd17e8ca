/**
 * A list of the service, page after page.
 *
 * Promises: rows are those of the filter that was asked for last; a cursor appends the next page, anything else begins again.
 * Never: mixes the rows of two filters.
 */
import { read } from "./api.ts"
import type { Row } from "./lists.ts"

interface PageOfRows {
  readonly items: ReadonlyArray<Row>
  readonly next_cursor: string | null
}

/** Rows of a page. A list that is longer is one that somebody reads on in, and stands still. */
const pageRows = 100

export class ListReader {
  rows = $state.raw<ReadonlyArray<Row>>([])
  next = $state<string | null>(null)
  problem = $state("")
  isLoading = $state(true)
  /** When the first page came, in epoch milliseconds: the others belong to that moment. */
  readAt = $state<number | null>(null)
  /** The next page is on its way. */
  isPaging = false
  #asked = 0

  /** There is more than the first page, which alone follows what happens. */
  get isHeld(): boolean {
    return this.rows.length > pageRows
  }

  async load(
    path: string,
    query: Readonly<Record<string, string>>,
    cursor: string | null = null
  ): Promise<void> {
    this.#asked += 1
    const asked = this.#asked
    this.isPaging = cursor !== null
    const parameters = new URLSearchParams({
      ...Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "")),
      limit: String(pageRows),
      ...(cursor === null ? {} : { cursor })
    })
    try {
      const page = await read<PageOfRows>(`${path}?${parameters.toString()}`)
      if (asked !== this.#asked) return
      this.rows = cursor === null ? page.items : [...this.rows, ...page.items]
      this.next = page.next_cursor
      if (cursor === null) this.readAt = Date.now()
      this.problem = ""
    } catch (error) {
      if (asked === this.#asked) this.problem = error instanceof Error ? error.message : String(error)
    } finally {
      if (asked === this.#asked) {
        this.isLoading = false
        this.isPaging = false
      }
    }
  }
}
