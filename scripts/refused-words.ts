/**
 * Refused words: phrases and coined names that stop a reader, each with what to write instead.
 *
 * Only what is never right in technical English is here, so that the rule needs no exceptions; the rest is a reviewer's.
 *
 * Promises: every entry names its replacement.
 * Never: reads a file (tidy.ts does).
 */

/** Searched in code, comments and pages alike. */
export const REFUSED_WORDS: ReadonlyArray<readonly [pattern: RegExp, instead: string]> = [
  [/\b(?:has|have) not (?:a|an|the|any)\b/, "does not have"],
  [/\b(?:is|are|was|were|been|be) said\b/, "is reported, logged, shown"],
  [/\bsa(?:ys?|id) aloud\b/, "logs, alerts"],
  [/\bfor ever\b/, "forever"],
  [/\banew\b/, "again, or re-"],
  [/\bby the way\b/, "as a side effect, or nothing"],
  [/\bin silence\b/, "silently"],
  [/\bwithout a word\b/, "silently, without notice"],
  [/\bfor want of\b/, "for lack of"],
  [/\bdearest\b/, "most expensive"],
  [/\bnobody of (?:us|ours)\b/, "none of ours"],
  [/\b(?:gives?|gave|given) back\b/, "releases, returns"],
  [/\bwhyNot[A-Z]?\w*/, "a reason"],
  [/\b[Oo]wed[A-Z]\w*|\bOwed\b/, "pending, due"],
  [/\b[Oo]bey(?:s|ed|ing)?\b/, "follows, applies, responds"],
  [/\b[Ss]tillborn\b/, "failed at start"],
  [/\b(?:tell|told|say|said)[A-Z]\w*/, "report…, log…, notify…"],
  [/\b[a-z]\w*(?:Told|Said)\b/, "…Reported, …Logged"]
]
