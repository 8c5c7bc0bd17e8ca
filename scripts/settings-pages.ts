/**
 * Settings pages: the configuration file as JSON Schema, for editors, and as a page to read.
 *
 * Both are made from src/wire/settings.ts; the conversion is zod's own.
 *
 * Promises: every setting there is has its line, with its default and what it means.
 * Never: reads or writes a file (see draw.ts).
 */
import { z } from "zod"
import { settingsFile, variables } from "../src/wire/settings.ts"
import { presets } from "../src/wire/settings-source.ts"

type JsonSchema = z.core.JSONSchema.JSONSchema

const schema: JsonSchema = z.toJSONSchema(settingsFile, { target: "draft-2020-12", io: "input" })

/** A part of the schema with its references resolved. */
const whole = (part: z.core.JSONSchema._JSONSchema): JsonSchema => {
  if (typeof part === "boolean") return {}
  const name = part.$ref?.replace("#/$defs/", "")
  const { $ref: _ref, ...own } = part
  return name === undefined ? part : { ...whole(schema.$defs?.[name] ?? {}), ...own }
}

/** The document of `GET /schemas/holdfast.json`, as text. */
export const settingsSchemaText = (): string =>
  `${JSON.stringify({ title: "holdfast.json", ...schema }, null, 1)}\n`

const named = new Map(Object.entries(variables).map(([variable, path]) => [path as string, variable]))

/** The allowed values, in a few words. */
const kindOf = (one: JsonSchema): string => {
  if (one.enum !== undefined) return one.enum.map(String).join(", ")
  if (one.const !== undefined) return String(one.const)
  if (one.anyOf !== undefined) return one.anyOf.map((part) => kindOf(whole(part))).join(" or ")
  if (one.type === "array") return `list of ${kindOf(whole(one.items as JsonSchema))}`
  if (one.type === "integer") {
    const { maximum = Number.MAX_SAFE_INTEGER, minimum = Number.MIN_SAFE_INTEGER } = one
    if (minimum === Number.MIN_SAFE_INTEGER) return "whole number"
    return maximum === Number.MAX_SAFE_INTEGER
      ? `whole number from ${minimum}`
      : `whole number from ${minimum} to ${maximum}`
  }
  const [first] = one.allOf ?? []
  const pattern = one.pattern ?? (first === undefined ? "" : (whole(first).pattern ?? ""))
  if (pattern.includes("0,17")) return "decimal text"
  return one.type === "string" ? "text" : String(one.type ?? "any")
}

const defaultOf = (one: JsonSchema, isRequired: boolean): string => {
  if (isRequired) return "required"
  return one.default === undefined ? "" : `\`${JSON.stringify(one.default)}\``
}

/** A line for each setting below `path`; `*` stands for a name that the operator chooses. */
const linesOf = (part: JsonSchema, path: string, isRequired: boolean): ReadonlyArray<string> => {
  const one = whole(part)
  const { description = "", properties } = one
  const values = one.additionalProperties === undefined ? {} : whole(one.additionalProperties)
  if (values.properties !== undefined)
    return [
      `| \`${path}\` | by name | ${defaultOf(one, isRequired)} | ${description} |`,
      ...linesOf(values, `${path}.*`, false)
    ]
  // A secret may be a text or one of two small objects, which are none of its settings.
  const branches = (one.anyOf ?? []).map(whole)
  const isNullable = branches.some(({ type }) => type === "null")
  const nullable = isNullable ? branches.find(({ properties }) => properties !== undefined) : undefined
  if (nullable !== undefined)
    return [
      `| \`${path}\` | object or null | ${defaultOf(one, isRequired)} | ${one.description ?? nullable.description ?? ""} |`,
      ...linesOf(nullable, path, false).slice(1)
    ]
  if (properties !== undefined) {
    const required = new Set(one.required)
    const inner = Object.entries(properties).flatMap(([key, value]) =>
      linesOf(whole(value), path === "" ? key : `${path}.${key}`, required.has(key))
    )
    return path === "" ? inner : [`| \`${path}\` | | | ${description} |`, ...inner]
  }
  const variable = named.get(path)
  const means = [...(variable === undefined ? [] : [`\`${variable}\`.`]), description].join(" ").trim()
  const kind = values.type === "string" ? "text by name" : kindOf(one)
  return [`| \`${path}\` | ${kind} | ${defaultOf(one, isRequired)} | ${means} |`]
}

/** docs/settings.md. */
export const settingsPage = (): string =>
  [
    "# The settings",
    "",
    "Generated from `src/wire/settings.ts` by `npm run draw`: every key of `holdfast.json`, with its default. A variable of the",
    "environment that is named in the last column overrides the file; an empty one counts as not set. Unknown keys are refused.",
    'An editor completes and checks the file with `"$schema": "http://127.0.0.1:5003/schemas/holdfast.json"`.',
    "",
    "| key | value | default | meaning |",
    "|--|--|--|--|",
    ...linesOf(schema, "", false),
    "",
    "## Presets of sources",
    "",
    "A preset is these keys, as a source would write them; a key that the source names replaces the preset's whole. `npm run check-config`",
    "and the page Sources of the console show what a source has in the end.",
    "",
    "| preset | keys |",
    "|--|--|",
    ...Object.entries(presets).map(([name, keys]) => `| \`${name}\` | \`${JSON.stringify(keys)}\` |`),
    ""
  ].join("\n")
