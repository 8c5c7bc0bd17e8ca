/**
 * What a start may return, and how a failed start is named.
 *
 * Promises: a result that is neither `Running` nor `Ignore` is described as what it is; the failure of a nested
 * supervisor's child passes through unchanged, so the deepest path reaches the top.
 * Never: runs anything of the result.
 */
import { Cause, Effect } from "effect"
import type { Ignore, Running } from "./child-spec.ts"
import { StartFailed, tagOf } from "./exit-reason.ts"

/** True for the result of a component that is switched off. */
export const isIgnored = (answer: unknown): answer is Ignore => tagOf(answer) === "Ignore"

/** What is wrong with a start's result, or nothing. */
export const faultOf = (answer: unknown): string | undefined => {
  if (typeof answer !== "object" || answer === null) return answer === null ? "null" : typeof answer
  const { run, drain, send, status, mailbox } = answer as Running<any>
  if (run !== undefined && !Effect.isEffect(run)) return "a run that is not an Effect"
  if (drain !== undefined && !Effect.isEffect(drain)) return "a drain that is not an Effect"
  if (send !== undefined && typeof send !== "function") return "a send that is not a function"
  if (status !== undefined && typeof status !== "function") return "a status that is not a function"
  return mailbox !== undefined && typeof mailbox !== "function"
    ? "a mailbox that is not a function"
    : undefined
}

// The tag first: `instanceof` alone throws for a proxy that was revoked.
const isStartFailed = (error: unknown): error is StartFailed =>
  tagOf(error) === "StartFailed" && error instanceof StartFailed

/** The failure of a start: the deepest one known. */
export const startFailed = (
  cause: Cause.Cause<unknown>,
  fields: Omit<ConstructorParameters<typeof StartFailed>[0], "cause">
): StartFailed => {
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason) && isStartFailed(reason.error)) return reason.error
  }
  return new StartFailed({ ...fields, cause })
}
