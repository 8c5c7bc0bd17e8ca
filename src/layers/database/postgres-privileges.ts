/**
 * PostgreSQL privileges: as whom the server runs.
 *
 * PostgreSQL refuses to run as root, containers and fresh machines default to root, and a project below /root (mode 0700) is
 * unreadable for any other user. So root becomes `postgres` or `nobody`; where that user cannot reach the files, a user
 * namespace of one process (`unshare --user`) makes our own uid look like nobody's while the kernel still checks
 * ours; where namespaces are forbidden the caller moves the files. Nothing is guessed from mode bits: each way is tried
 * with the real files.
 *
 * Promises: the chosen identity can enter the given directories and execute the server; no user is ever created.
 * Never: changes modes or owners; weakens a directory of the operator.
 * Failure: `PostgresUserUnusable` names the uid and what to do.
 */
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as Effect from "effect/Effect"
import { postgresLimits } from "./database-limits.ts"
import { PostgresUserUnusable } from "./postgres-server.port.ts"
import { type Command, runCommand } from "../platform/subprocess.node.ts"

export interface ServerIdentity {
  /** `self`: as we are. `user`: switched by root. `namespace`: our uid, seen as nobody inside. */
  readonly kind: "self" | "user" | "namespace"
  /** For people: "as nobody". */
  readonly label: string
  /** Owner the cluster's files must have, as the kernel outside sees it. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Turns a command into one that runs under this identity. */
  readonly wrap: (command: Command) => Command
}

interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Accounts of /etc/passwd. Directory services are not queried: system accounts are local. */
const localAccounts = async (): Promise<ReadonlyArray<Account>> => {
  const text = await fs.readFile("/etc/passwd", "utf8").catch(() => "")
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":")
    return name === undefined || uid === undefined || gid === undefined
      ? []
      : [{ name, uid: Number(uid), gid: Number(gid) }]
  })
}

const selfIdentity = (uid: number, gid: number): ServerIdentity => ({
  kind: "self",
  label: "as the service's own user",
  owner: { uid, gid },
  wrap: (command) => command
})

const userIdentity = (account: Account): ServerIdentity => ({
  kind: "user",
  label: `as ${account.name}`,
  owner: { uid: account.uid, gid: account.gid },
  wrap: (command) => ({ ...command, uid: account.uid, gid: account.gid })
})

const namespaceIdentity = (uid: number, gid: number): ServerIdentity => ({
  kind: "namespace",
  label: "as nobody in a user namespace",
  owner: { uid, gid },
  wrap: (command) => ({ ...command, file: "unshare", args: ["--user", "--", command.file, ...command.args] })
})

export interface Reach {
  /** Directories the server must be able to enter. */
  readonly enter: ReadonlyArray<string>
  /** A binary it must be able to execute. */
  readonly execute: string
}

/** True when this identity can enter every directory and run the binary. Tried, not computed. */
const canReach = (identity: ServerIdentity, reach: Reach): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const enter = 'for d in "$@"; do cd "$d" || exit 1; done'
    const entered = yield* runCommand(
      identity.wrap({ file: "/bin/sh", args: ["-c", enter, "sh", ...reach.enter] }),
      postgresLimits.commandMs
    )
    if (entered.code !== 0) return false
    const executed = yield* runCommand(
      identity.wrap({ file: reach.execute, args: ["--version"] }),
      postgresLimits.commandMs
    )
    return executed.code === 0
  })

/** The result of the choice: an identity, and whether the files must first be moved to where it can reach them. */
export interface IdentityChoice {
  readonly identity: ServerIdentity
  readonly reaches: boolean
}

export interface IdentityOptions {
  readonly reach: Reach
  /** False forbids user namespaces (tests of machines that forbid them). Default true. */
  readonly namespaces?: boolean
}

const overflowUid = 65_534

const hasPasswdEntry = (): boolean => {
  try {
    os.userInfo()
    return true
  } catch {
    return false
  }
}

const chooseForRoot = (options: IdentityOptions): Effect.Effect<IdentityChoice, PostgresUserUnusable> =>
  Effect.gen(function* () {
    const accounts = yield* Effect.promise(localAccounts)
    const candidates = ["postgres", "nobody"].flatMap((name) =>
      accounts.filter((account) => account.name === name)
    )
    const first = candidates[0]
    if (first === undefined) {
      return yield* new PostgresUserUnusable({
        uid: 0,
        cause: new Error("PostgreSQL does not run as root, and neither `postgres` nor `nobody` exists"),
        hint: "run holdfast as an ordinary user, or add a system user named postgres"
      })
    }
    for (const account of candidates) {
      const identity = userIdentity(account)
      if (yield* canReach(identity, options.reach)) return { identity, reaches: true }
    }
    const known = accounts.some((account) => account.uid === overflowUid)
    const namespace = namespaceIdentity(0, 0)
    if (known && options.namespaces !== false && (yield* canReach(namespace, options.reach))) {
      return { identity: namespace, reaches: true }
    }
    return { identity: userIdentity(first), reaches: false }
  })

const chooseForUser = (
  uid: number,
  gid: number,
  options: IdentityOptions
): Effect.Effect<IdentityChoice, PostgresUserUnusable> =>
  Effect.gen(function* () {
    if (hasPasswdEntry()) return { identity: selfIdentity(uid, gid), reaches: true }
    // initdb asks for the name of its user. Inside a namespace we look like nobody, who has one.
    const namespace = namespaceIdentity(uid, gid)
    const accounts = yield* Effect.promise(localAccounts)
    const known = accounts.some((account) => account.uid === overflowUid)
    if (known && options.namespaces !== false && (yield* canReach(namespace, options.reach))) {
      return { identity: namespace, reaches: true }
    }
    return yield* new PostgresUserUnusable({
      uid,
      cause: new Error(`uid ${uid} has no entry in the passwd database, which initdb needs`),
      hint: `add a passwd entry for uid ${uid}, run as a user that has one, or set DATABASE_URL`
    })
  })

/** The identity of the server. Root switches; every other user stays as is. */
export const chooseIdentity = (
  options: IdentityOptions
): Effect.Effect<IdentityChoice, PostgresUserUnusable> =>
  Effect.suspend(() => {
    const uid = process.getuid?.() ?? -1
    const gid = process.getgid?.() ?? -1
    return uid === 0 ? chooseForRoot(options) : chooseForUser(uid, gid, options)
  })
