/**
 * The rows of the reconnect matrix: one for each way a connection to a signal server can end.
 *
 * Promises: `documented` is docs/reconnect-matrix.md word for word, which a test compares.
 * Never: runs anything.
 */
import type { FeedEndKind } from "../../src/domain/feeds/feed-end.ts"

/** Beyond what the server's script can do: what happens to names, ports, certificates, and what we do ourselves. */
export type Special =
  | "nothing listens"
  | "name does not resolve"
  | "TLS to a plain server"
  | "certificate nobody signed"
  | "server killed and started again"
  | "we give it up"

export interface MatrixRow {
  readonly name: string
  readonly kind: FeedEndKind
  readonly code: number | null
  /** Faults of the first connection. */
  readonly faults: ReadonlyArray<{ readonly on: string; readonly afterMs?: number; readonly do: object }>
  readonly special: Special | null
  /** Settings of the feed beyond the shortened ones. */
  readonly tune: Readonly<Record<string, number>>
  /** Kind of the alert that must be raised. */
  readonly alert: string | null
}

type Faults = MatrixRow["faults"]

const row = (
  name: string,
  kind: FeedEndKind,
  faults: Faults,
  more: Partial<Pick<MatrixRow, "code" | "special" | "tune" | "alert">> = {}
): MatrixRow => ({ name, kind, faults, code: null, special: null, tune: {}, alert: null, ...more })

const live = (deed: object, afterMs = 30): Faults => [{ on: "live", afterMs, do: deed }]
const raw = (hex: string): object => ({ type: "raw", hex })
/** Text "ab" as the payload of a broken frame. */
const ab = "026162"

/** Codes a peer may send (RFC 6455, and what registries added), and the private ranges. */
const validCodes = [
  1_000, 1_001, 1_002, 1_003, 1_007, 1_008, 1_009, 1_010, 1_011, 1_012, 1_013, 1_014, 3_000, 3_999, 4_000,
  4_999
]
/** Codes no frame may carry. */
const invalidCodes = [0, 999, 1_004, 1_005, 1_006, 1_015, 2_999, 5_000]
const refusals = [200, 301, 400, 404, 426, 429, 500, 502, 503]

