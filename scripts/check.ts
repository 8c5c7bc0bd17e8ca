/**
 * `npm run check`: every guard at once, one line each, and the output of the failing ones.
 *
 * Why all at once: each tool starts in a fraction of a second, and one run that names every offence is
 * faster to work with than eight that stop at the first.
 *
 * Promises: exit 0 only when every guard ran and passed; `npm run check -- lint types` runs only those.
 * Never: changes a file.
 */
import path from "node:path"
import { guards } from "./guards.ts"
import { installLocked } from "./locked-install.ts"

const root = path.dirname(import.meta.dirname)
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !guards.some((guard) => guard.name === name))
if (unknown.length > 0) {
  console.error(
    `no such guard: ${unknown.join(", ")}; there are: ${guards.map((guard) => guard.name).join(", ")}`
  )
  process.exit(64)
}
const chosen = wanted.length === 0 ? guards : guards.filter((guard) => wanted.includes(guard.name))

const seconds = (since: number) => `${((performance.now() - since) / 1_000).toFixed(1)} s`

// The tests of the console are checked like all others, for which their packages have to be there.
const missing = await installLocked(path.join(root, "test/browser"), {
  announce: () => console.log("check: installing what the browser tests import (once)"),
  mayInstall: true,
  msMax: 240_000
})
if (missing !== undefined) console.error(`check: the packages of test/browser are not there: ${missing}`)

const startedAt = performance.now()
const failed: Array<string> = []
await Promise.all(
  chosen.map(async ({ name, run }) => {
    const verdict = await run(root).catch((error: unknown) => ({ ok: false, text: String(error) }))
    const line = `${verdict.ok ? "ok  " : "FAIL"}  ${name.padEnd(10)} ${seconds(startedAt)}`
    console.log(verdict.ok ? line : `${line}\n${verdict.text.replaceAll(/^/gm, "      ")}`)
    if (!verdict.ok) failed.push(name)
  })
)
console.log(
  failed.length === 0
    ? `check: all ${chosen.length} guards are green in ${seconds(startedAt)}`
    : `check: ${failed.length} of ${chosen.length} guards failed in ${seconds(startedAt)}: ${failed.join(", ")}`
)
process.exitCode = failed.length === 0 ? 0 : 1
