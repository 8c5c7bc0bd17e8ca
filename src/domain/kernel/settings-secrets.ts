/**
 * settings-secrets: which texts of the settings are secrets, and the mask over all of them.
 *
 * Log, alerts and health all repeat messages of peers and errors, and a peer may repeat what it was given. So
 * the list of secrets is made in one place, and everything that writes to the outside gets it as a mask.
 *
 * Promises: every setting that is a secret or can hold one is in the list; a test plants one in each.
 * Never: prints; keeps the clear text longer than the mask lives.
 */
import { Redacted } from "effect"
import { makeMask, type Mask, secretsOfUrl } from "./redaction.ts"
import type { FeedSettings, Settings } from "./settings.ts"
import type { AlertSettings } from "./settings-alerts.ts"
import { secretsOfSource } from "./settings-source.ts"
import { readSecret, type SecretForm } from "./settings-text.ts"

const clear = (secret: Redacted.Redacted<string> | null): ReadonlyArray<string> =>
  secret === null ? [] : [Redacted.value(secret)]

const ofUrl = (url: string | null): ReadonlyArray<string> => (url === null ? [] : secretsOfUrl(url))

const feedSecrets = ({ token, url }: FeedSettings): ReadonlyArray<string> => [...clear(token), ...ofUrl(url)]

/** Services put what lets one write into the path of a URL, so the whole of each is a secret. */
const alertSecrets = ({ heartbeat, sinks }: AlertSettings): ReadonlyArray<string> => [
  ...Object.values(sinks).flatMap(({ secret, url }) => [
    ...clear(secret),
    ...clear(url),
    ...clear(url).flatMap(secretsOfUrl)
  ]),
  ...clear(heartbeat?.url ?? null)
]

/** Every secret in clear text, including those inside URLs. */
export const secretTexts = ({
  alerts,
  brokers,
  databaseUrl,
  feeds,
  secrets,
  sources,
  telegram,
  voters
}: Settings): ReadonlyArray<string> => [
  ...[secrets.admin, secrets.hmac, secrets.webhook].flatMap(clear),
  ...Object.values(sources).flatMap(({ authentication }) =>
    secretsOfSource(authentication).flatMap(([, secret]) => clear(secret))
  ),
  ...clear(databaseUrl).flatMap(secretsOfUrl),
  ...Object.values(feeds).flatMap(feedSecrets),
  ...Object.values(brokers).flatMap(({ url }) => ofUrl(url)),
  // The token stands in the path of every call, so it is hidden also without the number of its bot.
  ...clear(telegram.token).flatMap((token) => [token, token.slice(token.indexOf(":") + 1)]),
  ...ofUrl(telegram.webhookUrl),
  ...alertSecrets(alerts),
  ...Object.values(voters).flatMap(({ secret, url }) => [...clear(secret), ...ofUrl(url)])
]

/** The mask of what one feed was given. */
export const feedMask = (feed: FeedSettings): Mask => makeMask(feedSecrets(feed))

/** What may be shown of a secret: how it was written, and how many bytes it has. */
export interface SecretReading {
  readonly form: SecretForm
  readonly bytes: number
}

/** How each secret that is set was read; only signing secrets have forms other than text. */
export const secretReadings = ({ secrets, sources }: Settings): Readonly<Record<string, SecretReading>> => {
  const text = (secret: string): SecretReading => ({
    form: "text",
    bytes: new TextEncoder().encode(secret).length
  })
  const signing = (secret: string): SecretReading => {
    const { form, key } = readSecret(secret)
    return { form, bytes: key.length }
  }
  const readings = [
    ["HMAC_SECRET", clear(secrets.hmac).map(signing)],
    ["WEBHOOK_SECRET", clear(secrets.webhook).map(text)],
    ["ADMIN_TOKEN", clear(secrets.admin).map(text)],
    ...Object.entries(sources).flatMap(([name, { authentication }]) =>
      secretsOfSource(authentication).map(
        ([at, secret]) =>
          [
            `sources.${name}.authentication.${at}`,
            clear(secret).map(at.startsWith("bodySecret") ? text : signing)
          ] as const
      )
    )
  ] as const
  return Object.fromEntries(
    readings.flatMap(([name, read]) => read.map((reading) => [name, reading] as const))
  )
}

/** One sentence on what was read and how, null when there is nothing to report. */
export const describeReading = (settings: Settings): string | null => {
  const secrets = Object.entries(secretReadings(settings)).map(
    ([name, { bytes, form }]) =>
      `${name} is ${form === "text" ? "plain text" : `in the form ${form}`}, ${bytes} bytes`
  )
  const breaks =
    settings.trimmed.length === 0
      ? []
      : [`read without the line break at the end: ${settings.trimmed.join(", ")}`]
  const sentences = [...secrets, ...breaks]
  return sentences.length === 0 ? null : sentences.join("; ")
}

/** Words of T1 that mark a secret somebody forgot to change. */
const weakWords = ["change", "secret", "default", "example", "password"]

/** Why a secret is weak (T1), or `null`. Never repeats the secret. */
export const weakness = (secret: string): string | null => {
  if (secret.length < 32) return `is ${secret.length} characters long; use at least 32 random ones`
  const lower = secret.toLowerCase()
  const word = weakWords.find((candidate) => lower.includes(candidate))
  if (word !== undefined) return `contains the word "${word}"; use random characters`
  if (new Set(secret).size === 1) return "repeats one character; use random characters"
  return null
}
