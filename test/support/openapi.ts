/**
 * The OpenAPI document as a judge: whatever a test sees from the listener must be described by it, and so must every post
 * that the intake takes.
 *
 * Promises: an answer whose status, type or shape the document does not have is a failure that names where; a path that it
 * does not have is answered with a refusal; a body that was taken and is not described is a failure that names where.
 * Never: looks at anything but method, target, body and answer.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import formats from "ajv-formats"
import document from "../../src/wire/openapi.json" with { type: "json" }
import { type Answer, exchange, type ExchangeOptions } from "./exchange.ts"

interface Media {
  readonly schema: object
}
type Responses = Readonly<Record<string, { readonly content: Readonly<Record<string, Media>> }>>
type Paths = Readonly<Record<string, Readonly<Record<string, { readonly responses: Responses }>>>>

const paths = document.paths as unknown as Paths

const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)
ajv.addSchema(document, "openapi")

/** Literal segments win over parameters, as in the service. */
const templates = Object.keys(paths).toSorted((a, b) => a.split("{").length - b.split("{").length)
const templateOf = (path: string): string | undefined => {
  const given = path.split("/")
  return templates.find((template) => {
    const parts = template.split("/")
    return (
      parts.length === given.length &&
      parts.every((part, index) => (part.startsWith("{") ? given[index] !== "" : part === given[index]))
    )
  })
}

// Bounded by the operations of the document.
const validators = new Map<string, ValidateFunction>()
const escaped = (key: string): string => encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"))
const validatorOf = (keys: ReadonlyArray<string>): ValidateFunction => {
  const pointer = `openapi#/${keys.map(escaped).join("/")}`
  const known = validators.get(pointer) ?? ajv.compile({ $ref: pointer })
  validators.set(pointer, known)
  return known
}

const problemsOf = (keys: ReadonlyArray<string>, body: unknown): ReadonlyArray<string> => {
  const validate = validatorOf(keys)
  if (validate(body)) return []
  return (validate.errors ?? [])
    .slice(0, 5)
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)
}

/** Where the document speaks of an answer; null when it does not. */
const placeOf = (
  method: string,
  path: string,
  status: number,
  type: string
): ReadonlyArray<string> | null => {
  const template = templateOf(path)
  const operation = method.toLowerCase()
  const responses = template === undefined ? undefined : paths[template]?.[operation]?.responses
  // A path or a method that is not there.
  if (template === undefined || responses === undefined)
    return status >= 400 ? ["components", "schemas", "Refusal"] : null
  const key = [String(status), `${Math.floor(status / 100)}XX`].find((one) => responses[one] !== undefined)
  if (key === undefined || responses[key]?.content[type] === undefined) return null
  return ["paths", template, operation, "responses", key, "content", type, "schema"]
}

/** Throws when the document does not describe the answer. */
export const assertDescribed = (
  method: string,
  target: string,
  { body, headers, status, text }: Pick<Answer, "body" | "headers" | "status" | "text">
): void => {
  // Pages and preflights are no part of the API, and HEAD has no body to look at.
  if (method !== "GET" && method !== "POST") return
  const { pathname } = new URL(target, "http://127.0.0.1")
  if (pathname === "/" || pathname === "/console" || pathname.startsWith("/console/")) return
  const path = pathname.length > 1 && pathname.endsWith("/") ? pathname.slice(0, -1) : pathname
  const type = String(headers["content-type"]).split(";")[0] ?? ""
  const place = placeOf(method, path, status, type)
  const problems =
    place === null ? ["is not described"] : type === "application/json" ? problemsOf(place, body) : []
  if (problems.length > 0)
    throw new Error(
      `${method} ${path} ${status} ${type} is not what /openapi.json says: ${problems.join("; ")}\n${text.slice(0, 1_000)}`
    )
}

/** Where a body is not what the document says of a post to the webhook. Numbers are those of JSON, as a sender's are. */
export const bodyProblems = (body: unknown, schema = "WebhookBody"): ReadonlyArray<string> =>
  problemsOf(["components", "schemas", schema], JSON.parse(JSON.stringify(body)))

/** Throws when a post that was taken is not what the document says of one. `sent`: as text, bytes or a value. */
export const assertTakenDescribed = (target: string, sent: unknown, status: number): void => {
  const { pathname } = new URL(target, "http://127.0.0.1")
  if (!/^\/webhook(?:\/[^/]*)?$/.test(pathname) || status >= 300) return
  const body: unknown =
    typeof sent === "string" || Buffer.isBuffer(sent)
      ? JSON.parse(new TextDecoder().decode(Buffer.from(sent)))
      : sent
  const schema = pathname.startsWith("/webhook/") ? "SourceBody" : "WebhookBody"
  const problems = body === undefined ? [] : bodyProblems(body, schema)
  if (problems.length > 0)
    throw new Error(
      `a post was taken that is not what /openapi.json says: ${problems.join("; ")}\n${JSON.stringify(body)}`
    )
}

/** One exchange with the listener: what it takes and what it answers is held against the document. */
export const apiExchange = async (
  url: string,
  body: unknown,
  options: ExchangeOptions = {}
): Promise<Answer> => {
  const answer = await exchange(url, body, options)
  assertDescribed(options.method ?? (body === undefined ? "GET" : "POST"), url, answer)
  assertTakenDescribed(url, body, answer.status)
  return answer
}
