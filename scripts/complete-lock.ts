/**
 * Completes package-lock.json after a dependency changed: every optional dependency gets its entry.
 *
 * Why: a registry mirror may lack a brand-new package built for a platform nobody there uses. `npm install`
 * accepts that (the package is optional), leaves the entry out, and from then on `npm ci` refuses the lock as out
 * of sync, on every machine. An entry with the exact version its parent pins and the platform its
 * name implies is what npm would have written, apart from the integrity hash that only the tarball has.
 *
 * Promises: works on the lock of the current directory; adds entries only, never changes one; the result is stable (a second run changes nothing);
 * with `--check` it writes nothing and exits 1 when an entry is missing.
 * Never: touches the network or node_modules.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"

interface LockEntry {
  readonly version?: string
  readonly dev?: boolean
  readonly engines?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}

interface LockFile {
  packages: Record<string, LockEntry>
}

const PLATFORM =
  /(?<os>android|darwin|freebsd|openbsd|linux|openharmony|win32|aix|netbsd|sunos)-(?<cpu>arm64|arm|x64|ia32|ppc64|s390x|riscv64|loong64|mips64el)(?:-(?<abi>\w+))?$/

/** The entry npm would have written for one platform package, without its integrity hash. */
const platformEntry = (name: string, version: string, dev: boolean): object => {
  const match = PLATFORM.exec(name)?.groups
  if (match === undefined)
    throw new Error(`cannot derive the platform of ${name}; add it to the pattern in this file`)
  const libc = match["abi"]?.startsWith("musl")
    ? ["musl"]
    : match["abi"]?.startsWith("gnu")
      ? ["glibc"]
      : undefined
  return {
    version,
    cpu: [match["cpu"]],
    ...(dev ? { dev: true } : {}),
    ...(libc === undefined || match["os"] !== "linux" ? {} : { libc }),
    optional: true,
    os: [match["os"]]
  }
}

/** The optional dependencies of `lock` that have no entry, as `[lock key, entry]`. */
export const missingEntries = (lock: LockFile): Array<[string, object]> => {
  const missing: Array<[string, object]> = []
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const nested = path === "" ? `node_modules/${name}` : `${path}/node_modules/${name}`
      const hoisted = `node_modules/${name}`
      if (lock.packages[nested] === undefined && lock.packages[hoisted] === undefined) {
        missing.push([hoisted, platformEntry(name, version, entry.dev === true)])
      }
    }
  }
  return missing
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } })
  const file = "package-lock.json"
  const lock = JSON.parse(readFileSync(file, "utf8")) as LockFile
  const missing = missingEntries(lock)
  if (values.check) {
    for (const [path] of missing)
      console.error(`package-lock.json has no entry for ${path}: run scripts/complete-lock.ts`)
    process.exitCode = missing.length === 0 ? 0 : 1
  } else if (missing.length > 0) {
    const all = [...Object.entries(lock.packages), ...missing].toSorted(([a], [b]) =>
      a < b ? -1 : a > b ? 1 : 0
    )
    lock.packages = Object.fromEntries(all) as LockFile["packages"]
    writeFileSync(file, JSON.stringify(lock, null, 2) + "\n")
    console.error(`added ${missing.length} entries`)
  }
}
