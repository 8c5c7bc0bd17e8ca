/**
 * Machine source: the file of a machine of the catalog.
 *
 * Promises: a path from the project's root, found by the machine's name in whatever room it is.
 * Never: reads the file.
 */
import { readdirSync } from "node:fs"

const files = readdirSync(new URL("../src/machines", import.meta.url), { recursive: true, encoding: "utf8" })

/** Path of the file that defines a machine; throws where no file has its name. */
export const machineSource = (name: string): string => {
  const file = files.find((one) => one.endsWith(`/${name}.machine.ts`))
  if (file === undefined) throw new Error(`no file below src/machines is called ${name}.machine.ts`)
  return `src/machines/${file}`
}
