/**
 * Whom we believe to be local: a caller on this machine that acts for itself.
 *
 * In practice mode, while no secret is set, a local caller posts unsigned and reads the API. A proxy or a tunnel on this
 * machine makes every remote caller look local: its socket is loopback. It is revealed by the host name it was asked
 * for, by the old protocol it speaks to us (the default of the most common proxy is HTTP/1.0, with the Host rewritten to
 * ours and no header of its own), or by what it adds (T16). None of this proves anything, so it opens only what costs nothing
 * real: paper trading and reading. Control requires a token from everybody.
 *
 * Promises: every sign can only take trust away: a header can cost a sender trust, never gain it.
 * Never: believes the content of a forwarding header, whose presence alone counts here, but for the address of a post or of a command
 * that one of the configured proxies passes on.
 * Failure: anything malformed counts as remote; no input makes it throw.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http"
import type { Networks } from "../platform/networks.node.ts"

/** What is known of a caller before its body is read. */
export interface Caller {
  readonly headers: IncomingHttpHeaders
  readonly httpVersion: string
  readonly remoteAddress: string | undefined
  /** Names and values as they came: a proxy may add a Host to that of its caller, and `headers` keeps only the first. */
  readonly rawHeaders: ReadonlyArray<string>
}

/** The caller of a request. */
export const callerOf = ({ headers, httpVersion, rawHeaders, socket }: IncomingMessage): Caller => ({
  headers,
  httpVersion,
  rawHeaders,
  remoteAddress: socket.remoteAddress
})

/** A header that came once; Node joins or lists what came twice. */
export const oneHeader = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : undefined

/** IPv4 addresses of dual-stack sockets arrive as `::ffff:127.0.0.1`. */
export const plainAddress = (address: string | undefined): string =>
  address === undefined ? "" : address.startsWith("::ffff:") ? address.slice(7) : address

/**
 * Where a post or a command comes from: its socket, or, where that is a trusted proxy, what the proxies added to `X-Forwarded-For`. They add
 * at its end, so it is read from there to the first address that is no proxy of ours; a sender writes only what is before it.
 */
export const senderAddress = ({ headers, socket }: IncomingMessage, isProxy: Networks | null): string => {
  const direct = plainAddress(socket.remoteAddress)
  if (isProxy === null || !isProxy(direct)) return direct
  const forwarded = oneHeader(headers["x-forwarded-for"])
  if (forwarded === undefined) return direct
  const hops = forwarded.split(",").map((hop) => plainAddress(hop.trim()))
  return hops.findLast((hop) => !isProxy(hop)) ?? direct
}

const isLoopback = (address: string | undefined): boolean => {
  const plain = plainAddress(address)
  return plain === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain)
}

const loopbackHosts = new Set(["localhost", "127.0.0.1", "[::1]"])

/** Whether a Host header names this machine: what a page that rebinds its own name to 127.0.0.1 cannot forge. */
const isLoopbackHost = (host: string | undefined): boolean =>
  host !== undefined && loopbackHosts.has(host.toLowerCase().replace(/:\d{1,5}$/, ""))

/** What proxies, tunnels and content networks add to a request they forward; a direct client has no reason to. */
const forwardingHeaders = new Set([
  "forwarded",
  "via",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-originating-ip",
  "x-remote-addr",
  "x-remote-ip",
  "x-scheme",
  "x-url-scheme",
  "true-client-ip",
  "wl-proxy-client-ip",
  "cdn-loop",
  "front-end-https"
])

/** The same by prefix: most of these families grow with every release of what adds them. */
const forwardingPrefixes = [
  "x-forwarded",
  "forwarded-",
  "x-original-",
  "x-proxy",
  "proxy-",
  "cf-",
  "fly-",
  "fastly-",
  "x-envoy-",
  "x-amzn-",
  "x-amz-",
  "x-arr-",
  "x-azure-",
  "x-appengine-",
  "x-cloud-trace-",
  "x-goog-",
  "x-nf-",
  "x-vercel-",
  "tailscale-",
  "ngrok-"
] as const

const namesOneHost = (rawHeaders: ReadonlyArray<string>): boolean =>
  rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === "host").length === 1

const isForwarding = (name: string): boolean =>
  forwardingHeaders.has(name) || forwardingPrefixes.some((prefix) => name.startsWith(prefix))

/** Where a browser reports that a request was made by a page of ours, by the user himself, or by no browser at all. */
export const isSameSite = (headers: IncomingHttpHeaders): boolean => {
  const site = headers["sec-fetch-site"]
  return site === undefined || site === "same-origin" || site === "none"
}

/**
 * Whether a browser's page may do this. Listed in the settings: yes. No Origin: not a page's script. Else the page must be
 * served by this very host, under a loopback name.
 */
const isTrustedPage = (headers: IncomingHttpHeaders, corsOrigins: ReadonlyArray<string>): boolean => {
  const origin = oneHeader(headers.origin)
  if (origin !== undefined && corsOrigins.includes(origin)) return true
  if (!isSameSite(headers)) return false
  if (origin === undefined) return headers.origin === undefined
  return origin.toLowerCase() === `http://${headers.host?.toLowerCase() ?? ""}`
}

/** The host of an origin, as a Host header names it; null when it is not one. */
const hostOfOrigin = (origin: string): string | null =>
  /^https?:\/\/(?<host>[^/?#@]+)$/i.exec(origin)?.groups?.["host"]?.toLowerCase() ?? null

/**
 * Whether a WebSocket may be opened from where it is: no page at all, a page of this host (by whichever scheme a proxy gave
 * it), or one of a listed origin. Browsers apply no same-origin policy of their own to a WebSocket.
 */
export const isSamePage = (headers: IncomingHttpHeaders, corsOrigins: ReadonlyArray<string>): boolean => {
  if (headers.origin === undefined) return true
  const origin = oneHeader(headers.origin)
  if (origin === undefined) return false
  if (corsOrigins.includes(origin)) return true
  return isSameSite(headers) && hostOfOrigin(origin) === headers.host?.toLowerCase()
}

/** Whether a caller on this machine acts for itself, and not through a page of another origin. */
export const isLocalCaller = (caller: Caller, corsOrigins: ReadonlyArray<string>): boolean =>
  isLoopback(caller.remoteAddress) &&
  caller.httpVersion === "1.1" &&
  namesOneHost(caller.rawHeaders) &&
  isLoopbackHost(caller.headers.host) &&
  !Object.keys(caller.headers).some(isForwarding) &&
  isTrustedPage(caller.headers, corsOrigins)
