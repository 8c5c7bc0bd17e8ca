/** Every bell has a ringer and a listener: without one, a wait or a ring is for nothing. */
import { assert, describe, it } from "vitest"
import { readdirSync, readFileSync } from "node:fs"
import path from "node:path"

const source = path.join(import.meta.dirname, "../../../src")
const code = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => readFileSync(path.join(source, file), "utf8").replaceAll(/\s+/g, " "))
  .join("\n")

const declared = readFileSync(path.join(source, "layers/platform/bells.ts"), "utf8")
const literals = [...declared.matchAll(/\| ("[a-z-]+")/g)].map(([, name = ""]) => name)
const made = [...declared.matchAll(/typeof (\w+Bell)>/g)].map(([, name = ""]) => `${name}(`)

describe("a bell", () => {
  it.each([...literals, ...made])("%s is rung and heard", (name) => {
    const call = (verbs: string) => new RegExp(`\\.(?:${verbs})\\( ?${name.replace("(", "\\(")}`)
    assert.match(code, call("notify"), `nobody rings ${name}`)
    assert.match(code, call("wait|listen"), `nobody hears ${name}`)
  })
  it("is one of the declared ones", () => {
    assert.lengthOf(literals, 10)
    assert.lengthOf(made, 6)
  })
})
