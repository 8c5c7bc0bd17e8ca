/**
 * migrations/list.ts, the module through which the service knows its migrations, made from the names of their files.
 *
 * Why a list instead of reading the directory at start: `npm run build` makes one file of the service, which has no
 * directory beside it. The order of migrations is their number; a gap, a duplicate or a stray name is a merge gone wrong.
 *
 * Promises: ids are 1, 2, 3 ... without a gap; throws with the file and what is wrong with its name.
 * Never: reads a migration.
 */
const pattern = /^(\d{4})_([a-z0-9]+(?:-[a-z0-9]+)*)\.ts$/

/** The file that is made; not a migration itself. */
export const listFile = "list.ts"

/** The migrations of a directory with these files, in order. Other files than `.ts` are not migrations. */
export const numbered = (
  files: ReadonlyArray<string>
): ReadonlyArray<{ readonly id: number; readonly name: string }> =>
  files
    .filter((file) => file.endsWith(".ts") && file !== listFile)
    .toSorted()
    .map((file, index) => {
      const match = pattern.exec(file)
      if (match === null)
        throw new Error(`${file}: migrations are NNNN_name.ts, numbered 0001, 0002, ... without a gap`)
      const id = Number(match[1])
      const next = index + 1
      if (id !== next)
        throw new Error(
          `${file} has number ${id} where ${next} is next: ${id < next ? "a duplicate" : "a gap"}`
        )
      return { id, name: file.slice(0, -".ts".length) }
    })

/** The text of the list. */
export const migrationsList = (files: ReadonlyArray<string>): string => {
  const migrations = numbered(files)
  const local = (id: number): string => `m${String(id).padStart(4, "0")}`
  return [
    "/**",
    " * Every migration in order; generated from the names of the files by `npm run draw`.",
    " *",
    " * Promises: numbered without a gap.",
    " * Never: edited by hand.",
    " */",
    ...migrations.map(({ id, name }) => `import ${local(id)} from "./${name}.ts"`),
    "",
    "export const migrations = [",
    migrations.map(({ id, name }) => `  { id: ${id}, name: "${name}", up: ${local(id)} }`).join(",\n"),
    "]",
    ""
  ].join("\n")
}
