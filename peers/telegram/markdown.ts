/**
 * The MarkdownV2 of messages, as strictly as Telegram reads it.
 *
 * Every character that could be a mark is reserved, also where it is none: a bot that writes a price with a bare point is answered 400.
 * A quotation begins at the beginning of a line and ends with it, unless the next begins with `>` as well; `||` at its end makes it
 * one that unfolds.
 *
 * Promises: the text that is left when the marks are gone, or the refusal of the real API in its words; offsets are in bytes of UTF-8,
 * as there.
 * Never: renders anything; knows the older Markdown, which the caller refuses.
 */
import { type ApiRefusal, unparsable } from "./refusal.ts"

/** By the names that the refusals have for them. */
type Kind =
  | "Underline"
  | "Italic"
  | "Bold"
  | "Strikethrough"
  | "Spoiler"
  | "Pre"
  | "PreCode"
  | "Code"
  | "CustomEmoji"
  | "TextUrl"
  | "BlockQuote"

interface Opened {
  readonly kind: Kind
  /** Where its mark begins. */
  readonly at: number
}

/** What begins an entity; of those that fit the first, so the longer ones come first. */
const MARKS: ReadonlyArray<readonly [mark: string, kind: Kind]> = [
  ["__", "Underline"],
  ["_", "Italic"],
  ["*", "Bold"],
  ["~", "Strikethrough"],
  ["||", "Spoiler"],
  ["```", "Pre"],
  ["`", "Code"],
  ["![", "CustomEmoji"],
  ["[", "TextUrl"]
]
/** What ends one. A quotation ends with its line. */
const ENDS: Readonly<Record<Exclude<Kind, "BlockQuote">, string>> = {
  Underline: "__",
  Italic: "_",
  Bold: "*",
  Strikethrough: "~",
  Spoiler: "||",
  Pre: "```",
  PreCode: "```",
  Code: "`",
  CustomEmoji: "]",
  TextUrl: "]"
}
const RESERVED = "_*[]()~`>#+-=|{}.!\n"
const LITERAL: ReadonlySet<Kind | undefined> = new Set<Kind>(["Code", "Pre", "PreCode"])

