/**
 * The rules about files as such: names, places, words, what must never be committed.
 *
 * Why: names and places are what a newcomer reads first, and no linter looks at them. The rules about code
 * are the linter's (.oxlintrc.json), the rules about imports are the cruiser's (.dependency-cruiser.mjs).
 *
 * Promises: `findings` names every offence with its file, reads each file once, and knows no git, so
 * that it works in an unpacked archive as well.
 * Never: changes a file.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import path from "node:path"
import { numbered } from "./migrations-list.ts"
import { REFUSED_WORDS } from "./refused-words.ts"

/** Words that name nothing: the content of such a file has a better name.
 * `data-dir` is the one exception: it is the thing that the setting DATA_DIR names. */
const BANNED_WORDS = new Set(
  "util utils helper helpers common misc manager managers data info temp tmp".split(" ")
)
/** What contains no source of ours: directories, and the file that replaces `.git` in a second work tree. */
const FOREIGN = new Set([
  "node_modules",
  ".git",
  "data",
  "dist",
  ".cache",
  ".setup-lock",
  ".sandbox",
  "results"
])
/** Fixtures break rules on purpose. */
const FIXTURES = "test/fixtures/guards/"
/** Names that tools or convention prescribe. */
const PRESCRIBED =
  /^(README|ARCHITECTURE|CONTRIBUTING|CHANGELOG|LICENSE|SECURITY|Dockerfile|Makefile)(\.\w+)*$/
const KEBAB = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/
const MIGRATION = /^\d{4}_/

/** Text that must not be in any file: what it is, and what it looks like. */
const BANNED_TEXT: ReadonlyArray<readonly [what: string, pattern: RegExp]> = [
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY/],
  ["an access token", /\b(?:gh[pousr]_\w{30,}|xox[abprs]-\w{10,}|AKIA[0-9A-Z]{16}|npm_\w{36})/],
  ["a bot token", /\b\d{8,10}:AA[\w-]{33}\b/],
  ["a path of one machine", /(?<![\w.:~/])\/(?:home|work|Users)\/\w/],
  ["the address of a package registry", /https?:\/\/[\w.-]*registry\./],
  ["a conflict marker", /^(?:<{7}|>{7}) /m],
  // Of two rows that race, the second may hit another unique key first, and then it is an error of the server.
  ["a key in ON CONFLICT DO NOTHING: name none", /ON CONFLICT \([^)]*\) DO NOTHING/]
]

/** Logs and documents are read in terminals; tests may need any character as input. */
const EMOJI: readonly [what: string, pattern: RegExp] = ["an emoji", /\p{Emoji_Presentation}/u]

const TEXT = /\.(ts|mjs|cjs|js|json|jsonc|md|yaml|yml|sh|sql|service|txt|toml)$|\/run$|^\.\w+$/

/** Every file of ours below `root`, as relative paths with forward slashes. */
export const projectFiles = (root: string): ReadonlyArray<string> => {
  const files: Array<string> = []
  const walk = (directory: string) => {
    for (const entry of readdirSync(path.join(root, directory), { withFileTypes: true })) {
      if (FOREIGN.has(entry.name)) continue
      const file = directory === "" ? entry.name : `${directory}/${entry.name}`
      if (entry.isDirectory()) walk(file)
      else if (entry.isFile()) files.push(file)
    }
  }
  walk("")
  return files.toSorted()
}

const nameFindings = (file: string): ReadonlyArray<string> => {
  const segments = file.split("/")
  const findings: Array<string> = []
  for (const segment of segments) {
    const words = segment
      .toLowerCase()
      .replace(/^data-dir\b/, "")
      .split(/[^a-z0-9]+/)
    const banned = words.find((word) => BANNED_WORDS.has(word))
    if (banned !== undefined) findings.push(`${file}: "${banned}" names nothing; name what is in it`)
  }
  const name = segments.at(-1) ?? ""
  if (
    !KEBAB.test(name) &&
    !PRESCRIBED.test(name) &&
    !(segments[0] === "migrations" && MIGRATION.test(name))
  ) {
    findings.push(`${file}: not kebab-case with roles after dots`)
  }
  return findings
}

const migrationFindings = (files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const folder = "migrations/"
  const names = files.filter((file) => file.startsWith(folder)).map((file) => file.slice(folder.length))
  try {
    numbered(names)
    return []
  } catch (error) {
    return [`${folder}${error instanceof Error ? error.message : String(error)}`]
  }
}

const textFindings = (root: string, file: string): ReadonlyArray<string> => {
  if (!TEXT.test(file) || file === "package-lock.json") return []
  const text = readFileSync(path.join(root, file), "utf8")
  const banned = file.startsWith("test/") ? BANNED_TEXT : [...BANNED_TEXT, EMOJI]
  return banned.flatMap(([what, pattern]) => {
    const match = pattern.exec(text)
    if (match === null) return []
    const line = text.slice(0, match.index).split("\n").length
    return [`${file}:${line}: ${what}`]
  })
}

