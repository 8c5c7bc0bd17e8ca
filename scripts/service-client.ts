/**
 * Service client: a running service, as the commands of a terminal ask it.
 *
 * The service and its token are those of the settings; an address and ADMIN_TOKEN name another, which never gets the token of this
 * installation: whoever wrote the address may not be whom it reaches.
 *
 * Promises: every request has a deadline; what cannot be asked ends the process with exit status 69 and one line (`ask`) or is an
 * error (`read`), wrong settings end it with 78.
 * Never: prints the token; sends the token of the settings to another origin than that of the settings.
 */
import { readFileSync } from "node:fs"
import path from "node:path"
import { Redacted, Result } from "effect"
import { exitStatus } from "../src/domain/platform/exit-status.ts"
import type { Settings } from "../src/domain/kernel/settings.ts"
import { loadSettings } from "../src/layers/platform/config.load.ts"

/** An alert log is up to 8 MiB, and each of its lines is looked up. */
const requestMs = 60_000

/** Ends the process with one line. */
export const stop = (status: number, message: string): never => {
  process.stderr.write(`${message}\n`)
  process.exit(status)
}

/** `--help` is answered with the usage, whatever else was given; a terminal's question is no mistake. */
export const answerHelp = (usage: string): void => {
  if (!process.argv.slice(2).some((given) => given === "--help" || given === "-h")) return
  process.stdout.write(`${usage}\n`)
  process.exit(0)
}

/** What failed, and why where the error says so: a refused connection is the cause of "fetch failed". */
export const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

const tokenOf = (settings: Settings): string | null => {
  if (settings.secrets.admin !== null) return Redacted.value(settings.secrets.admin)
  try {
    return readFileSync(path.join(settings.dataDir, "admin-token"), "utf8").trim()
  } catch {
    // A service that never ran here; the answer then is that it refuses.
    return null
  }
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

export interface ServiceClient {
  readonly base: string
  /** GET without a body, POST with one. */
  readonly ask: (target: string, body?: unknown) => Promise<Answer>
  /** GET as text, for a process that lives on: it rejects when the service cannot be asked. */
  readonly read: (target: string) => Promise<{ readonly status: number; readonly text: string }>
}

/** The token for another service: the one that was given for it. */
const givenToken = (): string | null => {
  const given = process.env["ADMIN_TOKEN"] ?? ""
  return given === "" ? null : given
}

/** The service of the settings, or the one at `url`. */
export const serviceOf = (url: string | undefined): ServiceClient => {
  const loaded = loadSettings(process.env, process.cwd(), process.stdout.isTTY)
  const settings = Result.isSuccess(loaded)
    ? loaded.success
    : stop(
        exitStatus.configuration,
        loaded.failure.map((problem) => `${problem.path}: ${problem.message}`).join("\n")
      )
  const { host, port } = settings
  const own = `http://${host.includes(":") ? `[${host}]` : host}:${port}`
  const base = url ?? own
  if (!URL.canParse(base)) stop(exitStatus.configuration, `--url must be an address: ${base}`)
  const token = new URL(base).origin === new URL(own).origin ? tokenOf(settings) : givenToken()
  const request = (target: string, body?: unknown): Promise<Response> =>
    fetch(new URL(target, base), {
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` })
      },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(requestMs)
    })
  return {
    base,
    ask: (target, body) =>
      request(target, body)
        .then(async (response): Promise<Answer> => ({
          status: response.status,
          body: await response.json()
        }))
        .catch((error: unknown) => stop(exitStatus.startFailed, `cannot ask ${base}: ${messageOf(error)}`)),
    read: async (target) => {
      const response = await request(target)
      return { status: response.status, text: await response.text() }
    }
  }
}
