/**
 * A command as a form: what the console asks before it gives one.
 *
 * Promises: the shape of commands.json, which the build makes from the service's own list.
 * Never: knows a particular command.
 */
export interface CommandField {
  readonly name: string
  readonly required: boolean
  /** The words it may be; null for free text. */
  readonly choices: ReadonlyArray<string> | null
  readonly type: string
  readonly description: string
}

export interface CommandForm {
  readonly name: string
  readonly target: string
  /** What is asked; `{target}` stands for the target. */
  readonly confirmation: string
  /** With the parameter of its target, if it has one: `/api/v1/orders/:id/cancel`. */
  readonly path: string
  readonly summary: string
  readonly fields: ReadonlyArray<CommandField>
}

/** Where a command is posted for a target. */
export const addressOf = ({ path }: CommandForm, target: string): string =>
  path.replace(/:[a-z]+/, encodeURIComponent(target))

/** What is asked before a command is given. */
export const questionOf = ({ confirmation }: CommandForm, target: string): string =>
  confirmation.replaceAll("{target}", target)

/** The body of a command from what was filled in: empty fields are left out. */
export const bodyOf = (
  { fields }: CommandForm,
  given: Readonly<Record<string, string>>
): Record<string, unknown> => {
  const body: Record<string, unknown> = {}
  for (const { name, type } of fields) {
    const value = given[name]?.trim() ?? ""
    if (value === "") continue
    if (type === "object") body[name] = JSON.parse(value) as unknown
    else if (type === "integer" || type === "number") body[name] = Number(value)
    else body[name] = value
  }
  return body
}
