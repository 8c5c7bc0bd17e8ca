/**
 * The peers of the benchmarks: installed when somebody measures, never by the service.
 *
 * Why separate: bench/package.json has a lock of its own, so that no peer can reach the service's install, its audit or its
 * memory. Without a registry, or without Erlang, the table has a gap and the reason for it.
 * Promises: an install that is complete is not touched; what is missing is named, never an error.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { installLocked } from "../scripts/locked-install.ts"

const run = promisify(execFile)
/** A few dozen small packages; a registry that hangs must not hold the benchmarks. */
const installMsMax = 120_000

/** Why a contestant cannot take part, by its name. */
export type Absences = ReadonlyMap<string, string>

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
  const [peers, otp] = await Promise.all([
    installLocked(import.meta.dirname, {
      mayInstall,
      msMax: installMsMax,
      announce: () => console.error("bench: installing the peers (once)")
    }),
    findErlang()
  ])
  const absences = new Map<string, string>()
  // One install for all of them.
  if (peers !== undefined)
    for (const name of ["nact", "node:http + pg", "Fastify 5 + pg", "bare batching"])
      absences.set(name, peers)
  if (otp !== undefined) absences.set("otp", otp)
  return absences
}
