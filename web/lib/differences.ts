/**
 * What is different between two JSON values, leaf by leaf.
 *
 * Promises: pure; each difference names its place as a person writes it (`risk.scopes.global.dailyLossMax`); a part that only one of
 * the two has is one difference.
 * Never: knows what a setting means.
 */
export interface Difference {
  readonly place: string
  /** As JSON; null where the value is missing. */
  readonly before: string | null
  readonly after: string | null
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))

/** In the order of their places. */
export const differencesOf = (before: unknown, after: unknown, place = ""): ReadonlyArray<Difference> => {
  if (isFields(before) && isFields(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
    return names.flatMap((name) =>
      differencesOf(before[name], after[name], place === "" ? name : `${place}.${name}`)
    )
  }
  const [was, is] = [textOf(before), textOf(after)]
  return was === is ? [] : [{ place, before: was, after: is }]
}
