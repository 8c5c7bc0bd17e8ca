/**
 * `npm run --silent mcp [-- --url U]`: a server of the Model Context Protocol over stdin and stdout, for people who debug with an assistant.
 *
 * The service and its token are those of the settings; `--url` and ADMIN_TOKEN name another.
 *
 * Promises: reads only (mcp-tools.ts); a service that cannot be asked is an answer, and the next call asks again; ends with status 0 when
 * its client closes stdin, 78 for a wrong argument or configuration.
 * Never: prints the token; writes anything but messages to stdout.
 */
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { exitStatus } from "../src/domain/platform/exit-status.ts"
import packageFile from "../package.json" with { type: "json" }
import { answerLine } from "./mcp-protocol.ts"
import { callTool } from "./mcp-tools.ts"
import { answerHelp, messageOf, serviceOf, stop } from "./service-client.ts"

const usage = "usage: npm run --silent mcp -- [--url U]"
answerHelp(usage)
/** Calls at once; a client that sends more waits, as its messages are not read. */
const CALLS_MAX = 8

const argumentsOf = (): { readonly url: string | undefined } => {
  try {
    const { values } = parseArgs({ options: { url: { type: "string" } } })
    return { url: values.url }
  } catch (error) {
    return stop(exitStatus.configuration, `${messageOf(error)}\n${usage}`)
  }
}

const service = serviceOf(argumentsOf().url)
const running = new Set<Promise<void>>()

const handle = async (line: string): Promise<void> => {
  const answer = await answerLine(line, packageFile.version, (tool, given) => callTool(service, tool, given))
  if (answer !== null) process.stdout.write(`${answer}\n`)
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  if (line.trim() === "") continue
  const call = handle(line).finally(() => running.delete(call))
  running.add(call)
  if (running.size >= CALLS_MAX) await Promise.race(running)
}
await Promise.all(running)
