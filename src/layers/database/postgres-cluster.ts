/**
 * PostgreSQL cluster: the directory the server keeps its files in, and where its socket goes.
 *
 * `initdb` is not atomic: killed half-way it leaves a directory that only looks like a cluster. So it works in
 * a sibling directory, which is renamed when it is complete; whatever else is found there is garbage of a killed start,
 * because the caller holds the lock on DATA_DIR.
 *
 * Promises: a cluster directory that exists is complete, of our major version and owned by the server's user.
 * Never: deletes or rewrites an existing cluster; upgrades a major version.
 * Failure: `ClusterUnusable` (needs an operator) or `ClusterInitFailed` (may be retried).
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { errorCodeOf } from "../platform/error-code.ts"
import { postgresLimits } from "./database-limits.ts"
import type { PostgresBinaries } from "./postgres-binaries.ts"
import type { ServerIdentity } from "./postgres-privileges.ts"
import { ClusterInitFailed, ClusterUnusable } from "./postgres-server.port.ts"
import { runCommand } from "../platform/subprocess.node.ts"

export const majorVersion = "18"
export const serverUser = "holdfast"
export const serverPort = 5432

/** First 12 hex digits of the directory's hash: short names for what cannot live under a long path. */
export const shortNameOf = (dataDir: string): string =>
  createHash("sha256").update(path.resolve(dataDir)).digest("hex").slice(0, 12)

/**
 * The directory of the socket: inside DATA_DIR, or a short one in the temporary directory when the path would not fit
 * into a socket address. Pure, so the target is known before anything is started.
 */
export const socketDirectoryOf = (dataDir: string): string => {
  const fits = (directory: string): boolean =>
    Buffer.byteLength(`${directory}/.s.PGSQL.${serverPort}`) <= postgresLimits.socketPathBytesMax
  const inside = path.join(path.resolve(dataDir), "run")
  if (fits(inside)) return inside
  const short = `holdfast-${shortNameOf(dataDir)}`
  const temporary = path.join(os.tmpdir(), short)
  return fits(temporary) ? temporary : path.join("/tmp", short)
}

const unusable = (directory: string, hint: string) => (cause: unknown) =>
  new ClusterUnusable({ path: directory, cause, hint })

const chownTree = async (directory: string, uid: number, gid: number): Promise<void> => {
  await fs.lchown(directory, uid, gid)
  for (const entry of await fs.readdir(directory, { withFileTypes: true })) {
    const name = path.join(directory, entry.name)
    if (entry.isDirectory()) await chownTree(name, uid, gid)
    else await fs.lchown(name, uid, gid)
  }
}

/** Gives the tree to the server's user when it is not the owner already. Only root can and needs to. */
const ensureOwner = async (directory: string, identity: ServerIdentity): Promise<void> => {
  const { uid, gid } = identity.owner
  const stat = await fs.stat(directory)
  if (stat.uid === uid) return
  if (process.getuid?.() !== 0) throw new Error(`is owned by uid ${stat.uid}, not by uid ${uid}`)
  await chownTree(directory, uid, gid)
}

const isMine = (found: { readonly uid: number }, identity: ServerIdentity): boolean => {
  const own = process.getuid?.() ?? identity.owner.uid
  return own === 0 || found.uid === own || found.uid === identity.owner.uid
}

/** The socket directory: ours, mode 0700, never another user's directory of the same name in /tmp. */
export const prepareSocketDirectory = (
  directory: string,
  identity: ServerIdentity
): Effect.Effect<void, ClusterUnusable> =>
  Effect.tryPromise({
    try: async () => {
      // A link is what linkSocketDirectory left when the cluster was kept elsewhere; a file is no directory of ours.
      const found = await fs.lstat(directory).catch(() => undefined)
      if (found !== undefined && !found.isDirectory() && isMine(found, identity)) await fs.unlink(directory)
      await fs.mkdir(directory, { recursive: true, mode: 0o700 })
      const stat = await fs.lstat(directory)
      if (!stat.isDirectory() || !isMine(stat, identity)) {
        throw new Error("exists and belongs to another user")
      }
      await fs.chmod(directory, 0o700)
      if (stat.uid !== identity.owner.uid) await fs.chown(directory, identity.owner.uid, identity.owner.gid)
    },
    catch: unusable(directory, "the directory of the server's socket must be creatable by this user")
  })

/** Keeps the target's path true when the socket lives elsewhere: the path becomes a link to the real directory. */
export const linkSocketDirectory = (link: string, directory: string): Effect.Effect<void, ClusterUnusable> =>
  Effect.tryPromise({
    try: async () => {
      await fs.rm(link, { recursive: true, force: true })
      await fs.symlink(directory, link)
    },
    catch: unusable(link, "DATA_DIR must be writable by this user")
  })

const isPresent = (cluster: string): Promise<boolean> =>
  fs.stat(path.join(cluster, "PG_VERSION")).then(
    () => true,
    () => false
  )

const removeGarbage = async (parent: string, prefix: string): Promise<void> => {
  for (const name of await fs.readdir(parent)) {
    if (name.startsWith(prefix)) await fs.rm(path.join(parent, name), { recursive: true, force: true })
  }
}

