/**
 * Where something stands in a JSON text that somebody is writing, and what may be written at a place of it.
 *
 * Promises: pure; a text that is not finished, or not right, is read as far as it goes; each value has the place at which it begins.
 * Never: judges a value.
 */

interface Cursor {
  /** Names of members and places in lists, from the whole to the object or list that the cursor is in. */
  readonly around: ReadonlyArray<string>
  /** A name is expected, or the value of the member or of the place. */
  readonly expects: "name" | "value" | "nothing"
  /** The name or the place whose value is expected. */
  readonly key: string
  /** What was written of it, with its quotation mark, and where that begins. */
  readonly written: string
  readonly from: number
  /** Names that the object has before the cursor. */
  readonly names: ReadonlyArray<string>
}

interface Frame {
  readonly isList: boolean
  key: string
  expects: "name" | "colon" | "value" | "comma"
  readonly names: Array<string>
}

// The last alternative of a text is one that was not ended.
const TOKEN = /"(?:[^"\\\n]|\\.)*"?|[[\]{},:]|[^\s[\]{},:"]+/g

interface Reading {
  readonly frames: ReadonlyArray<Frame>
  readonly last: { readonly token: string; readonly start: number } | null
}

const wordOf = (token: string): string => {
  try {
    return String(JSON.parse(token))
  } catch {
    return token.replaceAll('"', "")
  }
}

const framesOver = (frames: ReadonlyArray<Frame>): ReadonlyArray<string> => frames.map(({ key }) => key)

/** Reads up to a place; `onValue` is told of every value that begins. */
const readTo = (
  text: string,
  end: number,
  onValue: (path: ReadonlyArray<string>, start: number) => void
): Reading => {
  const frames: Array<Frame> = [{ isList: true, key: "", expects: "value", names: [] }]
  let last: Reading["last"] = null
  for (const { 0: whole, index } of text.matchAll(TOKEN)) {
    if (index >= end) break
    const frame = frames.at(-1)
    // What the cursor is in, or directly behind, is being written.
    last = index + whole.length >= end ? { token: whole.slice(0, end - index), start: index } : null
    if (last !== null && !/^[[\]{},:]$/.test(whole)) break
    last = null
    if (frame === undefined) break
    if (whole === "{" || whole === "[") {
      onValue(framesOver(frames).slice(1), index)
      frame.expects = "comma"
      const isList = whole === "["
      frames.push({ isList, key: isList ? "0" : "", expects: isList ? "value" : "name", names: [] })
    } else if (whole === "}" || whole === "]") frames.pop()
    else if (whole === ":") frame.expects = "value"
    else if (whole === ",") {
      if (frame.isList) frame.key = String(Number(frame.key) + 1)
      frame.expects = frame.isList ? "value" : "name"
    } else if (frame.expects === "name") {
      frame.key = wordOf(whole)
      frame.names.push(frame.key)
      frame.expects = "colon"
    } else {
      onValue(framesOver(frames).slice(1), index)
      frame.expects = "comma"
    }
  }
  return { frames, last }
}

/** Where a value begins, by its path joined with dots; a member whose value is missing stands where its object does. */
export const placesIn = (text: string): ReadonlyMap<string, number> => {
  const places = new Map<string, number>()
  readTo(text, text.length + 1, (path, start) => void places.set(path.join("."), start))
  return places
}

/** What is expected where the cursor is. */
export const cursorAt = (text: string, at: number): Cursor => {
  const { frames, last } = readTo(text, at, () => undefined)
  const frame = frames.at(-1)
  const expects =
    frame === undefined || frame.expects === "comma" || frame.expects === "colon" ? "nothing" : frame.expects
  return {
    around: framesOver(frames.slice(1, -1)),
    expects: frames.length === 1 ? "nothing" : expects,
    key: frame?.key ?? "",
    written: last?.token ?? "",
    from: last?.start ?? at,
    names: frame?.names ?? []
  }
}
