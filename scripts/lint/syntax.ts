/**
 * The syntax tree as our lint rules see it: nodes by the names of their parts, and what a rule is given.
 *
 * Promises: a missing part is undefined or an empty list.
 * Never: knows a rule.
 */

export interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

interface Comment {
  readonly type: string
  readonly value: string
  readonly loc: { readonly start: { readonly line: number }; readonly end: { readonly line: number } }
}

export interface RuleContext {
  readonly filename: string
  readonly sourceCode: { readonly getAllComments: () => ReadonlyArray<Comment> }
  readonly report: (finding: { readonly node: Node; readonly message: string }) => void
}

export type Visitor = Record<string, (node: Node) => void>

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

export const nodeAt = (node: Node | undefined, key: string): Node | undefined => {
  const value = node?.[key]
  return isNode(value) ? value : undefined
}

export const nodesAt = (node: Node | undefined, key: string): ReadonlyArray<Node> => {
  const value = node?.[key]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** The name of an identifier or the text of a string literal. */
export const nameOf = (node: Node | undefined): string | undefined => {
  const text = node?.type === "Identifier" ? node["name"] : node?.["value"]
  return typeof text === "string" ? text : undefined
}