/** A word after the three marks of a block is its language when white space ends it. */
const LANGUAGE = /^[^ \t\r\n\0\v`]+(?=[ \t\r\n\0\v])/
const NEW_LINE = /^(?:\r\n|\n\r|\n|\r)/
const EMOJI_URL = /^(?:(?<scheme>[a-z]+):)?(?:\/\/)?(?<host>[^/?#]*)\/?(?:\?(?<query>[^#]*))?/i

const checkEmoji = (url: string): void => {
  const { host = "", query = "", scheme = "" } = EMOJI_URL.exec(url)?.groups ?? {}
  if (scheme.toLowerCase() !== "tg") throw unparsable("Custom emoji URL must have scheme tg")
  if (host.toLowerCase() !== "emoji") throw unparsable('Custom emoji URL must have host "emoji"')
  const id = new URLSearchParams(query).get("id")
  if (id === null) throw unparsable("Custom emoji URL must have an emoji identifier")
  if (!/^[1-9]\d{0,18}$/.test(id)) throw unparsable("Invalid custom emoji identifier specified")
}

class Reader {
  readonly #text: string
  #at = 0
  #plain = ""
  /** What has begun and not ended, the innermost last. */
  readonly #open: Array<Opened> = []
  #isQuoted = false
  /** Nothing but marks since the beginning of the line: a quotation may begin. */
  #isLineStart = true

  constructor(text: string) {
    this.#text = text
  }
  read(): string {
    while (this.#at < this.#text.length) this.#step()
    if (this.#isQuoted) this.#endQuotation(this.#text.length)
    const left = this.#open.at(-1)
    if (left !== undefined) throw this.#unended(left)
    return this.#plain
  }
  #byteOffset(at: number): number {
    return Buffer.byteLength(this.#text.slice(0, at))
  }
  #unended({ at, kind }: Opened): ApiRefusal {
    return unparsable(`Can't find end of ${kind} entity at byte offset ${this.#byteOffset(at)}`)
  }
  #has(mark: string): boolean {
    return this.#text.startsWith(mark, this.#at)
  }
  /** The character that a backslash here stands before; null: it is a backslash like any other. */
  #escaped(): string | null {
    if (!this.#has("\\")) return null
    const code = this.#text.codePointAt(this.#at + 1) ?? 0
    return code > 0 && code <= 126 ? String.fromCodePoint(code) : null
  }
  #step(): void {
    const escaped = this.#escaped()
    if (escaped !== null) {
      this.#put(escaped, escaped === "\n")
      this.#at += 2
      return
    }
    const character = this.#text.charAt(this.#at)
    const inner = this.#open.at(-1)
    if (!(LITERAL.has(inner?.kind) ? "`" : RESERVED).includes(character)) {
      this.#put(character, false)
      this.#at += 1
      return
    }
    if (this.#isQuoted && character === "\n" && this.#text[this.#at + 1] !== ">") {
      this.#endQuotation(this.#at)
      this.#newLine()
    } else if (inner !== undefined && this.#isEndOf(inner.kind)) this.#end(inner.kind)
    else this.#begin(character)
  }
  #put(character: string, isLineStart: boolean): void {
    this.#plain += character
    if (character !== "\r") this.#isLineStart = isLineStart
  }
  #newLine(): void {
    this.#put("\n", true)
    this.#at += 1
  }
  #isEndOf(kind: Kind): boolean {
    // Two are the mark of another, also within this one.
    if (kind === "Italic" && this.#has("__")) return false
    return kind !== "BlockQuote" && this.#has(ENDS[kind])
  }
  #end(kind: Kind): void {
    if (kind !== "BlockQuote") this.#at += ENDS[kind].length
    if (kind === "TextUrl" && this.#has("(")) this.#url("a URL")
    if (kind === "CustomEmoji") {
      if (!this.#has("(")) throw unparsable("Custom emoji entity must contain a tg://emoji URL")
      checkEmoji(this.#url("a custom emoji URL"))
    }
    this.#open.pop()
  }
  #url(what: string): string {
    this.#at += 1
    const begun = this.#at
    let url = ""
    while (!this.#has(")")) {
      if (this.#at >= this.#text.length)
        throw unparsable(`Can't find end of ${what} at byte offset ${this.#byteOffset(begun)}`)
      const escaped = this.#escaped()
      url += escaped ?? this.#text.charAt(this.#at)
      this.#at += escaped === null ? 1 : 2
    }
    this.#at += 1
    return url
  }
  #begin(character: string): void {
    if (character === "\n") return this.#newLine()
    if (character === ">" && this.#isLineStart) {
      if (!this.#isQuoted) this.#open.push({ kind: "BlockQuote", at: this.#at })
      this.#isQuoted = true
      this.#at += 1
      return undefined
    }
    const [mark, kind] = MARKS.find(([one]) => this.#has(one)) ?? []
    if (mark === undefined || kind === undefined)
      throw unparsable(`Character '${character}' is reserved and must be escaped with the preceding '\\'`)
    const at = this.#at
    this.#at += mark.length
    const language = kind === "Pre" ? (LANGUAGE.exec(this.#text.slice(this.#at))?.[0] ?? "") : ""
    this.#at += language.length
    // One new line at the beginning of a block is none of its text.
    if (kind === "Pre") this.#at += NEW_LINE.exec(this.#text.slice(this.#at))?.[0].length ?? 0
    this.#open.push({ kind: language === "" ? kind : "PreCode", at })
    return undefined
  }
  /** Ends the quotation before `at`, where its last line ends; whatever began within it must have ended there. */
  #endQuotation(at: number): void {
    const unfolds = this.#open.at(-1)
    const lineEnd = at - (at < this.#text.length && this.#plain.endsWith("\r") ? 1 : 0)
    if (unfolds?.kind === "Spoiler" && (unfolds.at === at - 2 || unfolds.at === lineEnd - 2)) this.#open.pop()
    const inner = this.#open.at(-1)
    if (inner?.kind !== "BlockQuote") {
      // At the end of the text the quotation may be within another entity, which is told below.
      if (at === this.#text.length || inner === undefined) return
      throw this.#unended(inner)
    }
    this.#open.pop()
    this.#isQuoted = false
  }
}

/** The text without its marks. Throws an `ApiRefusal`. */
export const plainOfMarkdown = (text: string): string => new Reader(text).read()
