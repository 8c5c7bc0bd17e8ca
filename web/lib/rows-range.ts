/**
 * Which rows of a long list are drawn: those in view and around it, in whole chunks.
 *
 * Rows have different heights, so places are computed from chunks: a chunk that was drawn has the height that was measured, any
 * other an estimate. Rejected: rows of one height, which would cut what they say; a height for each row, which costs as much as
 * drawing it.
 *
 * Promises: pure; the rows drawn and the two spaces around them are as high as all rows; at least one chunk is drawn.
 * Never: measures anything.
 */

/** So many rows stay or go together. Less than a screen, and few enough chunks to add up at each frame: 2,500 of 100,000 rows. */
export const CHUNK_ROWS = 40
/** Lists up to this length are drawn whole. */
export const WHOLE_ROWS_MAX = 200

export interface RowsRange {
  /** The first row drawn. */
  readonly first: number
  /** The row after the last one drawn; may be beyond the end. */
  readonly end: number
  /** Pixels that the rows before and after would take. */
  readonly above: number
  readonly below: number
}

/** All of a list that is short. */
export const wholeRange: RowsRange = { first: 0, end: WHOLE_ROWS_MAX, above: 0, below: 0 }

/** Rows in a chunk; the last one may have fewer. */
export const rowsIn = (chunk: number, count: number): number =>
  Math.max(0, Math.min(CHUNK_ROWS, count - chunk * CHUNK_ROWS))

/**
 * The chunks that are between `top` and `bottom`, in pixels from the beginning of the first row.
 *
 * @param rowHeight of the rows of a chunk, on average
 */
export const rowsRange = (
  count: number,
  rowHeight: (chunk: number) => number,
  top: number,
  bottom: number
): RowsRange => {
  const chunks = Math.ceil(count / CHUNK_ROWS)
  const heightOf = (chunk: number): number => rowHeight(chunk) * rowsIn(chunk, count)
  let [first, above] = [0, 0]
  while (first < chunks - 1 && above + heightOf(first) <= top) {
    above += heightOf(first)
    first += 1
  }
  let [end, at] = [first, above]
  while (end < chunks && (end === first || at < bottom)) {
    at += heightOf(end)
    end += 1
  }
  let below = 0
  for (let chunk = end; chunk < chunks; chunk += 1) below += heightOf(chunk)
  return { first: first * CHUNK_ROWS, end: end * CHUNK_ROWS, above, below }
}
