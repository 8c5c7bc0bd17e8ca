/** Which version runs: read from the files of a checkout, of a worktree of it, or said by whoever made the image. */
import { assert, describe, it } from "@effect/vitest"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterEach, beforeEach } from "vitest"
import { readBuild } from "../../../src/layers/platform/build.files.ts"

const commit = "0fb6731aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "build of "))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Writes files below the folder. */
const put = (files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}
const commitIn = (name: string, environment = {}) => readBuild(path.join(folder, name), environment).commit

describe("the commit of the code that runs", () => {
  it("is that of the branch of a checkout", () => {
    put({ "main/.git/HEAD": "ref: refs/heads/main\n", "main/.git/refs/heads/main": `${commit}\n` })
    assert.strictEqual(commitIn("main"), commit)
  })

  it.each([
    ["its branch a file", { "main/.git/refs/heads/side": `${commit}\n` }],
    ["its branch packed", { "main/.git/packed-refs": `# pack-refs\n${commit} refs/heads/side\n` }]
  ])("is that of a worktree, whose .git is a file [%s]", (_, files) => {
    put({
      "main/.git/HEAD": "ref: refs/heads/main\n",
      "main/.git/worktrees/side/HEAD": "ref: refs/heads/side\n",
      "main/.git/worktrees/side/commondir": "../..\n",
      "side/.git": `gitdir: ${path.join(folder, "main/.git/worktrees/side")}\n`,
      ...files
    })
    assert.strictEqual(commitIn("side"), commit)
  })

  it("is that of a submodule, whose .git is a file with a path of its own", () => {
    put({ "main/.git/modules/sub/HEAD": `${commit}\n`, "main/sub/.git": "gitdir: ../.git/modules/sub\n" })
    assert.strictEqual(commitIn("main/sub"), commit)
  })

  it("is unknown outside of a checkout, unless the environment names it", () => {
    put({ "plain/package.json": '{"version":"1.2.3"}' })
    assert.strictEqual(commitIn("plain"), "unknown")
    assert.strictEqual(commitIn("plain", { HOLDFAST_COMMIT: "said" }), "said")
    assert.strictEqual(readBuild(path.join(folder, "plain"), {}).version, "1.2.3")
  })
})
