/**
 * Sinks of alerts: those of the configuration file, with their secrets found, and each with what its kind needs and nothing else.
 *
 * Promises: every problem with its path; a key that a kind has no use for is one, because somebody expects it to do something.
 * Never: shows an address or a secret in a problem.
 * Failure: a problem; so is a file that cannot be read.
 */
import { Redacted } from "effect"
import { isAbsolute, join } from "node:path"
import type { Mode } from "../../domain/kernel/settings.ts"
import type {
  AlertSettings,
  HeartbeatSettings,
  SinkKind,
  SinkSettings
} from "../../domain/kernel/settings-alerts.ts"
import { weakness } from "../../domain/kernel/settings-secrets.ts"
import type { AlertsFile, SinkFile } from "../../wire/settings-alerts.ts"
import type { SecretReference } from "../../wire/settings-source.ts"
import { secretAt, type SecretsInput } from "./config.sources.ts"

export interface AlertsInput extends SecretsInput {
  readonly mode: Mode
  /** Absolute. */
  readonly dataDir: string
}

/** The keys that a kind needs; it has no use for the others of these. */
const NEEDS: Readonly<Record<SinkKind, ReadonlyArray<"url" | "secret" | "path" | "from" | "to">>> = {
  webhook: ["url", "secret"],
  slack: ["url"],
  discord: ["url"],
  email: ["url", "from", "to"],
  file: ["path"]
}

const HTTP = ["http:", "https:"]
const SMTP = ["smtp:", "smtps:"]

const secretOf = (
  input: AlertsInput,
  path: string,
  reference: SecretReference | undefined
): Redacted.Redacted<string> | null =>
  reference === undefined ? null : (secretAt(input, path, reference)[0] ?? null)

/** An address; one that leads nowhere is a problem. */
const urlOf = (
  input: AlertsInput,
  path: string,
  reference: SecretReference | undefined,
  protocols: ReadonlyArray<string>
): Redacted.Redacted<string> | null => {
  const url = secretOf(input, path, reference)
  if (url === null) return null
  const text = Redacted.value(url)
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol))
    input.problems.push({ path, message: `must be a URL with ${protocols.join(" or ")}` })
  return url
}

const checkKeys = ({ problems }: AlertsInput, path: string, file: SinkFile): void => {
  const needed = NEEDS[file.kind]
  for (const key of ["url", "secret", "path", "from", "to"] as const) {
    const isGiven = file[key] !== undefined
    if (needed.includes(key) && !isGiven)
      problems.push({ path: `${path}.${key}`, message: `is needed by a sink of the kind ${file.kind}` })
    if (!needed.includes(key) && isGiven)
      problems.push({ path: `${path}.${key}`, message: `has no use in a sink of the kind ${file.kind}` })
  }
}

const sinkOf = (input: AlertsInput, name: string, file: SinkFile): SinkSettings => {
  const path = `alerts.sinks.${name}`
  checkKeys(input, path, file)
  const secret = secretOf(input, `${path}.secret`, file.secret)
  const weak = secret === null || input.mode === "PRACTICE" ? null : weakness(Redacted.value(secret))
  if (weak !== null) input.problems.push({ path: `${path}.secret`, message: `the secret ${weak}` })
  const {
    accounts,
    from,
    kind,
    kinds,
    path: place,
    perMinuteMax,
    severityMin,
    to
  } = {
    from: null,
    path: null,
    to: [],
    ...file
  }
  return {
    kind,
    url: urlOf(input, `${path}.url`, file.url, kind === "email" ? SMTP : HTTP),
    secret,
    path: place === null || isAbsolute(place) ? place : join(input.dataDir, place),
    from,
    to,
    severityMin,
    kinds,
    accounts,
    perMinuteMax
  }
}

const heartbeatOf = (
  input: AlertsInput,
  { everyMs, url }: NonNullable<AlertsFile["heartbeat"]>
): HeartbeatSettings | null => {
  const found = urlOf(input, "alerts.heartbeat.url", url, HTTP)
  return found === null ? null : { url: found, everyMs }
}

/** Where alerts are sent. */
export const alertsOf = (input: AlertsInput, file: AlertsFile): AlertSettings => ({
  sinks: Object.fromEntries(
    Object.entries(file.sinks).map(([name, sink]) => [name, sinkOf(input, name, sink)])
  ),
  escalation: file.escalation,
  heartbeat: file.heartbeat === null ? null : heartbeatOf(input, file.heartbeat)
})
