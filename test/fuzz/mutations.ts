/**
 * Inputs of the fuzzers: real ones, changed the way senders, proxies and attackers change them.
 *
 * Bytes drawn at random fail at the first character of a JSON reader and test nothing behind it. So each case starts from a text that
 * is accepted and is given a few changes: bytes, slices, and the tokens that readers are known to stumble over.
 *
 * Promises: fast-check draws and shrinks everything, so a failure is told with its seed and its smallest form.
 * Never: reads a clock or a random source.
 */
import * as fc from "fast-check"

/** What has broken readers of JSON, headers and numbers somewhere. */
const TOKENS: ReadonlyArray<string> = [
  "null",
  "true",
  "NaN",
  "Infinity",
  "-0",
  "1e999",
  "1e-999",
  "0.1e2",
  "9007199254740993",
  "123456789012345678901234567890.123456789",
  "-",
  "{{close}}",
  "{}",
  "[]",
  "[".repeat(200),
  '{"a":'.repeat(100),
  '"__proto__":{"x":1},',
  '"constructor":{"prototype":1},',
  '"symbol":"X","symbol":"Y",',
  String.raw`\u0000`,
  String.raw`\ud800`,
  String.raw`\ud83d\ude00`,
  "\u0000",
  "\uFEFF",
  "\u2028",
  "\u202E",
  "é",
  "😀",
  "\r\n",
  "\t",
  '"',
  "\\",
  ",",
  ":",
  "'",
  "//",
  "%00",
  "../",
  "2031-02-30T25:61:61Z",
  "1970-01-01T00:00:00Z",
  "9".repeat(400)
]

interface Change {
  readonly kind: "byte" | "insert" | "cut" | "copy" | "token"
  readonly at: number
  readonly size: number
  readonly byte: number
  readonly token: string
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom("byte", "insert", "cut", "copy", "token", "token"),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  size: fc.integer({ min: 1, max: 24 }),
  byte: fc.integer({ min: 0, max: 255 }),
  token: fc.constantFrom(...TOKENS)
})

const applied = (bytes: Buffer, { at, byte, kind, size, token }: Change): Buffer => {
  const from = Math.floor(at * (bytes.length + 1))
  const [before, after] = [bytes.subarray(0, from), bytes.subarray(from)]
  switch (kind) {
    case "byte":
      return Buffer.concat([before, Buffer.of(byte), after.subarray(1)])
    case "insert":
      return Buffer.concat([before, Buffer.of(byte), after])
    case "cut":
      return Buffer.concat([before, after.subarray(size)])
    case "copy":
      return Buffer.concat([before, after.subarray(0, size), after])
    case "token":
      return Buffer.concat([before, Buffer.from(token), after])
  }
}

/** Mostly one change or none: what is refused at its first fault shows nothing of what stands behind it. */
const few = <A>(one: fc.Arbitrary<A>, many: number): fc.Arbitrary<ReadonlyArray<A>> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 4, arbitrary: fc.tuple(one) },
    { weight: 3, arbitrary: fc.array(one, { maxLength: many }) }
  )

/** One of these texts with up to six changes; sometimes bytes that never were one. */
export const changed = (texts: ReadonlyArray<string>): fc.Arbitrary<Buffer> =>
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .tuple(fc.constantFrom(...texts), few(change, 6))
        .map(([text, changes]) => changes.reduce(applied, Buffer.from(text)))
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) }
  )

/** A value to put where another one was. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e21,
    2 ** 53,
    "",
    " ",
    "x",
    [],
    {},
    [[]],
    "0",
    "-1",
    "1e3",
    "\u0000"
  ),
  fc.constantFrom(...TOKENS),
  fc.jsonValue({ maxDepth: 2 })
)

interface Put {
  readonly at: number
  readonly how: "replace" | "remove" | "rename" | "add"
  readonly value: unknown
  readonly key: string
}

const put: fc.Arbitrary<Put> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom("replace", "replace", "remove", "rename", "add"),
  value: odd,
  key: fc.oneof(fc.constantFrom("x", "__proto__", "toString", ""), fc.string({ maxLength: 6 }))
})

/** The paths of all values below one. */
const pathsOf = (value: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...pathsOf(inner, [...path, key])])
    : []

const placed = (whole: unknown, { at, how, key, value }: Put): unknown => {
  const paths = pathsOf(whole)
  const path = paths[at % Math.max(1, paths.length)]
  if (path === undefined) return value
  const copy = structuredClone(whole)
  const last = path.at(-1) ?? ""
  let holder = copy as Record<string, unknown>
  for (const step of path.slice(0, -1)) holder = holder[step] as Record<string, unknown>
  const own = (name: string, given: unknown): unknown =>
    Object.defineProperty(holder, name, {
      value: given,
      enumerable: true,
      configurable: true,
      writable: true
    })
  if (how === "replace") own(last, value)
  else if (how === "add") own(key, value)
  else {
    if (how === "rename") own(key, holder[last])
    delete holder[last]
  }
  return copy
}

/** One of these values with up to four of its parts replaced, removed, renamed or added. */
export const disturbed = (values: ReadonlyArray<unknown>): fc.Arbitrary<unknown> =>
  fc
    .tuple(fc.constantFrom(...values), few(put, 4))
    .map(([value, puts]) => puts.reduce<unknown>(placed, value))
