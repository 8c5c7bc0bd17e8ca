/**
 * Installs the packages of a folder that has a lock of its own, when somebody uses it.
 *
 * Why: what only measures the project (the peers of the benchmarks, the mutation tester) must not reach the service's install, its
 * audit or its memory.
 * Promises: an install that is complete is not touched; one that was interrupted is repeated, because npm writes its own
 * record last; no package runs a script.
 * Never: changes a lock; throws: why it failed is the result.
 */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import path from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

type Packages = Readonly<
  Record<string, { readonly version?: string; readonly optional?: boolean } | undefined>
>

const packagesIn = (directory: string, file: string): Packages | undefined => {
  try {
    return (JSON.parse(readFileSync(path.join(directory, file), "utf8")) as { readonly packages: Packages })
      .packages
  } catch {
    return undefined
  }
}

/** Whether npm's own record of what it installed has every version that the lock names. */
const isInstalled = (directory: string): boolean => {
  const wanted = packagesIn(directory, "package-lock.json")
  const installed = packagesIn(directory, "node_modules/.package-lock.json")
  return (
    wanted !== undefined &&
    installed !== undefined &&
    Object.entries(wanted).every(
      ([key, entry]) => key === "" || entry?.optional === true || installed[key]?.version === entry?.version
    )
  )
}

const firstLine = (error: unknown): string => {
  const text =
    error instanceof Error && "stderr" in error ? String(error.stderr) || error.message : String(error)
  return text.split("\n").find((line) => line.trim() !== "") ?? "no reason given"
}

/**
 * Installs what the package-lock.json of `directory` names unless it is there; undefined, or why it is not. `announce` is called before npm
 * starts. `msMax` bounds a registry that hangs.
 */
export const installLocked = async (
  directory: string,
  { announce, mayInstall, msMax }: { announce: () => void; mayInstall: boolean; msMax: number }
): Promise<string | undefined> => {
  if (isInstalled(directory)) return undefined
  if (!mayInstall) return "not installed"
  announce()
  // The npm that runs us, or the one on the path.
  const running = process.env["npm_execpath"]
  const [program, ...first] =
    running !== undefined && path.basename(running) === "npm-cli.js" ? [process.execPath, running] : ["npm"]
  try {
    await run(program, [...first, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: directory,
      timeout: msMax
    })
    return undefined
  } catch (error) {
    return `npm ci failed: ${firstLine(error)}`
  }
}
