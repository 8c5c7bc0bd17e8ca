/**
 * Where this project is, and its build identity from the files there: package.json, and the checkout's own pointers.
 *
 * Read without starting git: a service image has no git, and a boot must not wait for a subprocess to learn its version.
 *
 * Promises: `HOLDFAST_COMMIT` wins (an image built from an archive has no checkout); a missing file is `unknown`.
 * Never: throws.
 * Failure: `unknown`.
 */
import { readFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import { dirname, join, resolve } from "node:path"
import { z } from "zod"
import type { BuildIdentity } from "./build.port.ts"

/** The directory of package.json, for this file as it stands here and for the program that it is built into. */
export const projectRoot: string = dirname(findPackageJSON("..", import.meta.url) ?? "package.json")

const read = (path: string): string | null => {
  try {
    return readFileSync(path, "utf8").trim()
  } catch {
    return null
  }
}

const manifest = z.object({ version: z.string() })

const versionOf = (text: string): string => {
  try {
    return manifest.parse(JSON.parse(text)).version
  } catch {
    // Whatever is wrong with the file: the service runs all the same, and reports `unknown`.
    return "unknown"
  }
}

/** The directory of git: `.git` itself, or what the file `.git` of a worktree or a submodule points to. */
const gitOf = (root: string): string => {
  const path = join(root, ".git")
  const named = /^gitdir: (.+)$/.exec(read(path) ?? "")?.[1]
  return named === undefined ? path : resolve(root, named)
}

const headOf = (git: string): string | null => {
  const head = read(join(git, "HEAD"))
  if (head === null) return null
  const ref = /^ref: (.+)$/.exec(head)?.[1]
  if (ref === undefined) return head
  // A worktree has a HEAD of its own and the branches of its repository.
  const shared = resolve(git, read(join(git, "commondir")) ?? ".")
  const loose = read(join(git, ref)) ?? read(join(shared, ref))
  if (loose !== null) return loose
  const packed = read(join(shared, "packed-refs"))
    ?.split("\n")
    .find((line) => line.endsWith(` ${ref}`))
  return packed?.split(" ")[0] ?? null
}

/** The identity of the code below `root`, the directory of package.json. */
export const readBuild = (
  root: string,
  environment: Readonly<Record<string, string | undefined>>
): BuildIdentity => {
  const version = versionOf(read(join(root, "package.json")) ?? "")
  const named = environment["HOLDFAST_COMMIT"]
  return {
    version,
    commit: named !== undefined && named !== "" ? named : (headOf(gitOf(root)) ?? "unknown")
  }
}
