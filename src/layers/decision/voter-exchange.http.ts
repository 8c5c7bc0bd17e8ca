/**
 * Voter exchange over HTTP: a question as a signed webhook, whose answer is the vote.
 *
 * Promises: the deadline holds for the whole exchange, so an answer that drips is late; of an answer at most `ANSWER_BYTES_MAX` bytes
 * are read; JSON alone is read, and nothing but a vote is taken.
 * Never: follows a redirect, which would hand the question to whoever it points at; repeats what was answered, except that it was
 * no vote and in which field.
 * Failure: `VoterFailed`; the code of a network's error and nothing else of it, because errors of fetch may quote the URL.
 */
import { Clock, Effect, Layer, Redacted } from "effect"
import { readSecret } from "../../domain/kernel/settings-text.ts"
import type { VoterSettings } from "../../domain/kernel/settings-voters.ts"
import { standardHeaders } from "../../domain/kernel/standard-webhooks.ts"
import { decode } from "../../wire/problems.ts"
import { voterAnswer } from "../../wire/voter.ts"
import { errorCodeOf } from "../platform/error-code.ts"
import { VoterExchange, VoterFailed, type VoterFault } from "./voter-exchange.port.ts"

/** A vote has a few hundred bytes; ten reasons of a thousand characters still fit. */
export const ANSWER_BYTES_MAX = 65_536

const failed = (fault: VoterFault, reason: string): VoterFailed => new VoterFailed({ fault, reason })

const unreachable = (error: unknown): VoterFailed =>
  failed("unreachable", errorCodeOf(error instanceof Error ? error.cause : error) ?? "no connection")

/** What stands against reading an answer; null for nothing. */
const refusalOf = ({ headers, status }: Response): VoterFailed | null => {
  if (status >= 300 && status < 400)
    return failed("redirect", `it redirects (${status}), which is not followed`)
  if (status !== 200) return failed("status", `its answer was ${status}`)
  const type = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase()
  return type === "application/json" ? null : failed("not_json", "its answer is not application/json")
}

/** The text of an answer; null when it is longer than is read. */
const textOf = async ({ body }: Response): Promise<string | null> => {
  if (body === null) return ""
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    // Leaving the loop cancels the stream.
    if (bytes > ANSWER_BYTES_MAX) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

const opinionOf = (text: string) =>
  Effect.gen(function* () {
    const given: unknown = yield* Effect.try({
      try: () => JSON.parse(text) as unknown,
      catch: () => failed("not_json", "its answer is not JSON")
    })
    const read = decode(voterAnswer, given)
    if (read.ok) return read.value
    const [first] = read.errors
    return yield* failed("shape", `its answer is no vote: ${first?.path ?? ""} ${first?.message ?? ""}`)
  })

/** Who does not want the rest of an answer says so, or the connection stays with it. */
const leave = async (answer: Response, refusal: VoterFailed): Promise<VoterFailed> => {
  await answer.body?.cancel()
  return refusal
}

const exchanged = ({ secret, url }: VoterSettings, id: string, body: string) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const signed = standardHeaders(readSecret(Redacted.value(secret)).key, id, nowMs, body)
    const read = yield* Effect.tryPromise({
      try: async (signal) => {
        const answer = await fetch(url, {
          method: "POST",
          headers: {
            ...signed,
            "content-type": "application/json",
            accept: "application/json",
            "user-agent": "holdfast"
          },
          body,
          redirect: "manual",
          signal
        })
        const refusal = refusalOf(answer)
        if (refusal !== null) return await leave(answer, refusal)
        return (
          (await textOf(answer)) ?? failed("too_large", `its answer has more than ${ANSWER_BYTES_MAX} bytes`)
        )
      },
      catch: unreachable
    })
    return yield* typeof read === "string" ? opinionOf(read) : read
  })

export const voterExchangeHttp: Layer.Layer<VoterExchange> = Layer.succeed(VoterExchange, {
  ask: (settings, question) =>
    Effect.timeoutOrElse(exchanged(settings, question.data.signal_id, JSON.stringify(question)), {
      duration: settings.deadlineMs,
      orElse: () => Effect.fail(failed("late", `it did not answer within ${settings.deadlineMs} ms`))
    })
})
