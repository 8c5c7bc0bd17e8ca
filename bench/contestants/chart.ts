/** One statechart for all machines that are compared: it counts letters and throws on `crash`. */
import { setup } from "xstate"
import type { Hooks } from "./holdfast-tree.ts"

export const chart = (hooks: Hooks) =>
  setup({
    types: { events: {} as { readonly type: "letter" } | { readonly type: "crash" } },
    actions: {
      started: hooks.started,
      letter: hooks.letter,
      crash: () => {
        hooks.crashing()
        throw new Error("crashed")
      }
    }
  }).createMachine({
    id: "chart",
    initial: "Idle",
    states: {
      Idle: {
        tags: "ready",
        entry: "started",
        on: { letter: { actions: "letter" }, crash: { actions: "crash" } }
      }
    }
  })