/** The lock pins what is installed; an exact version in package.json pins what an update may change. */
const versionFindings = (root: string): ReadonlyArray<string> => {
  const description = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as Record<
    string,
    unknown
  >
  return ["dependencies", "devDependencies", "optionalDependencies"].flatMap((kind) =>
    Object.entries((description[kind] ?? {}) as Record<string, string>)
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => `package.json: ${name} is not pinned exactly (${version})`)
  )
}

/** A test about a file of src is at the same place below test/, so that one is found from the other. */
const mirrorFindings = (root: string, files: ReadonlyArray<string>): ReadonlyArray<string> =>
  files.flatMap((file) => {
    const folder = /^test\/((?:runtime|domain|machines|actors|layers)(?:\/.*)?)\/[^/]+\.test\.ts$/.exec(
      file
    )?.[1]
    return folder === undefined || existsSync(path.join(root, "src", folder))
      ? []
      : [`${file}: src/${folder} does not exist`]
  })

/** Where the ids are defined that tests, comments and documents cite. */
const CITED_IN = ["docs/requirements.md", "docs/truth-tables.md"]
const DEFINITION = /^(?:## (T\d+[a-z]?)\b|- ([A-Z]\d+) )/gm
/** One id or several, alone in brackets: `[T10]`, `(T5, K3)`. */
const CITATION = /[[(]([A-Z]\d{1,2}[a-z]?(?:(?:, | and |-)[A-Z]\d{1,2}[a-z]?)*)[\])]/g

/** A citation that cannot be looked up is worthless. */
const citationFindings = (root: string, files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const defined = new Set(
    CITED_IN.filter((file) => existsSync(path.join(root, file))).flatMap((file) =>
      [...readFileSync(path.join(root, file), "utf8").matchAll(DEFINITION)].map(
        ([, table, item]) => table ?? item
      )
    )
  )
  return files
    .filter((file) => /\.(ts|md)$/.test(file) && !CITED_IN.includes(file))
    .flatMap((file) =>
      [...readFileSync(path.join(root, file), "utf8").matchAll(CITATION)]
        .flatMap(([, ids = ""]) => ids.split(/, | and |-/))
        .filter((id) => !defined.has(id))
        .map((id) => `${file}: cites ${id}, which is in none of ${CITED_IN.join(", ")}`)
    )
}

/** A file of ours that a page names, from the root or from `src/`. */
const NAMED_FILE =
  /`((?:src|test|scripts|peers|migrations|domain|machines|layers|actors|runtime|wire)\/[\w./-]+\.(?:ts|cjs|mjs))`/g

/** A page that sends its reader to a file that moved is worse than one that names none. */
const pageFindings = (root: string, files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = new Set(files)
  return files
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) =>
      [...readFileSync(path.join(root, file), "utf8").matchAll(NAMED_FILE)]
        .map(([, named = ""]) => named)
        .filter((named) => !known.has(named) && !known.has(`src/${named}`))
        .map((named) => `${file}: names ${named}, which does not exist`)
    )
}

/** Where words are judged: not in applied migrations, and not in the pages that quote what others wrote. */
const isJudged = (file: string): boolean =>
  /\.(ts|mjs|cjs|md)$/.test(file) &&
  !/^(?:migrations\/|test\/fixtures\/)/.test(file) &&
  ![...CITED_IN, "scripts/refused-words.ts"].includes(file)

/** A sentence on which a reader stops costs more than the word is worth. */
const wordFindings = (root: string, file: string): ReadonlyArray<string> => {
  if (!isJudged(file)) return []
  return readFileSync(path.join(root, file), "utf8")
    .split("\n")
    .flatMap((line, index) =>
      REFUSED_WORDS.flatMap(([pattern, instead]) => {
        const found = pattern.exec(line)?.[0]
        return found === undefined ? [] : [`${file}:${index + 1}: "${found}": write ${instead}`]
      })
    )
}

/** Every offence of the project below `root`, one line each, empty when it is tidy. */
export const findings = (root: string): ReadonlyArray<string> => {
  const files = projectFiles(root).filter((file) => !file.startsWith(FIXTURES))
  return [
    ...files.flatMap(nameFindings),
    ...migrationFindings(files),
    ...versionFindings(root),
    ...mirrorFindings(root, files),
    ...citationFindings(root, files),
    ...pageFindings(root, files),
    ...files.flatMap((file) => textFindings(root, file)),
    ...files.flatMap((file) => wordFindings(root, file))
  ]
}

if (import.meta.main) {
  const found = findings(process.cwd())
  for (const finding of found) console.log(finding)
  process.exitCode = found.length === 0 ? 0 : 1
}
