/**
 * Figures: the port through which a component shows figures that are read when somebody scrapes.
 *
 * A feed counts a hundred thousand signals in a flood; counting them once more for a scraper would be the most expensive line of
 * its loop. So a component registers a function that reads what it counts anyway. Counters restart with its next
 * incarnation, which is how a scraper expects a counter to reset.
 *
 * Promises: a family that several components show is one family with the samples of all; what nobody shows is left out.
 * Never: measures, or keeps a value.
 */
import { Context, Layer } from "effect"

/** One family of Prometheus with its samples. Base units; a counter ends in `_total`. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: "gauge" | "counter"
  readonly samples: ReadonlyArray<{
    readonly labels: Readonly<Record<string, string>>
    readonly value: number
  }>
}

/** Reads the figures now: synchronous, and never throws. `nowMs` is epoch milliseconds. */
export type ReadFigures = (nowMs: number) => ReadonlyArray<Family>

export interface FiguresService {
  /**
   * Shows what the component at `path` counts, in place of what was shown there before. The returned function takes it
   * back: `after`, or nothing, is shown until the next incarnation comes.
   */
  readonly show: (path: string, read: ReadFigures, after?: ReadFigures) => () => void
  /** The component is gone for good: nothing is shown of it, whatever it left to be shown. */
  readonly forget: (path: string) => void
  readonly read: ReadFigures
}

const merged = (families: ReadonlyArray<Family>): ReadonlyArray<Family> => {
  const byName = new Map<string, Family>()
  for (const family of families) {
    const before = byName.get(family.name)
    const samples = before === undefined ? family.samples : [...before.samples, ...family.samples]
    byName.set(family.name, { ...family, samples })
  }
  return [...byName.values()]
}

const makeFigures = (): FiguresService => {
  // Bounded by the components of the tree.
  const shown = new Map<string, ReadFigures>()
  return {
    show: (path, read, after) => {
      shown.set(path, read)
      return () => {
        // The next incarnation may have come before this one is quite gone.
        if (shown.get(path) !== read) return
        if (after === undefined) shown.delete(path)
        else shown.set(path, after)
      }
    },
    forget: (path) => void shown.delete(path),
    read: (nowMs) => merged([...shown.values()].flatMap((read) => read(nowMs)))
  }
}

export class Figures extends Context.Service<Figures, FiguresService>()("holdfast/layers/Figures") {
  static readonly layer: Layer.Layer<Figures> = Layer.sync(Figures, makeFigures)
}
