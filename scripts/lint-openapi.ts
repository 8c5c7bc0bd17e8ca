/**
 * Lints the OpenAPI document with Redocly's recommended rules, as `redocly lint` does.
 *
 * The library and not the command: the command brings a preview server and a hundred packages for the same verdict.
 *
 * Promises: exit 0 when there is neither an error nor a warning, 1 with each of them.
 * Never: changes the document.
 */
import path from "node:path"
import { createConfig, lint } from "@redocly/openapi-core"

const root = process.argv[2] ?? path.dirname(import.meta.dirname)
const config = await createConfig({ extends: ["recommended"] })
const problems = await lint({ ref: path.join(root, "src/wire/openapi.json"), config })
for (const { location, message, ruleId, severity } of problems)
  console.error(`src/wire/openapi.json${location[0]?.pointer ?? ""}: ${severity}: ${message} (${ruleId})`)
process.exitCode = problems.length === 0 ? 0 : 1
