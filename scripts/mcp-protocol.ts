/**
 * MCP protocol: the part of the Model Context Protocol that a server of tools speaks, as a function from a message to its answer.
 *
 * Rejected: the official SDK. It brings a hundred packages (two web frameworks, OAuth) for transports that are not used here; what a
 * server of tools over stdio needs is five methods of JSON-RPC. Its client was the judge of what this answers.
 *
 * Promises: each request has exactly one answer, a notification none; what is wrong with a message is an error of JSON-RPC with its code.
 * Never: sends a request of its own; reads or writes a stream.
 */
import { z } from "zod"
import { tools, type ToolAnswer } from "./mcp-tools.ts"

/** Newest first; a client that asks for another one is offered the first. */
const VERSIONS = ["2025-06-18", "2025-03-26", "2024-11-05"]

const PARSE_ERROR = -32_700
const INVALID_REQUEST = -32_600
const METHOD_NOT_FOUND = -32_601
const INVALID_PARAMS = -32_602

const instructions =
  "Reads a running holdfast service and changes nothing. Begin with health and tree; why explains one signal; component and events tell what a component went through."

const message = z.object({
  jsonrpc: z.literal("2.0"),
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional()
})
const callParams = z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()).default({}) })

type Outcome =
  | { readonly result: object }
  | { readonly error: { readonly code: number; readonly message: string } }
type Call = (tool: (typeof tools)[number], given: Readonly<Record<string, unknown>>) => Promise<ToolAnswer>

const failed = (code: number, message: string): Outcome => ({ error: { code, message } })

const listed = (): object => ({
  tools: tools.map(({ description, input, name }) => ({
    name,
    description,
    // What a caller writes: a field with a default may be left out.
    inputSchema: z.toJSONSchema(input, { io: "input" }),
    annotations: { readOnlyHint: true, openWorldHint: false }
  }))
})

const called = async (params: unknown, call: Call): Promise<Outcome> => {
  const wanted = callParams.safeParse(params)
  if (!wanted.success) return failed(INVALID_PARAMS, "a call has a name and arguments")
  const tool = tools.find(({ name }) => name === wanted.data.name)
  if (tool === undefined) return failed(INVALID_PARAMS, `there is no tool ${wanted.data.name}`)
  const given = tool.input.safeParse(wanted.data.arguments)
  if (!given.success)
    return failed(
      INVALID_PARAMS,
      given.error.issues.map(({ message, path }) => `${path.join(".") || tool.name}: ${message}`).join("; ")
    )
  const { failed: isError, text } = await call(tool, given.data)
  return { result: { content: [{ type: "text", text }], isError } }
}

const answerOf = (
  method: string,
  params: unknown,
  version: string,
  call: Call
): Outcome | Promise<Outcome> => {
  switch (method) {
    case "initialize": {
      const asked = z.object({ protocolVersion: z.string() }).safeParse(params)
      const known = VERSIONS.find((one) => one === asked.data?.protocolVersion)
      return {
        result: {
          protocolVersion: known ?? VERSIONS[0],
          capabilities: { tools: {} },
          serverInfo: { name: "holdfast", version },
          instructions
        }
      }
    }
    case "ping":
      return { result: {} }
    case "tools/list":
      return { result: listed() }
    case "tools/call":
      return called(params, call)
    default:
      return failed(METHOD_NOT_FOUND, `there is no method ${method}`)
  }
}

const one = async (given: unknown, version: string, call: Call): Promise<object | null> => {
  const found = message.safeParse(given)
  if (!found.success)
    return { jsonrpc: "2.0", id: null, ...failed(INVALID_REQUEST, "not a message of JSON-RPC 2.0") }
  const { id, method, params } = found.data
  // An answer: nothing was asked of the client. Without an id it is a notification.
  if (method === undefined || id === undefined) return null
  return { jsonrpc: "2.0", id, ...(await answerOf(method, params, version, call)) }
}

/** The answer to one line, null when it wants none. */
export const answerLine = async (line: string, version: string, call: Call): Promise<string | null> => {
  let given: unknown
  try {
    given = JSON.parse(line)
  } catch {
    return JSON.stringify({ jsonrpc: "2.0", id: null, ...failed(PARSE_ERROR, "not JSON") })
  }
  if (!Array.isArray(given)) {
    const answer = await one(given, version, call)
    return answer === null ? null : JSON.stringify(answer)
  }
  // Version 2025-03-26 has batches.
  const answers = await Promise.all(given.map((each) => one(each, version, call)))
  const wanted = answers.filter((answer) => answer !== null)
  return wanted.length === 0 ? null : JSON.stringify(wanted)
}
