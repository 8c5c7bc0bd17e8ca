/**
 * What comes to the stand-in from outside: parameters of the methods and requests of tests and terminals.
 *
 * The Bot API takes JSON, forms and queries, numbers as text and objects as JSON text, and ignores what it does not know; so does
 * this.
 *
 * Promises: a parameter of the wrong kind is the 400 of the real API.
 * Never: keeps a request.
 */
import { apiLimits } from "./options.ts"
import { badRequest } from "./refusal.ts"

export type Parameters = Readonly<Record<string, unknown>>

export const isRecord = (value: unknown): value is Parameters =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The parameters of a request: its query, with the body over it. */
export const parametersOf = (query: URLSearchParams, type: string, body: string): Parameters => {
  const given = Object.fromEntries(query)
  if (body === "") return given
  if (type.startsWith("application/x-www-form-urlencoded"))
    return { ...given, ...Object.fromEntries(new URLSearchParams(body)) }
  if (!type.startsWith("application/json")) return given
  const parsed = parse(body)
  if (!isRecord(parsed)) throw badRequest("can't parse JSON object")
  return { ...given, ...parsed }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // What is not JSON is nothing here: the caller refuses it by name.
    return undefined
  }
}

/** Text; absent is undefined. */
export const textAt = (given: Parameters, name: string): string | undefined => {
  const value = given[name]
  if (value === undefined || value === null) return undefined
  return typeof value === "string" ? value : JSON.stringify(value)
}

/** A whole number, also written as text. */
export const wholeAt = (given: Parameters, name: string): number | undefined => {
  const text = textAt(given, name)
  if (text === undefined || text === "") return undefined
  if (!/^-?\d{1,16}$/.test(text)) throw badRequest(`field "${name}" must be of type Number`)
  return Number(text)
}

export const flagAt = (given: Parameters, name: string): boolean => {
  const value = given[name]
  return value === true || value === "true" || value === "True" || value === "1"
}

/** A structure, also written as JSON text. */
export const structureAt = (given: Parameters, name: string): unknown => {
  const value = given[name]
  return typeof value === "string" ? parse(value) : value
}

export interface Button {
  readonly text: string
  readonly callback_data?: string
  readonly url?: string
}
export type Keyboard = ReadonlyArray<ReadonlyArray<Button>>

const buttonOf = (given: unknown): Button => {
  const { callback_data: data, text, url } = isRecord(given) ? given : {}
  if (typeof text !== "string" || text === "")
    throw badRequest("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
  if (typeof url === "string") {
    if (!URL.canParse(url)) throw badRequest(`inline keyboard button URL '${url}' is invalid: Wrong HTTP URL`)
    return { text, url }
  }
  if (typeof data !== "string")
    throw badRequest("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
  const bytes = Buffer.byteLength(data)
  if (bytes < 1 || bytes > apiLimits.callbackDataMax) throw badRequest("BUTTON_DATA_INVALID")
  return { text, callback_data: data }
}

/** The buttons under a message; other keyboards are not known here. */
export const keyboardAt = (given: Parameters): Keyboard => {
  const markup = structureAt(given, "reply_markup")
  if (markup === undefined || markup === null) return []
  const rows = isRecord(markup) ? markup["inline_keyboard"] : undefined
  if (!Array.isArray(rows)) throw badRequest("object expected as reply markup")
  const keyboard = rows.map((row: unknown) => {
    if (!Array.isArray(row))
      throw badRequest('field "inline_keyboard" of the InlineKeyboardMarkup should be an Array of Arrays')
    return row.map(buttonOf)
  })
  if (keyboard.flat().length > apiLimits.buttonsMax) throw badRequest("reply markup is too long")
  return keyboard
}
