/**
 * settings-shown: the settings as they may be shown and stored.
 *
 * Promises: plain JSON; every secret is replaced, including those inside URLs.
 * Never: hides that a secret is set.
 */
import { Redacted } from "effect"
import { type Mask, maskedRecord, redactUrl, redactUrls } from "./redaction.ts"
import type { Settings, SourceSettings } from "./settings.ts"
import type { AlertSettings } from "./settings-alerts.ts"
import { authenticationOf, type InstallationSecrets } from "./settings-source.ts"

const hidden = <Method extends { readonly secrets: ReadonlyArray<unknown> }>(method: Method | null) =>
  method === null ? null : { ...method, secrets: method.secrets.map(() => "[redacted]") }

/** A source with what it requires in the end, and its secrets replaced. */
export const describeSource = (
  source: SourceSettings,
  secrets: InstallationSecrets
): Record<string, unknown> => {
  const authentication = authenticationOf(source.authentication, secrets)
  return {
    ...source,
    authentication: {
      ...authentication,
      hmac: hidden(authentication.hmac),
      standardWebhooks: hidden(authentication.standardWebhooks),
      bodySecret: hidden(authentication.bodySecret)
    }
  }
}

const shown = (secret: unknown): string => (secret === null ? "not set" : "[redacted]")

/** Where alerts are sent, with addresses and secrets replaced: chat services put the one into the other. */
const describeAlerts = ({ heartbeat, sinks, ...rest }: AlertSettings) => ({
  ...rest,
  sinks: Object.fromEntries(
    Object.entries(sinks).map(([name, sink]) => [
      name,
      { ...sink, url: shown(sink.url), secret: shown(sink.secret) }
    ])
  ),
  heartbeat: heartbeat === null ? null : { ...heartbeat, url: shown(heartbeat.url) }
})

/** The settings as plain JSON with every secret replaced, for `--check-config`. URLs show where they lead. */
export const describeSettings = (settings: Settings): Record<string, unknown> => {
  const described = {
    ...settings,
    roles: [...settings.roles],
    databaseUrl:
      settings.databaseUrl === null
        ? "embedded PostgreSQL under dataDir"
        : Redacted.value(settings.databaseUrl),
    sources: Object.fromEntries(
      Object.entries(settings.sources).map(([name, source]) => [
        name,
        describeSource(source, settings.secrets)
      ])
    ),
    feeds: Object.fromEntries(
      Object.entries(settings.feeds).map(([name, feed]) => [name, { ...feed, token: shown(feed.token) }])
    ),
    telegram: { ...settings.telegram, token: shown(settings.telegram.token) },
    alerts: describeAlerts(settings.alerts),
    voters: Object.fromEntries(
      Object.entries(settings.voters).map(([name, voter]) => [
        name,
        { ...voter, secret: shown(voter.secret) }
      ])
    ),
    secrets: {
      hmac: shown(settings.secrets.hmac),
      webhook: shown(settings.secrets.webhook),
      admin: shown(settings.secrets.admin)
    }
  }
  // Every text and not only the settings known to be URLs: a new setting with a URL is safe by default.
  const mask: Mask = (text) => redactUrls(redactUrl(text))
  return maskedRecord(mask, described)
}
