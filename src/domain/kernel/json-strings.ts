/**
 * json-strings: where the texts stand in a JSON document.
 *
 * A document that a person wrote is changed at one place by replacing the characters there: parsing and printing it again would change
 * its form and its numbers everywhere.
 *
 * Promises: pure; of a document that is JSON, every value that is a text, in its order, with its path and its place; names of members are
 * not values.
 * Never: judges whether a document is JSON: of one that is not, what it returns has no meaning.
 */

export interface JsonString {
  /** Names of members and places in lists, from the whole to the value. */
  readonly path: ReadonlyArray<string>
  /** Of its first quotation mark. */
  readonly start: number
  /** After its last one. */
  readonly end: number
  readonly value: string
}

/** A text, a mark, or anything else that is no white space. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/gs

interface Around {
  readonly isList: boolean
  /** The member or the place that comes, or is under way. */
  key: string
  /** Whether a name of a member comes next. */
  isName: boolean
}

export const jsonStrings = (text: string): ReadonlyArray<JsonString> => {
  const found: Array<JsonString> = []
  const around: Array<Around> = []
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const inner = around.at(-1)
    if (token === "{") around.push({ isList: false, key: "", isName: true })
    else if (token === "[") around.push({ isList: true, key: "0", isName: false })
    else if (token === "}" || token === "]") around.pop()
    else if (token === "," && inner !== undefined) {
      if (inner.isList) inner.key = String(Number(inner.key) + 1)
      else inner.isName = true
    } else if (token.startsWith('"')) {
      const value = String(JSON.parse(token))
      if (inner?.isName === true) {
        inner.key = value
        inner.isName = false
      } else
        found.push({ path: around.map(({ key }) => key), start: index, end: index + token.length, value })
    }
  }
  return found
}