/** A directory of the cluster's name that contains anything but a cluster is not ours: never touched. */
const refuseForeign = async (cluster: string): Promise<void> => {
  const found = await fs.readdir(cluster).catch((cause) => {
    if (errorCodeOf(cause) === "ENOENT") return []
    throw cause
  })
  if (found.length > 0) throw new Error(`${cluster} exists, is not empty and is not a PostgreSQL cluster`)
}

/** Checks an existing cluster: our major version, the server's owner, mode 0700. */
const checkCluster = (cluster: string, identity: ServerIdentity): Effect.Effect<void, ClusterUnusable> =>
  Effect.gen(function* () {
    const version = yield* Effect.tryPromise({
      try: () => fs.readFile(path.join(cluster, "PG_VERSION"), "utf8"),
      catch: unusable(cluster, "the cluster must be readable by this user")
    })
    if (version.trim() !== majorVersion) {
      return yield* new ClusterUnusable({
        path: cluster,
        cause: new Error(`was created by PostgreSQL ${version.trim()}, the server here is ${majorVersion}`),
        hint: `dump it with PostgreSQL ${version.trim()} and restore it into a new DATA_DIR, or set DATABASE_URL`
      })
    }
    yield* Effect.tryPromise({
      try: async () => {
        await ensureOwner(cluster, identity)
        await fs.chmod(cluster, 0o700)
      },
      catch: unusable(cluster, "give the cluster directory to the user that runs holdfast")
    })
  })

/** Creates the cluster when it is missing, checks it when it is there. Returns true when it was created. */
export const ensureCluster = (
  cluster: string,
  binaries: PostgresBinaries,
  identity: ServerIdentity
): Effect.Effect<boolean, ClusterUnusable | ClusterInitFailed> =>
  Effect.gen(function* () {
    if (yield* Effect.promise(() => isPresent(cluster))) {
      yield* checkCluster(cluster, identity)
      return false
    }
    const parent = path.dirname(cluster)
    const prefix = `${path.basename(cluster)}.initdb-`
    const sibling = path.join(parent, `${prefix}${process.pid}`)
    yield* Effect.tryPromise({
      try: async () => {
        await removeGarbage(parent, prefix)
        await refuseForeign(cluster)
        await fs.mkdir(sibling, { mode: 0o700 })
        if (process.getuid?.() === 0) await fs.chown(sibling, identity.owner.uid, identity.owner.gid)
      },
      catch: unusable(
        cluster,
        "DATA_DIR must be writable by this user; a directory in the cluster's place must be moved away"
      )
    })
    const result = yield* runCommand(
      identity.wrap({
        file: binaries.initdb,
        args: [
          "-D",
          sibling,
          "-U",
          serverUser,
          "--auth=trust",
          "--encoding=UTF8",
          "--locale=C",
          "--data-checksums"
        ]
      }),
      postgresLimits.initdbMs
    )
    if (result.code !== 0) {
      yield* Effect.promise(() => fs.rm(sibling, { recursive: true, force: true }))
      return yield* new ClusterInitFailed({
        path: cluster,
        cause: new Error(
          result.startError ?? (result.timedOut ? "initdb did not finish in time" : result.output.trim())
        ),
        hint: "see the cause: free space, a readable project directory and a user with a passwd entry are needed"
      })
    }
    yield* Effect.tryPromise({
      // rename replaces an empty directory and refuses any other, which is exactly what may be replaced here.
      try: () => fs.rename(sibling, cluster),
      catch: unusable(
        cluster,
        "something appeared in the cluster's place while it was being created: move it away"
      )
    })
    return true
  })

/** The setting is a list: quotes keep commas and spaces of a path together, and a quote inside is written twice. */
export const socketSetting = (directory: string): string =>
  `unix_socket_directories="${directory.replaceAll('"', '""')}"`

/** Command line of the server. All settings are here, so nothing stale in a file of an older version applies. */
export const serverArguments = (cluster: string, socketDirectory: string): ReadonlyArray<string> => {
  const settings: Record<string, string | number> = {
    listen_addresses: "",
    unix_socket_permissions: "0700",
    port: serverPort,
    max_connections: postgresLimits.connectionsMax,
    shared_buffers: `${postgresLimits.sharedBuffersMb}MB`,
    max_wal_size: `${postgresLimits.walSizeMbMax}MB`,
    // Worker processes for reads cost memory and gain nothing on 16 MB of buffers.
    io_method: "sync",
    max_parallel_workers_per_gather: 0,
    jit: "off",
    // Not in /dev/shm: it is tiny in containers, and a killed server leaves its segments there until its next start.
    dynamic_shared_memory_type: "mmap",
    // What "0 rows lost" rests on, stated explicitly so that no configuration file can take it away.
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    timezone: "UTC",
    log_timezone: "UTC",
    lc_messages: "C",
    log_destination: "stderr",
    logging_collector: "off",
    log_checkpoints: "off",
    // Errors of statements reach the caller that caused them; the log is for the server's own problems.
    log_min_messages: "fatal",
    log_min_error_statement: "panic"
  }
  const given = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  return ["-D", cluster, ...[socketSetting(socketDirectory), ...given].flatMap((setting) => ["-c", setting])]
}
