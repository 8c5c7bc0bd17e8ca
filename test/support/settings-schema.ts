/**
 * The JSON Schema of the configuration file as a judge, as an editor has it.
 *
 * Promises: names where a file deviates from the schema.
 * Never: consults the loader.
 */
import { Ajv2020 } from "ajv/dist/2020.js"
import schema from "../../src/wire/holdfast.schema.json" with { type: "json" }

const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema)

/** What is wrong with a file. */
export const settingsProblems = (file: unknown): ReadonlyArray<string> =>
  validate(file)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ""}`)
