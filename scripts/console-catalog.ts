/**
 * Console catalog: what the console has to know of the service and does not ask it for: the charts of its machines, and its
 * commands with the fields and the confirmation of each.
 *
 * Promises: made from the catalog, the list of commands and the endpoints, so a new machine or command appears in the console
 * by itself.
 * Never: holds anything of a running service.
 */
import { z } from "zod"
import { COMMAND_NAMES, COMMANDS } from "../src/domain/control/commands.ts"
import { catalog } from "../src/machines/catalog.ts"
import { chartOf } from "../src/machines/chart.ts"
import { commandEndpoints } from "../src/wire/commands.ts"
import type { Endpoint } from "../src/wire/endpoint.ts"
import type { CommandForm } from "../web/lib/command-form.ts"
import type { MachineChart } from "../web/lib/machine-chart.ts"
import { layoutOf } from "./chart-layout.ts"
import { machineSource } from "./machine-source.ts"

/** All charts, drawn. */
export const machineCharts = (): Promise<ReadonlyArray<MachineChart>> =>
  Promise.all(catalog.map(({ machine, name }) => layoutOf(name, machineSource(name), chartOf(machine))))

interface Schema {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: ReadonlyArray<string>
  readonly enum?: ReadonlyArray<string>
  readonly const?: string
  readonly type?: string
  readonly description?: string
}

/** A schema that has a name stands under it. */
const resolved = (schema: Schema, root: Schema): Schema =>
  schema.$ref === undefined ? schema : (root.$defs?.[schema.$ref.split("/").at(-1) ?? ""] ?? schema)

/** All commands, with what a person fills in. `{target}` in a confirmation stands for the target. */
export const commandForms = (): ReadonlyArray<CommandForm> =>
  COMMAND_NAMES.map((name) => {
    const found: Endpoint = commandEndpoints[name]
    const root: Schema =
      found.body === undefined
        ? {}
        : (z.toJSONSchema(found.body, {
            target: "draft-2020-12",
            io: "input",
            unrepresentable: "any"
          }) as Schema)
    const schema = resolved(root, root)
    return {
      name,
      target: COMMANDS[name].target,
      confirmation: COMMANDS[name].confirmation("{target}"),
      path: found.path,
      summary: found.summary,
      fields: Object.entries(schema.properties ?? {}).map(([field, given]) => {
        const property = resolved(given, root)
        return {
          name: field,
          required: schema.required?.includes(field) === true,
          choices: property.enum ?? (property.const === undefined ? null : [property.const]),
          type: property.type ?? "string",
          description: property.description ?? ""
        }
      })
    }
  })
