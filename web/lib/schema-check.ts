/**
 * The JSON Schema of the settings in the browser: what is wrong with a value, and what may stand at a place.
 *
 * Promises: pure; what it finds wrong, any validator of the keywords that the schema uses finds wrong, with a path and a reason; the service
 * judges what no schema can say, such as names that refer to nothing.
 * Never: knows a particular setting.
 */
export interface Schema {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
  readonly type?: string | ReadonlyArray<string>
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: ReadonlyArray<unknown>
  readonly anyOf?: ReadonlyArray<Schema>
  readonly allOf?: ReadonlyArray<Schema>
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly propertyNames?: Schema
  readonly required?: ReadonlyArray<string>
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
}

export interface Problem {
  /** Names and places joined with dots; empty: the whole. */
  readonly path: string
  readonly message: string
}

type Fields = Readonly<Record<string, unknown>>
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const resolved = (root: Schema, schema: Schema): Schema => {
  const name = /^#\/\$defs\/(.+)$/.exec(schema.$ref ?? "")?.[1]
  const found = name === undefined ? undefined : root.$defs?.[name]
  return found === undefined ? schema : resolved(root, { ...found, ...schemaBeside(schema) })
}

/** What stands next to a reference holds as well; what only describes is the reference's own. */
const schemaBeside = (schema: Schema): Schema =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => name !== "$ref"))

const typeOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value

const isOfType = (value: unknown, type: string): boolean =>
  type === "integer" ? Number.isInteger(value) : typeOf(value) === type

const at = (path: string, name: string | number): string => (path === "" ? String(name) : `${path}.${name}`)

const wordOf: Readonly<Record<string, string>> = {
  object: "an object",
  array: "a list",
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  null: "null"
}

const boundsOf = (schema: Schema, value: unknown): ReadonlyArray<string> => {
  const { maxItems, maxLength, maximum, minItems, minLength, minimum, pattern } = schema
  if (typeof value === "number")
    return [
      ...(minimum !== undefined && value < minimum ? [`must be at least ${minimum}`] : []),
      ...(maximum !== undefined && value > maximum ? [`must be at most ${maximum}`] : [])
    ]
  if (typeof value === "string") {
    // As the keyword counts: characters, not the halves that some are made of.
    const { length } = Array.from(value)
    return [
      ...(minLength !== undefined && length < minLength
        ? [`must have at least ${minLength} characters`]
        : []),
      ...(maxLength !== undefined && length > maxLength ? [`must have at most ${maxLength} characters`] : []),
      ...(pattern !== undefined && !new RegExp(pattern, "u").test(value) ? [`must match ${pattern}`] : [])
    ]
  }
  if (!Array.isArray(value)) return []
  return [
    ...(minItems !== undefined && value.length < minItems ? [`must have at least ${minItems} entries`] : []),
    ...(maxItems !== undefined && value.length > maxItems ? [`must have at most ${maxItems} entries`] : [])
  ]
}

const inFields = (root: Schema, schema: Schema, value: Fields, path: string): ReadonlyArray<Problem> => {
  const { additionalProperties, properties = {}, propertyNames, required = [] } = schema
  const missing = required.filter((name) => !Object.hasOwn(value, name))
  const known = Object.keys(properties)
  return [
    ...missing.map((name) => ({ path: at(path, name), message: "is required" })),
    ...Object.entries(value).flatMap(([name, inner]) => {
      const own = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (own !== undefined) return check(root, own, inner, at(path, name))
      if (additionalProperties === false)
        return [{ path: at(path, name), message: `is no key here; there are ${known.join(", ")}` }]
      const named = propertyNames === undefined ? [] : check(root, propertyNames, name, at(path, name))
      return typeof additionalProperties === "object"
        ? [...named, ...check(root, additionalProperties, inner, at(path, name))]
        : named
    })
  ]
}

