import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { readFileSync } from "node:fs"
import { Fault, readScript, ServerScript } from "../../peers/signal-server/script.ts"
import { Offer } from "../../peers/signal-server/signals.ts"

const page = readFileSync(new URL("../../docs/signal-server.md", import.meta.url), "utf8")

/** Every literal a schema accepts, wherever it stands in it. */
const literalsOf = (schema: Schema.Top): ReadonlyArray<string> => {
  const found = new Set<string>()
  JSON.stringify(Schema.toJsonSchemaDocument(schema), (key: string, value: unknown) => {
    if ((key === "const" || key === "enum") && value !== null) {
      for (const one of Array.isArray(value) ? value : [value]) if (typeof one === "string") found.add(one)
    }
    return value
  })
  return [...found]
}

describe("the script of the practice signal server", () => {
  it("docs/signal-server.md names every moment, every deed and every key", () => {
    const words = literalsOf(Fault)
    assert.isAbove(words.length, 20)
    assert.deepStrictEqual(
      [...words, ...Object.keys(ServerScript.fields)].filter((word) => !page.includes(`\`${word}\``)),
      []
    )
  })

  it("the example of the page is a script", () => {
    const example = /```json\n(?<text>\{[^`]*\})\n```/.exec(page)?.groups?.["text"]
    assert.isTrue(Result.isSuccess(readScript(JSON.parse(example ?? "null"))))
  })

  it("an unknown key is refused with its path", () => {
    const read = readScript({ perwave: 1 })
    assert.isTrue(Result.isFailure(read) && read.failure.join().startsWith("perwave"))
  })
})

describe("the offer", () => {
  const script = Result.getOrThrow(readScript({ perWave: 2, keepWaves: 2, periodMs: 60_000 }))
  const now = Date.UTC(2025, 9, 21, 22, 45, 30)

  it("holds the last waves, oldest first, and what was given", () => {
    const offer = new Offer(script)
    const [first] = offer.ofWave(0)
    assert.isDefined(first)
    if (first !== undefined) offer.give([{ ...first, id: "given" }])
    assert.deepStrictEqual(
      offer.all(now).map(({ wave }) => wave),
      [
        "2025-10-21T22:44:00Z",
        "2025-10-21T22:44:00Z",
        "2025-10-21T22:45:00Z",
        "2025-10-21T22:45:00Z",
        "1970-01-01T00:00:00Z"
      ]
    )
  })

  it("is the same for the same seed and another for another", () => {
    const other = Result.getOrThrow(readScript({ perWave: 2, keepWaves: 2, seed: 2 }))
    assert.deepStrictEqual(new Offer(script).all(now), new Offer(script).all(now))
    assert.notDeepEqual(new Offer(script).all(now), new Offer(other).all(now))
  })
})
