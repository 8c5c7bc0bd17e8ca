/**
 * A sink that is a mail server (docs/decisions/0021-sinks.md).
 *
 * Promises: one connection per message, which ends by its own deadlines when the attempt is left; the id of the message is that of the delivery, by which mail servers and
 * readers recognise a repetition; TLS where the server offers it, and always with `smtps://`.
 * Never: puts the address of the server, its user or its password into a failure.
 * Failure: `SinkFailed` with the reply code of the server or the code of the network's error.
 */
import { Effect, Redacted } from "effect"
import type { SinkFailure } from "../../domain/alerts/outbox-delivery.ts"
import { outboxLimits } from "../../domain/alerts/outbox-limits.ts"
import type { SinkSettings } from "../../domain/kernel/settings-alerts.ts"
import { mailOf } from "../../domain/operators/sink-message.ts"
import { errorCodeOf } from "../platform/error-code.ts"
import { type Send, SinkFailed } from "./sinks.port.ts"

/** The server's reply to the command that failed, where there was one. */
const replyOf = (error: unknown): number | null =>
  typeof error === "object" &&
  error !== null &&
  "responseCode" in error &&
  typeof error.responseCode === "number"
    ? error.responseCode
    : null

const failureOf = (code: string, reply: number | null): SinkFailure => {
  if (code === "EAUTH") return "unusable"
  if (reply === null) return "unreachable"
  if (reply < 500) return "fault"
  // Whom we write to and as whom is in the settings; only what is written differs from message to message.
  return code === "EMESSAGE" ? "refused" : "unusable"
}

const failed = (error: unknown): SinkFailed => {
  const code = errorCodeOf(error) ?? "no connection"
  const reply = replyOf(error)
  const reason = reply === null ? `the mail server: ${code}` : `the mail server answered ${reply} (${code})`
  return new SinkFailed({ failure: failureOf(code, reply), reason, retryAfterMs: 0 })
}

/** A part of a URL as it was meant; an escape that is not UTF-8 stands for itself. */
const plain = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    // The one error decodeURIComponent has.
    return part
  }
}

/** The options of a connection, from its URL. */
const serverOf = (text: string) => {
  const { hostname, password, port, protocol, username } = new URL(text)
  const secure = protocol === "smtps:"
  const name = plain(username)
  return {
    host: hostname,
    port: port === "" ? (secure ? 465 : 587) : Number(port),
    secure,
    ...(name === "" ? {} : { auth: { user: name, pass: plain(password) } }),
    connectionTimeout: outboxLimits.sendMsMax,
    greetingTimeout: outboxLimits.sendMsMax,
    socketTimeout: outboxLimits.sendMsMax,
    dnsTimeout: outboxLimits.sendMsMax
  }
}

export const sendMail = (url: Redacted.Redacted<string>, { from, to }: SinkSettings): Send => {
  const server = serverOf(Redacted.value(url))
  return (message) =>
    Effect.tryPromise({
      try: async () => {
        // Only an installation with such a sink pays for the library.
        const { default: nodemailer } = await import("nodemailer")
        const { subject, text } = mailOf(message)
        await nodemailer.createTransport(server).sendMail({
          from: from ?? "",
          to: [...to],
          subject,
          text,
          messageId: `<${message.id}@holdfast>`,
          // Nobody's holiday answers an alert.
          headers: { "Auto-Submitted": "auto-generated" },
          disableFileAccess: true,
          disableUrlAccess: true
        })
      },
      catch: failed
    })
}
