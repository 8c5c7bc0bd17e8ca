/**
 * Settings text: what a value looks like when a person, an editor or a secret store wrote it.
 *
 * `echo secret > file`, a Windows editor and a mounted secret all end a value with an invisible line break. It used to be part
 * of the value, and every signature was wrong. So ONE rule for every variable: trailing line breaks are not meant. It
 * applies to the secrets of the file too, which come from the same stores.
 *
 * Promises: pure; what was trimmed is reported by name; nothing but CR and LF at the end is touched, so that a name with
 * blanks stays as it is.
 * Never: shows a value.
 */

export type Environment = Readonly<Record<string, string | undefined>>

/** The variables the service reads; the rest of the environment is none of our business. */
export const variableNames = [
  "ADMIN_TOKEN",
  "APP_MODE",
  "DATABASE_URL",
  "DATA_DIR",
  "HMAC_SECRET",
  "HOLDFAST_CONFIG",
  "HOST",
  "LOG_FORMAT",
  "LOG_LEVEL",
  "NOTIFY_SOCKET",
  "PORT",
  "ROLES",
  "SIGNAL_WS_TOKEN",
  "SIGNAL_WS_URL",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "WAVE_LAG_MS",
  "WAVE_OFFSET_MS",
  "WAVE_PERIOD_MS",
  "WEBHOOK_SECRET"
] as const

const withoutBreaks = (text: string): string => text.replace(/[\r\n]+$/, "")

/** The environment as intended, and the names of the variables that ended with a line break. */
export const plainEnvironment = (
  environment: Environment
): { readonly environment: Environment; readonly trimmed: ReadonlyArray<string> } => {
  const trimmed = variableNames.filter((name) => /[\r\n]$/.test(environment[name] ?? ""))
  const plain = Object.fromEntries(trimmed.map((name) => [name, withoutBreaks(environment[name] ?? "")]))
  return { environment: { ...environment, ...plain }, trimmed }
}

/** A secret as intended. */
export const plainSecret = withoutBreaks

/** How a secret was written: plain text, or the base64 of Standard Webhooks with its prefix, or with its version too. */
export type SecretForm = "text" | "whsec_" | "v1,whsec_"

export interface SecretKey {
  readonly form: SecretForm
  /** What signatures are made with. */
  readonly key: Uint8Array
}

/** Reads a signing secret in any of its forms. Text after a prefix that is no base64 is a text like any other. */
export const readSecret = (secret: string): SecretKey => {
  const form = secret.startsWith("v1,whsec_") ? "v1,whsec_" : secret.startsWith("whsec_") ? "whsec_" : "text"
  if (form === "text") return { form, key: new TextEncoder().encode(secret) }
  const base64 = secret.slice(form.length)
  const key = Uint8Array.from(Buffer.from(base64, "base64"))
  if (key.length === 0 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(base64))
    return { form: "text", key: new TextEncoder().encode(secret) }
  return { form, key }
}
