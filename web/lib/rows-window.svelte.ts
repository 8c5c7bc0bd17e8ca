/**
 * The part of a long list that is drawn, as the page is scrolled.
 *
 * The element holds the rows, each with its place in `data-row`, and two spaces of `range.above` and `range.below` pixels around
 * them.
 *
 * Promises: a screen before and after what is in view is drawn too, so that keys and the tab order reach the next row; focus that
 * would be lost with its row goes to what is around the list; short lists are drawn whole.
 * Never: draws anything; works while nothing moves.
 */
import { tick } from "svelte"
import { CHUNK_ROWS, rowsIn, rowsRange, type RowsRange, wholeRange, WHOLE_ROWS_MAX } from "./rows-range.ts"

/** Until the first rows were measured. */
const rowHeightFirst = 28

const isSame = (one: RowsRange, other: RowsRange): boolean =>
  one.first === other.first &&
  one.end === other.end &&
  Math.abs(one.above - other.above) < 1 &&
  Math.abs(one.below - other.below) < 1

export class RowsWindow {
  range = $state.raw<RowsRange>(wholeRange)
  #element: HTMLElement | null = null
  #count = 0
  /** Of each chunk that was drawn: the height of its rows on average. */
  #measured: Array<number> = []
  /** For all others. Kept once it was measured: one that changed would move everything below it, far from where anybody looks. */
  #estimate: number | null = null

  /** Follows the page until the returned function is called. */
  attach(element: HTMLElement | null): (() => void) | undefined {
    if (element === null) return undefined
    this.#element = element
    const move = (): void => this.#place()
    const resize = (): void => {
      // Narrower rows are higher.
      this.#measured = []
      this.#estimate = null
      this.#place()
    }
    addEventListener("scroll", move, { capture: true, passive: true })
    addEventListener("resize", resize)
    return () => {
      removeEventListener("scroll", move, { capture: true })
      removeEventListener("resize", resize)
      this.#element = null
    }
  }

  /** To be called after each drawing: there are `count` rows, and those of `range` stand in the page. */
  fit(count: number): void {
    this.#count = count
    if (count > WHOLE_ROWS_MAX) this.#measure(this.range)
    this.#place()
  }

  /** Scrolls until a row is drawn and in view. */
  async show(row: number): Promise<HTMLElement | null> {
    for (let tries = 0; tries < 5; tries += 1) {
      const found = this.#element?.querySelector<HTMLElement>(`[data-row="${row}"]`) ?? null
      if (found !== null) {
        found.scrollIntoView({ block: "nearest" })
        return found
      }
      if (this.#element === null) return null
      scrollBy(0, this.#element.getBoundingClientRect().top + this.#topOf(row) - innerHeight / 2)
      this.#place()
      await tick()
    }
    return null
  }

  #rowHeight = (chunk: number): number => this.#measured[chunk] ?? this.#estimate ?? rowHeightFirst

  #topOf(row: number): number {
    const last = Math.floor(row / CHUNK_ROWS)
    let top = (row - last * CHUNK_ROWS) * this.#rowHeight(last)
    for (let chunk = 0; chunk < last; chunk += 1) top += this.#rowHeight(chunk) * CHUNK_ROWS
    return top
  }

  #measure({ above, below, end, first }: RowsRange): void {
    const element = this.#element
    if (element === null) return
    const box = element.getBoundingClientRect()
    let top = box.top + above
    let [height, rows] = [0, 0]
    for (let row = first; row < Math.min(end, this.#count); row += CHUNK_ROWS) {
      const next = row + CHUNK_ROWS
      const bottom =
        next >= Math.min(end, this.#count)
          ? box.bottom - below
          : element.querySelector(`[data-row="${next}"]`)?.getBoundingClientRect().top
      const chunk = row / CHUNK_ROWS
      const many = rowsIn(chunk, this.#count)
      // Nothing has a height while it is not shown.
      if (bottom === undefined || bottom <= top) return
      this.#measured[chunk] = (bottom - top) / many
      height += bottom - top
      rows += many
      top = bottom
    }
    if (rows > 0) this.#estimate ??= height / rows
  }

  #place(): void {
    const element = this.#element
    let next = wholeRange
    if (element !== null && this.#count > WHOLE_ROWS_MAX) {
      const { top } = element.getBoundingClientRect()
      next = rowsRange(this.#count, this.#rowHeight, -top - innerHeight, 2 * innerHeight - top)
    }
    if (isSame(this.range, next)) return
    this.#keepFocus(next)
    this.range = next
  }

  #keepFocus({ end, first }: RowsRange): void {
    const element = this.#element
    const focused = document.activeElement
    if (element === null || focused === null || !element.contains(focused)) return
    const row = Number(focused.closest<HTMLElement>("[data-row]")?.dataset["row"] ?? first)
    if (row < first || row >= end) element.closest<HTMLElement>("[tabindex]")?.focus({ preventScroll: true })
  }
}
