/**
 * Telegram rows: what the commands of the bot read of the lists of the API, and which row a person means.
 *
 * Promises: one page of a list; whoever reads and whoever controls mean the same row by the same word.
 * Never: changes anything.
 */
import { Effect } from "effect"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { cell } from "../../domain/operators/telegram-text.ts"
import { type Item, type ListName, ReadStore } from "../../layers/health/read-store.port.ts"

/** The first page of a list. */
export const rowsOf = (
  name: ListName,
  filters: Readonly<Record<string, string>> = {},
  limit: number = telegramLimits.rowsMax
) =>
  Effect.flatMap(ReadStore, (reads) =>
    reads
      .list(name, { limit, cursor: null, filters })
      // The first page of a list has no cursor that could be wrong.
      .pipe(Effect.catchTag("BadCursor", Effect.die))
  )

/** The page that a button leads to; the first one where its cursor is none of ours. */
export const pageOf = (name: ListName, filters: Readonly<Record<string, string>>, cursor: string | null) =>
  Effect.flatMap(ReadStore, (reads) =>
    reads
      .list(name, { limit: telegramLimits.rowsMax, cursor, filters })
      .pipe(Effect.catchTag("BadCursor", () => rowsOf(name, filters)))
  )

/** Rows that a person means by an id, the beginning of one, or a name. */
export const meant = (rows: ReadonlyArray<Item>, word: string, name?: string): ReadonlyArray<Item> => {
  const given = word.toLowerCase()
  return rows.filter(
    (row) =>
      // Fewer characters are a slip of the thumb.
      (given.length >= 4 && cell(row, "id").startsWith(given)) ||
      (name !== undefined && cell(row, name).toLowerCase() === given)
  )
}

/** A position of which something is held; long ones and short ones. */
export const isHeld = (row: Item): boolean => /[1-9]/.test(cell(row, "quantity"))
