/**
 * Wire pages: the description of the HTTP endpoints as OpenAPI, and as a page to read.
 *
 * Both are generated from src/wire/endpoints.ts, as are the routes of the service; the conversion of schemas is
 * zod-openapi's. The OpenAPI document is next to the schemas, because the service serves it and must not load what
 * generates it.
 *
 * Promises: the same endpoints give the same text.
 * Never: reads or writes a file (see draw.ts).
 */
import { STATUS_CODES } from "node:http"
import { z } from "zod"
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi"
import type { Endpoint } from "../src/wire/endpoint.ts"
import { endpoints } from "../src/wire/endpoints.ts"
import { refusal } from "../src/wire/refusal.ts"

const TAGS: Readonly<Record<Endpoint["tag"], string>> = {
  intake: "Posts of senders, which become signals.",
  trading: "What became of them: signals, orders, fills, positions, accounts.",
  commands:
    "Whatever an operator may do. Each takes the control token and an `Idempotency-Key`, and is in the audit whatever came of it.",
  operations: "The supervision tree, the trading state, waves, alerts, and the audit of commands.",
  health: "Health of the process.",
  session: "Sessions of the console.",
  console: "The console."
}

const isSchema = (answer: Endpoint["answers"][number]): answer is z.ZodType => answer instanceof z.ZodType

const parametersOf = ({ path }: Endpoint): z.ZodObject | undefined => {
  const names = path.split("/").flatMap((part) => (part.startsWith(":") ? [part.slice(1)] : []))
  return names.length === 0
    ? undefined
    : z.object(Object.fromEntries(names.map((name) => [name, z.string()])))
}

/** What every command takes. */
const idempotency = z.object({
  "idempotency-key": z.string().optional().meta({
    description: "A repetition with the same key is answered as the first time, and not carried out again."
  })
})

const answersOf = ({ answers, streams }: Endpoint) =>
  Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [
      status,
      {
        description: STATUS_CODES[status] ?? status,
        content: isSchema(answer)
          ? {
              "application/json": { schema: answer },
              ...(streams === undefined ? {} : { [streams]: { schema: z.string() } })
            }
          : { [answer.text.split(";")[0] ?? ""]: { schema: z.string() } }
      }
    ])
  )

const refused = (description: string) => ({
  description,
  content: { "application/json": { schema: refusal } }
})

const securityOf = ({ access, method }: Endpoint): ReadonlyArray<Record<string, Array<string>>> => {
  if (access === "open") return [{}]
  if (access === "webhook") return [{ signature: [] }, { standardWebhook: [] }, {}]
  // In PRACTICE this machine may read without a token.
  return [{ token: [] }, { session: [] }, ...(method === "GET" ? [{}] : [])]
}

const operationOf = (endpoint: Endpoint): ZodOpenApiOperationObject => {
  const { bodies, name, query, summary, tag } = endpoint
  const body = endpoint.body ?? bodies
  const path = parametersOf(endpoint)
  return {
    operationId: name,
    summary,
    tags: [tag],
    security: [...securityOf(endpoint)],
    requestParams: {
      ...(path === undefined ? {} : { path }),
      ...(query === undefined ? {} : { query }),
      ...(tag === "commands" && endpoint.method === "POST" ? { header: idempotency } : {})
    },
    ...(body === undefined
      ? {}
      : { requestBody: { required: false, content: { "application/json": { schema: body } } } }),
    responses: {
      ...answersOf(endpoint),
      "4XX": refused("Refused; `status` is the name of the status code, `errors` lists what to fix."),
      ...("503" in endpoint.answers
        ? {}
        : { "5XX": refused("Not possible now; 503 comes with Retry-After.") })
    }
  }
}

const pathsOf = (): ZodOpenApiPathsObject => {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {}
  for (const endpoint of endpoints) {
    // Pages for a browser, not for a program.
    if (endpoint.tag === "console") continue
    const path = endpoint.path.replaceAll(/:(\w+)/g, "{$1}")
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operationOf(endpoint) }
  }
  return paths
}

/** The document of `GET /openapi.json`, as text. `version` is that of the package. */
export const openapiOf = (version: string): string => {
  const document = createDocument(
    {
      openapi: "3.1.0",
      info: {
        title: "holdfast",
        version,
        description: "A supervised actor runtime for signal-driven trading services.",
        license: { name: "Unlicensed", identifier: "LicenseRef-UNLICENSED" }
      },
      servers: [{ url: "/", description: "The service that serves this document." }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer", description: "The control token (T16)." },
          session: {
            type: "apiKey",
            in: "header",
            name: "x-csrf-token",
            description: "With its cookie (T16)."
          },
          signature: { type: "apiKey", in: "header", name: "x-webhook-signature" },
          standardWebhook: { type: "apiKey", in: "header", name: "webhook-signature" }
        }
      },
      paths: pathsOf()
    },
    { outputIdSuffix: "" }
  )
  return `${JSON.stringify(document, null, 1)}\n`
}

const optionsOf = (schema: unknown): ReadonlyArray<string> => {
  if (schema instanceof z.ZodOptional) return optionsOf(schema.unwrap())
  return schema instanceof z.ZodEnum ? schema.options.map(String) : []
}

/** `status` (intended, held, …) for a closed list, `symbol` for any other filter. */
const filterText = ([name, schema]: readonly [string, unknown]): string => {
  const words = optionsOf(schema)
  return words.length === 0 ? `\`${name}\`` : `\`${name}\` (${words.join(", ")})`
}

const rowOf = ({ answers, bodies, body, method, path, query, summary }: Endpoint): string => {
  const shapes = [query, body, ...(bodies?.options ?? [])].map((schema) => schema?.shape ?? {})
  // A field that several bodies have is one field.
  const taken = Object.entries(Object.fromEntries(shapes.flatMap((shape) => Object.entries(shape))))
  return `| ${method} | \`${path}\` | ${Object.keys(answers).join(", ")} | ${taken.map(filterText).join(", ")} | ${summary} |`
}

/** docs/endpoints.md. */
export const endpointsPage = (): string =>
  [
    "# The endpoints",
    "",
    "Generated from `src/wire/endpoints.ts` by `npm run draw`. `GET /openapi.json` has the shape of every response. What is",
    "not listed is a refusal: `{status, request_id, errors?}`, with `status` the name of the status code. Lists return",
    "`{items, next_cursor}`; an unknown query parameter or field is a 400 that names it.",
    "",
    ...Object.entries(TAGS).flatMap(([tag, description]) => [
      `## ${tag}`,
      "",
      description,
      "",
      "| method | path | answers | takes | what |",
      "|--|--|--|--|--|",
      ...endpoints.filter((endpoint) => endpoint.tag === tag).map(rowOf),
      ""
    ])
  ].join("\n")
