/**
 * A bell for one fiber: two rings are one, and a ring before the wait is not lost.
 *
 * Promises: `ring` is synchronous.
 * Never: wakes two who wait.
 */
import { Effect } from "effect"

export const makeBell = () => {
  let rung = false
  let release: (() => void) | null = null
  return {
    ring: (): void => {
      rung = true
      release?.()
    },
    wait: Effect.callback<void>((resume) => {
      const wake = () => {
        rung = false
        release = null
        resume(Effect.void)
      }
      if (rung) {
        wake()
        return undefined
      }
      release = wake
      return Effect.sync(() => {
        if (release === wake) release = null
      })
    })
  }
}
