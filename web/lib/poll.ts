/**
 * Repeats a read for as long as a page shows it.
 *
 * Promises: one at a time, however slow the service is; none while the tab is hidden, which would only take room from others.
 * Never: throws: what a read does with its failure is its own business; begins again because what it read has changed.
 */
import { untrack } from "svelte"

/** Begins at once; returns how to end it. */
export const poll = (load: () => Promise<void>, everyMs: number): (() => void) => {
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const round = async (): Promise<void> => {
    if (!document.hidden) await load().catch(() => undefined)
    if (!isOver) timer = setTimeout(() => void round(), everyMs)
  }
  // Inside of an effect everything that the first round looks at would begin the repetition again when it changes: what it reads, too.
  untrack(() => void round())
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}
