/**
 * Counts the work of the scale rows in steps instead of milliseconds, so that a loaded machine changes nothing.
 *
 * A step is one element that an iterator or an array method goes over: whoever looks a child up by walking over its
 * siblings is seen in the count, however fast the machine is.
 * Promises: the same work has the same count; the built-in methods are restored when the work has ended.
 * Never: measures time.
 */
import { Effect } from "effect"

type Method = (this: { readonly length?: number }, ...parameters: ReadonlyArray<unknown>) => unknown
/** An iterator is one step each time it is asked; an array method as many as the array has elements. */
const iterators: ReadonlyArray<object> = [new Map().values(), new Set().values(), [].values()].map(
  (iterator) => Object.getPrototypeOf(iterator) as object
)
const walks = ["filter", "find", "findIndex", "flatMap", "forEach", "includes", "indexOf", "map", "shift"]
const moreWalks = ["some", "every", "slice", "splice", "unshift", "toSorted", "sort", "reduce", "toSpliced"]

/** Steps an effect takes, with its answer thrown away. */
export const stepsOf = <E, R>(effect: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    let steps = 0
    const restore: Array<() => void> = []
    const wrap = (owner: object, key: string, cost: (self: { readonly length?: number }) => number): void => {
      const methods = owner as Record<string, Method>
      const original = methods[key]
      if (original === undefined) throw new Error(`no method ${key}`)
      const counted: Method = function (...parameters) {
        steps += cost(this)
        return Reflect.apply(original, this, parameters)
      }
      Object.defineProperty(owner, key, {
        value: counted,
        writable: true,
        configurable: true,
        enumerable: false
      })
      restore.push(() => {
        Object.defineProperty(owner, key, {
          value: original,
          writable: true,
          configurable: true,
          enumerable: false
        })
      })
    }
    for (const iterator of iterators) wrap(iterator, "next", () => 1)
    for (const key of [...walks, ...moreWalks]) wrap(Array.prototype, key, (array) => array.length ?? 0)
    for (const owner of [Map.prototype, Set.prototype])
      wrap(owner, "forEach", (collection) => (collection as { readonly size?: number }).size ?? 0)
    return Effect.ensuring(
      Effect.map(effect, () => steps),
      Effect.sync(() => {
        for (const one of restore) one()
      })
    )
  })
