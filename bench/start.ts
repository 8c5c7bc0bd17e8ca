/**
 * How long the service takes to start in practice mode with everything embedded, and what it holds then: with a new DATA_DIR, whose
 * cluster is made first, and with one that is there.
 *
 * Promises: the same DATA_DIR for the cold and the warm start of a round; the listener is up when it says so, ready when it says that.
 */
import type { Measured } from "./report.ts"
import { rssMbOf, scratch, startService } from "./programs.ts"

/** After the start, when what is loaded lazily is there. */
const settledMs = 3_000

const ofOne = async (directory: string) => {
  const program = await startService({ DATA_DIR: directory })
  try {
    const readyMs = await program.until(/"event":"ready"/)
    await new Promise((resolve) => setTimeout(resolve, settledMs))
    return { listening: program.startedMs, ready: readyMs, rss: rssMbOf(program.pid) }
  } finally {
    await program.stop()
  }
}

export const measureStart = async (rounds: number): Promise<ReadonlyArray<Measured>> => {
  const figures: Record<string, Array<number>> = {}
  const note = (key: string, value: number): void => {
    figures[key] = [...(figures[key] ?? []), value]
  }
  for (let round = 0; round < rounds; round += 1) {
    console.error(`start: round ${round + 1} of ${rounds}`)
    const [directory, remove] = scratch()
    try {
      for (const kind of ["cold", "warm"] as const) {
        const { listening, ready, rss } = await ofOne(`${directory}/data`)
        note(`${kind} listening`, listening)
        note(`${kind} ready`, ready)
        if (kind === "warm") note("memory", rss)
      }
    } finally {
      remove()
    }
  }
  const one = (key: string, title: string, unit: string): Measured => ({
    suite: "start",
    title,
    key,
    unit,
    more: false,
    ours: "holdfast",
    rounds: { holdfast: figures[key] ?? [] }
  })
  return [
    one("cold listening", "start with a new DATA_DIR until it listens", "ms"),
    one("cold ready", "start with a new DATA_DIR until it is ready", "ms"),
    one("warm listening", "start with a DATA_DIR that is there until it listens", "ms"),
    one("warm ready", "start with a DATA_DIR that is there until it is ready", "ms"),
    one("memory", "resident memory in practice mode, idle, without the database", "MB")
  ]
}
