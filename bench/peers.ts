/**
 * The peers of the benchmarks: installed when somebody measures, never by the service.
 *
 * Why separate: bench/package.json has a lock of its own, so that no peer can reach the service's install, its audit or its
 * memory. Without a registry, or without Erlang, the table has a gap and the reason for it.
 * Promises: an install that is complete is not touched; what is missing is named, never an error.
 */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import path from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)
const directory = import.meta.dirname
/** Two small packages; a registry that hangs must not hold the benchmarks. */
const installMsMax = 120_000

/** Why a contestant cannot take part, by its name. */
export type Absences = ReadonlyMap<string, string>

const versionOf = (file: string, name: string): string | undefined => {
  try {
    const lock = JSON.parse(readFileSync(path.join(directory, file), "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly version: string }>>
    }
    return lock.packages[`node_modules/${name}`]?.version
  } catch {
    return undefined
  }
}

const firstLine = (error: unknown): string => {
  const text =
    error instanceof Error && "stderr" in error ? String(error.stderr) || error.message : String(error)
  return text.split("\n").find((line) => line.trim() !== "") ?? "no reason given"
}

/** Installs what bench/package-lock.json names unless it is there; undefined, or why it is not. */
const installPeers = async (mayInstall: boolean): Promise<string | undefined> => {
  const wanted = versionOf("package-lock.json", "nact")
  if (wanted !== undefined && versionOf("node_modules/.package-lock.json", "nact") === wanted)
    return undefined
  if (!mayInstall) return "not installed"
  console.error("bench: installing the peers (once)")
  // The npm that runs us, or the one on the path.
  const running = process.env["npm_execpath"]
  const [program, ...first] =
    running !== undefined && path.basename(running) === "npm-cli.js" ? [process.execPath, running] : ["npm"]
  try {
    await run(program, [...first, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: directory,
      timeout: installMsMax
    })
    return undefined
  } catch (error) {
    return `npm ci failed: ${firstLine(error)}`
  }
}

const findErlang = async (): Promise<string | undefined> => {
  try {
    await run("erl", ["-noshell", "-eval", "{ok, _} = application:ensure_all_started(compiler), halt(0)."])
    return undefined
  } catch {
    return "no `erl` with a compiler on the PATH (Debian: apt-get install erlang-base)"
  }
}

/** Finds out who can take part. */
export const gatherPeers = async (mayInstall: boolean): Promise<Absences> => {
  const [nact, otp] = await Promise.all([installPeers(mayInstall), findErlang()])
  const absences = new Map<string, string>()
  if (nact !== undefined) absences.set("nact", nact)
  if (otp !== undefined) absences.set("otp", otp)
  return absences
}