/** Of several forms the problems of the one that is nearest: of the right type, with the fewest. */
const inForms = (
  root: Schema,
  forms: ReadonlyArray<Schema>,
  value: unknown,
  path: string
): ReadonlyArray<Problem> => {
  const found = forms.map((form) => check(root, form, value, path))
  if (found.some(({ length }) => length === 0)) return []
  const near = forms
    .flatMap((form, index) => {
      const { type } = resolved(root, form)
      return type !== undefined && [type].flat().some((one) => isOfType(value, one))
        ? [found[index] ?? []]
        : []
    })
    .toSorted((a, b) => a.length - b.length)[0]
  return near ?? [{ path, message: [...new Set(found.map(([first]) => first?.message ?? ""))].join(", or ") }]
}

const check = (root: Schema, given: Schema, value: unknown, path: string): ReadonlyArray<Problem> => {
  const schema = resolved(root, given)
  const { allOf = [], anyOf, enum: words, items, type } = schema
  const types = type === undefined ? [] : [type].flat()
  if (types.length > 0 && !types.some((one) => isOfType(value, one)))
    return [{ path, message: `must be ${types.map((one) => wordOf[one] ?? one).join(" or ")}` }]
  if (words !== undefined && !words.includes(value))
    return [{ path, message: `must be one of ${words.map((word) => JSON.stringify(word)).join(", ")}` }]
  if (schema.const !== undefined && schema.const !== value)
    return [{ path, message: `must be ${JSON.stringify(schema.const)}` }]
  return [
    ...boundsOf(schema, value).map((message) => ({ path, message })),
    ...allOf.flatMap((one) => check(root, one, value, path)),
    ...(anyOf === undefined ? [] : inForms(root, anyOf, value, path)),
    ...(isFields(value) ? inFields(root, schema, value, path) : []),
    ...(Array.isArray(value) && items !== undefined
      ? value.flatMap((inner, index) => check(root, items, inner, at(path, index)))
      : [])
  ]
}

/** What is wrong with a value, by the schema. */
export const problemsBy = (root: Schema, value: unknown): ReadonlyArray<Problem> =>
  check(root, root, value, "")

/** All forms that a value at a place may have. */
const formsOf = (root: Schema, given: Schema): ReadonlyArray<Schema> => {
  const schema = resolved(root, given)
  return [schema, ...[...(schema.anyOf ?? []), ...(schema.allOf ?? [])].flatMap((one) => formsOf(root, one))]
}

const formsAt = (root: Schema, path: ReadonlyArray<string>): ReadonlyArray<Schema> =>
  path.reduce<ReadonlyArray<Schema>>(
    (forms, name) =>
      forms.flatMap(({ additionalProperties, items, properties = {} }) => [
        ...(Object.hasOwn(properties, name) ? formsOf(root, properties[name] ?? {}) : []),
        ...(typeof additionalProperties === "object" && !Object.hasOwn(properties, name)
          ? formsOf(root, additionalProperties)
          : []),
        ...(items === undefined ? [] : formsOf(root, items))
      ]),
    formsOf(root, root)
  )

export interface Option {
  /** As JSON. */
  readonly text: string
  readonly about: string
}

/** Names that an object at a place may have. */
export const namesAt = (root: Schema, path: ReadonlyArray<string>): ReadonlyArray<Option> => {
  const options = new Map<string, string>()
  for (const { properties = {} } of formsAt(root, path))
    for (const [name, schema] of Object.entries(properties))
      options.set(JSON.stringify(name), resolved(root, schema).description ?? "")
  return [...options].map(([text, about]) => ({ text, about }))
}

/** Values that may stand at a place, where they can be listed. */
export const valuesAt = (root: Schema, path: ReadonlyArray<string>): ReadonlyArray<Option> => {
  const options = new Map<string, string>()
  for (const form of formsAt(root, path)) {
    const { description = "", enum: words = [], type } = form
    const types = type === undefined ? [] : [type].flat()
    const all = [
      ...words,
      ...(form.const === undefined ? [] : [form.const]),
      ...(types.includes("boolean") ? [true, false] : []),
      ...(types.includes("null") ? [null] : [])
    ]
    for (const value of all)
      options.set(JSON.stringify(value), options.get(JSON.stringify(value)) ?? description)
    if (form.default !== undefined && !options.has(JSON.stringify(form.default)))
      options.set(JSON.stringify(form.default), "the default")
  }
  return [...options].map(([text, about]) => ({ text, about }))
}
