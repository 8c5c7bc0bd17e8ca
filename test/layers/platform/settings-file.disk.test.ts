/** [G11] The configuration file on disk: replaced whole, by the one it was read from, with what was there beside it. */
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { Effect } from "effect"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { settingsFileDisk } from "../../../src/layers/platform/settings-file.disk.ts"
import { SettingsFile } from "../../../src/layers/platform/settings-file.port.ts"

let folder: string
let file: string
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "holdfast-settings-"))
  file = path.join(folder, "holdfast.json")
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

const run = <A, E>(effect: Effect.Effect<A, E, SettingsFile>, at = file) =>
  Effect.runPromise(Effect.provide(effect, settingsFileDisk(at)))
const replaced = (text: string | null, at = file) =>
  run(
    SettingsFile.use(({ read, replace }) => Effect.flatMap(read, (former) => replace(former, text))),
    at
  )
const modeOf = (name: string) => fs.statSync(name).mode & 0o777

describe("the settings file", () => {
  it("is replaced by another inode with the mode it had, and what was there is beside it, its owner's alone", async () => {
    fs.writeFileSync(file, "old", { mode: 0o640 })
    const { ino } = fs.statSync(file)
    const now = await replaced("new")
    assert.deepStrictEqual([now.text, fs.readFileSync(file, "utf8"), modeOf(file)], ["new", "new", 0o640])
    assert.notStrictEqual(fs.statSync(file).ino, ino, "not written over")
    assert.deepStrictEqual(
      [fs.readFileSync(`${file}.former`, "utf8"), modeOf(`${file}.former`)],
      ["old", 0o600]
    )
    assert.deepStrictEqual(fs.readdirSync(folder).toSorted(), ["holdfast.json", "holdfast.json.former"])
  })

  it("is made where there is none, its owner's alone, and removed again", async () => {
    const made = await replaced("{}")
    assert.deepStrictEqual([made.text, modeOf(file)], ["{}", 0o600])
    assert.strictEqual((await replaced(null)).text, null)
    assert.isFalse(fs.existsSync(file))
  })

  it("is not touched where it is another one than was read", async () => {
    fs.writeFileSync(file, "read")
    const outcome = await run(
      SettingsFile.use(({ read, replace }) =>
        Effect.gen(function* () {
          const former = yield* read
          fs.writeFileSync(file, "changed")
          return yield* Effect.flip(replace(former, "ours"))
        })
      )
    )
    assert.match(outcome.message, /was changed meanwhile/)
    assert.strictEqual(fs.readFileSync(file, "utf8"), "changed")
  })

  it("is replaced where a link leads to, and the link stays", async () => {
    const target = path.join(folder, "target.json")
    fs.writeFileSync(target, "old")
    fs.symlinkSync(target, file)
    await replaced("new")
    assert.isTrue(fs.lstatSync(file).isSymbolicLink())
    assert.strictEqual(fs.readFileSync(target, "utf8"), "new")
  })

  it("says why it cannot be written, and is as it was", async () => {
    const nowhere = path.join(folder, "missing", "holdfast.json")
    const outcome = await run(
      SettingsFile.use(({ read, replace }) =>
        Effect.flatMap(read, (former) => Effect.flip(replace(former, "new")))
      ),
      nowhere
    )
    assert.match(outcome.message, /cannot write .*: ENOENT/)
  })
})
