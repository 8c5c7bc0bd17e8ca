/**
 * The lint rules about what a simulation must be able to inject: the database's time, and every id and random number; and about
 * the order of lists, which must not be the one in which a plan happened to find its rows.
 *
 * Why: one statement that asks PostgreSQL for the time, one id drawn past the port, or one list without an order, and two runs
 * with the same seed differ.
 *
 * Promises: texts are searched wherever they are, so SQL that is assembled from parts is seen; the places that may read the
 * real clock of the server are listed here, each with its reason, by their text and not by their file.
 * Never: looks at comments.
 */
import { nameOf, type Node, nodeAt, nodesAt, type RuleContext, type Visitor } from "./syntax.ts"

/** The migration that made `hf_now()` and `hf_clock()`; those up to it stay as they were applied. */
const CLOCK_MIGRATION = 13

/** What PostgreSQL derives from its own clock and randomness. */
const AMBIENT_SQL =
  /\b(?:now|clock_timestamp|transaction_timestamp|statement_timestamp|timeofday|gen_random_uuid|uuidv[47]|random|random_normal)\s*\(|\b(?:current_timestamp|current_date|current_time|localtimestamp|localtime)\b|'(?:now|today|tomorrow|yesterday)'(?=\s*::)/i

/** Statements that may run where the functions of migration 0013 are not: file, text, reason. */
const BEFORE_THE_SCHEMA: ReadonlyArray<readonly [file: string, text: string, reason: string]> = [
  [
    "src/layers/database/database-schema.pg.ts",
    "applied_at timestamptz NOT NULL DEFAULT now()",
    "the table of applied migrations is created before the first of them"
  ],
  [
    "src/layers/database/installation.pg.ts",
    "lease_until > clock_timestamp() AND owner <> ",
    "reset-practice works on databases of older versions, and migrates none"
  ]
]

/** The text of a piece of a template. */
const rawOf = ({ value }: Node): unknown =>
  typeof value === "object" && value !== null && "raw" in value ? value.raw : undefined

const pathOf = (context: RuleContext): string => context.filename.replaceAll("\\", "/")

const databaseClock = {
  create(context: RuleContext): Visitor {
    const path = pathOf(context)
    const migration = /(?:^|\/)migrations\/(\d{4})_[^/]+$/.exec(path)?.[1]
    if (migration !== undefined && Number(migration) <= CLOCK_MIGRATION) return {}
    const excepted = BEFORE_THE_SCHEMA.filter(([file]) => path.endsWith(`/${file}`) || path === file)
    const search = (node: Node, given: unknown): void => {
      if (typeof given !== "string") return
      const text = excepted.reduce((rest, [, exception]) => rest.replace(exception, ""), given)
      const found = AMBIENT_SQL.exec(text)?.[0]
      if (found === undefined) return
      context.report({
        node,
        message: `SQL with ${found.trim()}: time is hf_now() or hf_clock(), ids and randomness come from the process.`
      })
    }
    return {
      Literal: (node) => search(node, node["value"]),
      TemplateElement: (node) => search(node, rawOf(node))
    }
  }
}

/** SQL's lists: their order is that of the rows as the plan of the day found them, unless they say another. */
const LIST = /\b(?:jsonb?_agg|array_agg|string_agg)\s*\(/gi

/** What stands between an opening parenthesis that ended before `from` and its closing one. */
const withinParentheses = (text: string, from: number): string => {
  let depth = 1
  let at = from
  for (; at < text.length && depth > 0; at += 1) depth += { "(": 1, ")": -1 }[text.charAt(at)] ?? 0
  return text.slice(from, at)
}

const listOrder = {
  create(context: RuleContext): Visitor {
    return {
      TemplateLiteral(node) {
        // Parts that are filled in are nested templates, which are searched themselves.
        const text = nodesAt(node, "quasis").map(rawOf).join("?")
        for (const found of text.matchAll(LIST))
          if (!/\bORDER BY\b/.test(withinParentheses(text, found.index + found[0].length)))
            context.report({
              node,
              message: `SQL with ${found[0]}) without ORDER BY: the list would follow the plan, and facts and answers with it.`
            })
      }
    }
  }
}

/** What `node:crypto` draws. Its hashes are functions of what they are given. */
const DRAWN = new Set([
  "getRandomValues",
  "randomBytes",
  "randomFill",
  "randomFillSync",
  "randomInt",
  "randomUUID",
  "webcrypto"
])
const DRAWN_MEMBERS = new Set(["Math.random", "crypto.getRandomValues", "crypto.randomUUID"])

const entropy = {
  create(context: RuleContext): Visitor {
    const refuse = (node: Node, what: string) =>
      context.report({ node, message: `${what}: ids and randomness come from the port Entropy.` })
    // The runtime is a package of its own; the service of Effect is the port it has.
    const isRuntime = /(?:^|\/)src\/runtime\//.test(pathOf(context))
    const isDrawn = (source: string, name: string): boolean =>
      /^(?:node:)?crypto$/.test(source)
        ? DRAWN.has(name)
        : !isRuntime && (source === "effect" || source === "effect/Random") && name === "Random"
    return {
      ImportDeclaration(node) {
        const source = nameOf(nodeAt(node, "source")) ?? ""
        for (const specifier of nodesAt(node, "specifiers")) {
          const whole = specifier.type !== "ImportSpecifier"
          const name = whole ? "*" : (nameOf(nodeAt(specifier, "imported")) ?? "")
          const wholesale = /^(?:node:)?crypto$/.test(source) || source === "effect/Random"
          if (whole ? wholesale && !(isRuntime && source === "effect/Random") : isDrawn(source, name))
            refuse(specifier, `${name} of ${source}`)
        }
      },
      MemberExpression(node) {
        const member = `${nameOf(nodeAt(node, "object")) ?? "?"}.${nameOf(nodeAt(node, "property")) ?? "?"}`
        if (DRAWN_MEMBERS.has(member)) refuse(node, member)
      }
    }
  }
}

export const ambientRules = { "database-clock": databaseClock, entropy, "list-order": listOrder }
