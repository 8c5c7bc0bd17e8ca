/**
 * Running the service as a user without rights, even when the tests run as root.
 *
 * Promises: an ordinary user runs it as is; root as nobody (65534); `reasonNotUnprivileged` names what is missing.
 * Never: changes the rights of anything but directories it was given.
 */
import { execFileSync } from "node:child_process"
import { chownSync, existsSync, readFileSync } from "node:fs"
import { projectRoot, shipped } from "../support/program.ts"

const NOBODY = 65_534
const setpriv = "/usr/bin/setpriv"
const isRoot = process.getuid?.() === 0
const asNobody = [setpriv, "--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups"] as const

type Command = readonly [file: string, ...args: ReadonlyArray<string>]
const withoutRights = (...command: Command): Command => (isRoot ? [...asNobody, ...command] : command)

/** The command that starts the service without rights. */
export const unprivilegedCommand: Command = withoutRights(process.execPath, shipped("holdfast"))

/** Makes a directory belong to whoever runs that command. */
export const giveAway = (folder: string): void => {
  if (isRoot) chownSync(folder, NOBODY, NOBODY)
}

/** Why the service cannot be run without rights here; null when it can. */
export const reasonNotUnprivileged = (): string | null => {
  if (isRoot && !existsSync(setpriv)) return "root without setpriv cannot become somebody else"
  const [file, ...args] = withoutRights(
    process.execPath,
    "-e",
    `require('node:fs').readFileSync('${shipped("holdfast")}')`
  )
  try {
    execFileSync(file, args, { cwd: projectRoot, stdio: "pipe" })
    return null
  } catch {
    return "the checkout or its Node cannot be read by an ordinary user"
  }
}

const portStart = "/proc/sys/net/ipv4/ip_unprivileged_port_start"

/** Why an ordinary user may bind `port` here, or cannot be tried; null when it is forbidden to him. */
export const reasonNotForbidden = (port: number): string | null => {
  if (!existsSync(portStart)) return "this system does not say which ports are forbidden"
  const first = Number(readFileSync(portStart, "utf8"))
  return port < first ? reasonNotUnprivileged() : `anybody may bind ports from ${first} here`
}