export const rows: ReadonlyArray<MatrixRow> = [
  ...validCodes.map((code) =>
    row(`close frame with ${code}`, "closed", live({ type: "close", code, reason: "bye" }), { code })
  ),
  row("close frame without a code", "closed", live({ type: "close", code: null }), { code: 1_005 }),
  ...invalidCodes.map((code) =>
    row(`close frame with the forbidden code ${code}`, "protocol", live({ type: "close", code }))
  ),
  row("TCP ends without a close frame", "broken", live({ type: "end" }), { code: 1_006 }),
  row("TCP reset while live", "broken", live({ type: "reset" })),
  row("TCP reset at connect", "broken", [{ on: "connect", do: { type: "reset" } }]),
  row("TCP reset in the handshake", "broken", [{ on: "upgrade", do: { type: "reset" } }]),
  row("TCP ends in the handshake", "broken", [{ on: "upgrade", do: { type: "end" } }]),
  row("TCP reset in the authentication", "broken", [{ on: "auth", do: { type: "reset" } }]),
  row("close frame in the authentication", "closed", [{ on: "auth", do: { type: "close", code: 1_011 } }], {
    code: 1_011
  }),
  row("nothing listens", "refused", [], { special: "nothing listens" }),
  row("name does not resolve", "unresolved", [], { special: "name does not resolve" }),
  row("TLS to a plain server", "tls", [], { special: "TLS to a plain server" }),
  row("certificate nobody signed", "tls", [], { special: "certificate nobody signed" }),
  row("server killed and started again", "broken", [], { special: "server killed and started again" }),
  row("we give it up", "given_up", [], { special: "we give it up" }),
  ...refusals.map((status) =>
    row(`handshake answered with ${status}`, "http", [{ on: "upgrade", do: { type: "http", status } }])
  ),
  ...[401, 403].map((status) =>
    row(
      `handshake answered with ${status}`,
      "credentials",
      [{ on: "upgrade", do: { type: "http", status } }],
      { alert: "feed.credentials_refused" }
    )
  ),
  row("auth_failed", "credentials", [{ on: "auth", do: { type: "auth_failed", reason: "expired" } }], {
    alert: "feed.credentials_refused"
  }),
  row("TCP accepts and nobody answers", "no_handshake", [{ on: "connect", do: { type: "nothing" } }], {
    tune: { connectMsMax: 600 }
  }),
  row("handshake hangs", "no_handshake", [{ on: "upgrade", do: { type: "nothing" } }], {
    tune: { connectMsMax: 600 }
  }),
  row("handshake with a wrong accept key", "handshake", [{ on: "upgrade", do: { type: "bad_accept" } }]),
  row("handshake answered by another protocol", "handshake", [
    { on: "connect", do: raw(Buffer.from("220 mail ready\r\n").toString("hex")) }
  ]),
  row("authentication hangs", "no_auth", [{ on: "auth", do: { type: "nothing" } }], {
    tune: { authMsMax: 500 }
  }),
  row("authentication one byte a second", "no_auth", [{ on: "auth", do: { type: "slow", everyMs: 1_000 } }], {
    tune: { authMsMax: 500 }
  }),
  row("pong frames stop", "no_pong", [{ on: "ping_frame", do: { type: "nothing" } }], {
    tune: { pingEveryMs: 100, pongMsMax: 600 }
  }),
  row("answers to ping stop", "no_pong", [{ on: "ping", do: { type: "nothing" } }], {
    tune: { pingEveryMs: 100, pongMsMax: 600 }
  }),
  row("half-open: nothing comes any more", "no_pong", live({ type: "freeze" }, 0), {
    tune: { pingEveryMs: 100, pongMsMax: 600 }
  }),
  row("answers to get_stats stop", "no_stats", [{ on: "get_stats", do: { type: "nothing" } }], {
    tune: { statsEveryMs: 100, answerMsMax: 700 }
  }),
  row("answers to get_signals stop", "no_signals", [{ on: "get_signals", do: { type: "nothing" } }], {
    tune: { answerMsMax: 700, authMsMax: 8_000 }
  }),
  row("fragment that is never finished", "no_stats", [{ on: "get_stats", do: raw(`01${ab}`) }], {
    tune: { statsEveryMs: 100, answerMsMax: 700 }
  }),
  row("frame that is never finished", "no_pong", live(raw("817e0fff6162"), 0), {
    tune: { pingEveryMs: 100, pongMsMax: 600 }
  }),
  row("frame above the limit", "oversize", live({ type: "oversize", bytes: 70_000 }), {
    tune: { frameBytesMax: 65_536 },
    alert: "feed.frame_oversize"
  }),
  row("frame with a reserved bit", "protocol", live(raw(`c1${ab}`))),
  row("frame with a reserved opcode", "protocol", live(raw(`83${ab}`))),
  row("frame with a mask", "protocol", live(raw("8182000000006162"))),
  row("text that is not UTF-8", "protocol", live(raw("8102c328"))),
  row("continuation of nothing", "protocol", live(raw(`80${ab}`))),
  row("new message inside a fragment", "protocol", live(raw(`01${ab}81${ab}`))),
  row("fragmented control frame", "protocol", live(raw(`09${ab}`))),
  row("control frame above 125 bytes", "protocol", live(raw(`897e0080${"61".repeat(128)}`))),
  row("close frame of one byte", "protocol", live(raw("880103"))),
  row("close reason that is not UTF-8", "protocol", live(raw("880403e8c328")))
]

const nextOf = ({ kind }: MatrixRow): string =>
  kind === "credentials"
    ? "CredentialRefused, a try each 60 s, HIGH alert"
    : kind === "given_up"
      ? "Connecting, at once"
      : "BackingOff, full jitter below 1 s, doubling to 30 s"

/** The page of the matrix. */
export const documented = [
  "# Reconnect matrix",
  "",
  "Every way a connection to a signal server can end, what the feed calls it, and what it does. Each row is the test of",
  "that name in `test/integration/feed-matrix.test.ts`: real sockets, the practice signal server misbehaving by script.",
  "Each asserts the end's kind and code, the state that follows, the time to the next attempt, that signals flow again",
  "(those offered while it was away too), that nothing is lost and that nothing is stored twice. This page is compared",
  "with the rows by a test.",
  "",
  "| the connection ends by | kind | code | then |",
  "|--|--|--|--|",
  ...rows.map((one) => `| ${one.name} | ${one.kind} | ${one.code ?? ""} | ${nextOf(one)} |`),
  ""
].join("\n")
