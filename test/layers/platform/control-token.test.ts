import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { Effect, Result } from "effect"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makeControlToken } from "../../../src/layers/platform/control-token.file.ts"
import { settingsFor } from "../api/http-world.ts"
import { nodeEntropy } from "../../../src/layers/platform/entropy.node.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "holdfast-token-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const tokenOf = (environment: Record<string, string> = {}) =>
  makeControlToken({ ...settingsFor(environment), dataDir: folder }, nodeEntropy)
const file = () => path.join(folder, "admin-token")
const opened = async (environment: Record<string, string> = {}) => {
  const token = tokenOf(environment)
  const did = await Effect.runPromise(token.open)
  return { did, token, text: token.current() ?? "" }
}

describe("the control token", () => {
  it("is made once, for the eyes of its owner, and is the same for every later life", async () => {
    const first = await opened()
    assert.strictEqual(first.did, "made")
    assert.match(first.text, /^[0-9a-f]{64}$/)
    assert.strictEqual(readFileSync(file(), "utf8"), `${first.text}\n`)
    assert.strictEqual(statSync(file()).mode & 0o777, 0o600)
    assert.deepStrictEqual(readdirSync(folder), ["admin-token"])
    const second = await opened()
    assert.deepStrictEqual([second.did, second.text], ["kept", first.text])
  })

  it("is not known before it is opened, and hidden afterwards", async () => {
    const token = tokenOf()
    assert.isNull(token.current())
    assert.strictEqual(token.mask("a b"), "a b")
    await Effect.runPromise(token.open)
    assert.strictEqual(token.mask(`a ${token.current()} b`), "a [redacted] b")
  })

  it("is the configured one, and then there is no file", async () => {
    const { did, text, token } = await opened({ ADMIN_TOKEN: "t".repeat(40) })
    assert.deepStrictEqual([did, text, token.file], [null, "t".repeat(40), null])
    assert.deepStrictEqual(readdirSync(folder), [])
  })

  it("may be put there by an operator, and is kept from others", async () => {
    const mine = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
    writeFileSync(file(), `${mine}\r\n`, { mode: 0o644 })
    const { did, text } = await opened()
    assert.deepStrictEqual([did, text], ["kept", mine])
    assert.strictEqual(statSync(file()).mode & 0o777, 0o600)
  })

  it.each([
    ["empty", ""],
    ["of zeros, as a power cut leaves it", "\0".repeat(65)],
    ["short", "abc\n"],
    ["several words", `${"a1b2".repeat(8)} ${"c3d4".repeat(8)}`],
    ["weak", "change-me-change-me-change-me-change-me"]
  ])("replaces a file that is %s, and says so", async (_what, text) => {
    writeFileSync(file(), text)
    const { did, text: made } = await opened()
    assert.strictEqual(did, "replaced")
    assert.match(made, /^[0-9a-f]{64}$/)
    assert.strictEqual(statSync(file()).mode & 0o777, 0o600)
  })

  it("survives what a crash left beside it, whatever its mode", async () => {
    writeFileSync(`${file()}.new`, "half", { mode: 0o666 })
    const { text } = await opened()
    assert.strictEqual(readFileSync(file(), "utf8").trim(), text)
    assert.strictEqual(statSync(file()).mode & 0o777, 0o600)
  })

  it("that can be neither read nor made is a typed failure that names the file", async () => {
    const token = makeControlToken({ ...settingsFor(), dataDir: path.join(folder, "nowhere") }, nodeEntropy)
    const result = await Effect.runPromise(Effect.result(token.open))
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) assert.include(result.failure.path, "nowhere/admin-token")
    assert.isNull(token.current())
  })
})
