/**
 * Our own lint rules that no published plugin has, loaded by oxlint (`jsPlugins`).
 *
 * Why: a rule that only a reviewer knows is advice. These need the syntax tree, so they live in the
 * linter, where an editor shows them too; rules about file names and the like are in scripts/tidy.ts.
 *
 * Promises: each rule has a fixture in test/fixtures/guards that must fail.
 * Never: looks at more than one file; needs types.
 */

import { ambientRules } from "./ambient.rules.ts"
import { nameOf, type Node, nodeAt, nodesAt, type RuleContext, type Visitor } from "./syntax.ts"

/** Shorter explains nothing, longer is documentation that belongs in docs/. A machine describes each state. */
const HEADER_LINES_MIN = 4
const HEADER_LINES_MAX = 22
const HEADER_LINES_MACHINE_MAX = 60

/** Labels a header must carry, by the place of the file. */
const headerLabels = (path: string): ReadonlyArray<string> => {
  if (!/(^|\/)(src|peers)\//.test(path)) return []
  if (path.endsWith(".machine.ts")) return ["Promises:", "Never:", "States:"]
  if (/\/layers\/([^/]+\/)?[^/]+\.(?!port\.)[^/]+\.ts$/.test(path)) return ["Promises:", "Never:", "Failure:"]
  return ["Promises:", "Never:"]
}

const fileHeader = {
  create(context: RuleContext): Visitor {
    return {
      Program(node) {
        const first = context.sourceCode.getAllComments()[0]
        const firstStatement = nodesAt(node, "body")[0]
        const header =
          first?.type === "Block" && first.value.startsWith("*") && first.loc.start.line === 1
            ? first
            : undefined
        if (header === undefined) {
          context.report({
            node: firstStatement ?? node,
            message: "The file must open with a header comment: what it is, why, Promises, Never."
          })
          return
        }
        const lines = header.loc.end.line - header.loc.start.line + 1
        const path = context.filename.replaceAll("\\", "/")
        const linesMax = path.endsWith(".machine.ts") ? HEADER_LINES_MACHINE_MAX : HEADER_LINES_MAX
        if (lines < HEADER_LINES_MIN || lines > linesMax) {
          context.report({
            node,
            message: `The header has ${lines} lines; ${HEADER_LINES_MIN} to ${linesMax} are right.`
          })
        }
        if (/Failure: none\b/.test(header.value))
          context.report({
            node,
            message: 'The header says "Failure: none": state what a caller gets instead.'
          })
        for (const label of headerLabels(path)) {
          if (!header.value.includes(label))
            context.report({ node, message: `The header lacks its "${label}" line.` })
        }
      }
    }
  }
}

/** Members that read a clock or a source of randomness: the ones that must not be called in pure code. */
const IMPURE_MEMBERS = new Set([
  "Date.now",
  "Math.random",
  "performance.now",
  "crypto.randomUUID",
  "crypto.getRandomValues",
  "process.hrtime"
])
/** Globals whose mere mention is I/O, a clock or ambient state. */
const IMPURE_GLOBALS = new Set([
  "console",
  "fetch",
  "navigator",
  "performance",
  "process",
  "queueMicrotask",
  "setImmediate",
  "setInterval",
  "setTimeout",
  "WebSocket"
])

const pure = {
  create(context: RuleContext): Visitor {
    const refuse = (node: Node, what: string) =>
      context.report({
        node,
        message: `${what}: domain and machine files take time, randomness and the world as input.`
      })
    return {
      NewExpression(node) {
        if (nameOf(nodeAt(node, "callee")) === "Date" && nodesAt(node, "arguments").length === 0)
          refuse(node, "new Date() reads the clock")
      },
      CallExpression(node) {
        if (nodeAt(node, "callee")?.type === "Identifier" && nameOf(nodeAt(node, "callee")) === "Date")
          refuse(node, "Date() reads the clock")
      },
      MemberExpression(node) {
        const member = `${nameOf(nodeAt(node, "object")) ?? "?"}.${nameOf(nodeAt(node, "property")) ?? "?"}`
        if (IMPURE_MEMBERS.has(member)) refuse(node, member)
        if (member.startsWith("globalThis.")) refuse(node, member)
      },
      Identifier(node) {
        const parent = nodeAt(node, "parent")
        const isMemberName =
          parent?.type === "MemberExpression" &&
          nodeAt(parent, "property") === node &&
          parent["computed"] !== true
        const isKey =
          parent?.type === "Property" && nodeAt(parent, "key") === node && parent["computed"] !== true
        const isTypeMember = parent?.type.startsWith("TS") === true
        const name = nameOf(node)
        if (name !== undefined && IMPURE_GLOBALS.has(name) && !isMemberName && !isKey && !isTypeMember)
          refuse(node, name)
      },
      ImportExpression(node) {
        refuse(node, "a dynamic import")
      }
    }
  }
}

/** The property of an object literal by its name. */
const property = (object: Node | undefined, name: string): Node | undefined =>
  object?.type === "ObjectExpression"
    ? nodesAt(object, "properties").find((member) => nameOf(nodeAt(member, "key")) === name)
    : undefined

const noRootWildcard = {
  create(context: RuleContext): Visitor {
    return {
      CallExpression(node) {
        const callee = nodeAt(node, "callee")
        const called = nameOf(callee?.type === "MemberExpression" ? nodeAt(callee, "property") : callee)
        if (called !== "createMachine") return
        const wildcard = property(nodeAt(property(nodesAt(node, "arguments")[0], "on"), "value"), "*")
        if (wildcard !== undefined) {
          context.report({
            node: wildcard,
            message: 'A "*" transition at the root of a machine silently swallows the errors of its children.'
          })
        }
      }
    }
  }
}

const noAsync = {
  create(context: RuleContext): Visitor {
    const check = (node: Node) => {
      if (node["async"] === true) {
        context.report({
          node,
          message: "A machine only decides; what waits is an effect of its actor, run through the bridge."
        })
      }
    }
    return {
      ArrowFunctionExpression: check,
      FunctionExpression: check,
      FunctionDeclaration: check,
      AwaitExpression: (node) => check({ ...node, async: true })
    }
  }
}

export default {
  meta: { name: "holdfast" },
  rules: {
    ...ambientRules,
    "file-header": fileHeader,
    "no-async": noAsync,
    "no-root-wildcard": noRootWildcard,
    pure
  }
}
