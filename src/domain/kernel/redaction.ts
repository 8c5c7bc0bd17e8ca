/**
 * redaction: what may be shown of a text that could contain a secret.
 *
 * A URL has four places for a secret (userinfo, query, fragment, a segment of its path), and senders of URLs use
 * all of them. So a URL is split as text and not with a parser: what a parser would refuse is shown as well,
 * and must be as safe. Only the values of a few harmless query parameters are shown; a list of secret ones would
 * have to be complete.
 *
 * Promises: scheme, host, port and plain path of a URL stay, so that an operator sees where it leads; userinfo,
 * fragment and every other value of the query do not; whatever `makeMask` was given is in no text it returns.
 * Never: throws for any text; decides what is a secret of the settings (config.load.ts does).
 */

export const REDACTED = "[redacted]"

/** Query parameters whose values are how a database is reached, and never by whom. */
const HARMLESS: ReadonlySet<string> = new Set([
  "application_name",
  "connect_timeout",
  "dbname",
  "host",
  "hostaddr",
  "port",
  "sslmode",
  "sslnegotiation",
  "target_session_attrs"
])

/** What a harmless value looks like; anything else under a harmless name is a mistake, or worse. */
const PLAIN_VALUE = /^(?:[\w.,:~-]|%2[CFcf]|%3[Aa]|\/)*$/

// Keys of feeds and tokens of bots are put into paths: a long segment with letters and digits is one of them.
const KEY_SEGMENT = /^(?=.*\d)(?=.*[A-Za-z])[\w.~:%-]{20,}$/

const URL_FORM = /^(?<scheme>[a-z][a-z\d+.-]*:\/\/)(?<head>[^?#]*)(?<query>\?[^#]*)?(?<fragment>#.*)?$/is

const redactMember = (member: string): string => {
  const cut = member.indexOf("=")
  if (cut < 0) return member === "" ? "" : REDACTED
  const name = member.slice(0, cut)
  const value = member.slice(cut + 1)
  // Followed by nothing but Base64 padding: what looks like a name is the secret.
  if (/^=*$/.test(value)) return REDACTED
  if (HARMLESS.has(name.toLowerCase()) && PLAIN_VALUE.test(value)) return member
  // The name comes from outside as well: one that is not a plain word could be the secret.
  return `${/^[a-z_-]{0,40}$/i.test(name) ? name : REDACTED}=${REDACTED}`
}

const redactHead = (head: string): string => {
  // The last @: a password with an @ or a slash that nobody escaped is still a password.
  const at = head.lastIndexOf("@")
  const place = head.slice(at + 1)
  const path = place.split("/").map((segment) => (KEY_SEGMENT.test(segment) ? REDACTED : segment))
  return `${at < 0 ? "" : `${REDACTED}@`}${path.join("/")}`
}

/** The URL without what could be a secret; a text that is not a URL is returned unchanged. */
export const redactUrl = (url: string): string => {
  const groups = URL_FORM.exec(url)?.groups
  if (groups === undefined) return url
  const { fragment, head = "", query, scheme = "" } = groups
  // An @ behind the first ? or # may be the end of a userinfo that nobody escaped: then the head is a part of it.
  if (!head.includes("@") && `${query ?? ""}${fragment ?? ""}`.includes("@")) return `${scheme}${REDACTED}`
  const members = query === undefined ? "" : `?${query.slice(1).split("&").map(redactMember).join("&")}`
  return `${scheme}${redactHead(head)}${members}${fragment === undefined ? "" : `#${fragment === "#" ? "" : REDACTED}`}`
}

// Ends where a quoted or bracketed URL ends; a comma, point or colon at its end belongs to the sentence.
const URL_IN_TEXT = /[a-z][a-z\d+.-]*:\/\/[^\s"<>\\^`{|}]*[^\s"<>\\^`{|}.,;:)]/gi

/** The text with every URL in it redacted. */
export const redactUrls = (text: string): string =>
  text.includes("://") ? text.replace(URL_IN_TEXT, redactUrl) : text

const SECRET_NAME = /pass|pwd|token|secret|key|auth|sign|cred|session|code/i

const decoded = (text: string): ReadonlyArray<string> => {
  try {
    return [text, decodeURIComponent(text), decodeURIComponent(text.replaceAll("+", " "))]
  } catch {
    // An escape that is not UTF-8 stands for itself.
    return [text]
  }
}

/**
 * What of a URL is a secret by its place or name, as written and as meant. A user name is one only where there is no
 * password next to it and the URL is not a database's, whose user is known to everybody.
 */
export const secretsOfUrl = (url: string): ReadonlyArray<string> => {
  const groups = URL_FORM.exec(url)?.groups
  if (groups === undefined) return []
  const { head = "", query = "", scheme = "" } = groups
  const at = head.lastIndexOf("@")
  const userinfo = at < 0 ? "" : head.slice(0, at)
  const colon = userinfo.indexOf(":")
  const lone = colon < 0 && !scheme.toLowerCase().startsWith("postgres") ? [userinfo] : []
  const members = query
    .slice(1)
    .split("&")
    .filter((member) => SECRET_NAME.test(member.split("=")[0] ?? ""))
  const values = members.map((member) => member.slice(member.indexOf("=") + 1))
  const written = [...(colon < 0 ? lone : [userinfo.slice(colon + 1)]), ...values]
  return [...new Set(written.flatMap(decoded))].filter((text) => text !== "")
}

/** Hides secrets in a text: returns the text without them and without what could be one in a URL. */
export type Mask = (text: string) => string

// A shorter value would blank out ordinary words; outside practice secrets of that length are refused anyway.
const SECRET_LENGTH_MIN = 6

/** Hides the given secrets of at least `lengthMin` characters, however JSON or a URL writes them, and nothing else. */
export const makeHider = (secrets: ReadonlyArray<string>, lengthMin: number = SECRET_LENGTH_MIN): Mask => {
  const long = secrets.filter((secret) => secret.length >= lengthMin)
  const written = long.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret.toWellFormed())
  ])
  // The longest first: a secret that has another as its prefix must not leave its tail behind.
  const hidden = [...new Set(written)].toSorted((a, b) => b.length - a.length)
  return (text) => hidden.reduce((shown, secret) => shown.replaceAll(secret, REDACTED), text)
}

/** A mask over the given secrets in clear text and over URLs. */
export const makeMask = (secrets: ReadonlyArray<string>): Mask => {
  const hide = makeHider(secrets)
  return (text) => redactUrls(hide(text))
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** A plain value (objects, arrays, scalars) with every text in it masked, keys too; others are returned as they are. */
export const maskedValue = (mask: Mask, value: unknown): unknown => {
  if (typeof value === "string") return mask(value)
  if (Array.isArray(value)) return value.map((item: unknown) => maskedValue(mask, item))
  if (typeof value !== "object" || value === null || !isPlain(value)) return value
  return maskedRecord(mask, { ...value })
}

/** The same with its keys as they are: those of an answer are names of fields, which a short secret must not blank out. */
export const maskedTexts = (mask: Mask, value: unknown): unknown => {
  if (typeof value === "string") return mask(value)
  if (Array.isArray(value)) return value.map((item: unknown) => maskedTexts(mask, item))
  if (typeof value !== "object" || value === null || !isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, maskedTexts(mask, inner)]))
}

/** A record with every text in it masked. */
export const maskedRecord = (
  mask: Mask,
  record: Readonly<Record<string, unknown>>
): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).map(([key, inner]) => [mask(key), maskedValue(mask, inner)]))
