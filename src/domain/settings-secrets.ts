/**
 * settings-secrets: which texts of the settings are secrets, and the mask over all of them.
 *
 * The log, the alerts and the health each repeat what peers and errors say, and a peer may repeat what it was given. So
 * the list of secrets is made once, and whoever speaks to the outside gets it as a mask.
 *
 * Promises: every setting that is a secret or can hold one is in the list; a test plants one in each.
 * Never: prints; keeps the clear text longer than the mask lives.
 */
import { Redacted } from "effect"
import { makeMask, type Mask, secretsOfUrl } from "./redaction.ts"
import type { FeedSettings, Settings } from "./settings.ts"

const clear = (secret: Redacted.Redacted<string> | null): ReadonlyArray<string> =>
  secret === null ? [] : [Redacted.value(secret)]

const ofUrl = (url: string | null): ReadonlyArray<string> => (url === null ? [] : secretsOfUrl(url))

const feedSecrets = ({ token, url }: FeedSettings): ReadonlyArray<string> => [...clear(token), ...ofUrl(url)]

/** Every secret in clear text, those inside of URLs too. */
export const secretTexts = ({ brokers, databaseUrl, feeds, secrets }: Settings): ReadonlyArray<string> => [
  ...[secrets.admin, secrets.hmac, secrets.webhook].flatMap(clear),
  ...clear(databaseUrl).flatMap(secretsOfUrl),
  ...Object.values(feeds).flatMap(feedSecrets),
  ...Object.values(brokers).flatMap(({ url }) => ofUrl(url))
]

/** The mask of a whole service. */
export const settingsMask = (settings: Settings): Mask => makeMask(secretTexts(settings))

/** The mask of what one feed was given. */
export const feedMask = (feed: FeedSettings): Mask => makeMask(feedSecrets(feed))
