/**
 * The HTML of messages, as strictly as Telegram reads it.
 *
 * A bot that forgets to escape a name is answered 400 by Telegram and sends nothing; a stand-in that took any text would let
 * that through to production.
 *
 * Promises: the text that is left when the tags are gone, or the refusal of the real API with its byte offset.
 * Never: renders anything; knows Markdown (markdown.ts).
 */
import { unparsable } from "./refusal.ts"

const TAGS: ReadonlySet<string> = new Set(
  "b strong i em u ins s strike del span tg-spoiler a tg-emoji code pre blockquote".split(" ")
)
const NAMED: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"' }
const TAG = /^<(?<end>\/?)(?<name>[A-Za-z-]*)(?<rest>[^<>]*)>/
const REFERENCE = /^&(?:#(?<decimal>\d{1,7})|#x(?<hex>[\da-fA-F]{1,6})|(?<name>[a-z]{2,4}));/

const referenceAt = (rest: string): { readonly text: string; readonly length: number } | null => {
  const found = REFERENCE.exec(rest)
  const { decimal, hex, name } = found?.groups ?? {}
  if (found === null) return null
  const code = decimal === undefined ? (hex === undefined ? null : Number.parseInt(hex, 16)) : Number(decimal)
  const text = code === null ? NAMED[name ?? ""] : code <= 0x10_ffff ? String.fromCodePoint(code) : undefined
  // A name that Telegram does not know stays as it was written.
  return text === undefined ? null : { text, length: found[0].length }
}

/** The text without its tags. Throws an `ApiRefusal`. */
export const plainOfHtml = (html: string): string => {
  const open: Array<string> = []
  let plain = ""
  let at = 0
  const offset = (): number => Buffer.byteLength(html.slice(0, at))
  while (at < html.length) {
    const rest = html.slice(at)
    const character = html.charAt(at)
    if (character === "<") {
      const tag = TAG.exec(rest)
      const { end = "", name = "" } = tag?.groups ?? {}
      const known = name.toLowerCase()
      if (end === "/") {
        const expected = open.pop()
        if (expected === undefined) throw unparsable(`Unexpected end tag at byte offset ${offset()}`)
        if (expected !== known)
          throw unparsable(
            `Unmatched end tag at byte offset ${offset()}, expected "</${expected}>", found "</${known}>"`
          )
      } else {
        if (tag === null || !TAGS.has(known))
          throw unparsable(`Unsupported start tag "${known}" at byte offset ${offset()}`)
        open.push(known)
      }
      at += tag?.[0].length ?? 1
      continue
    }
    const reference = character === "&" ? referenceAt(rest) : null
    plain += reference?.text ?? character
    at += reference?.length ?? 1
  }
  const left = open.at(-1)
  if (left !== undefined) throw unparsable(`Can't find end tag corresponding to start tag "${left}"`)
  return plain
}
