/**
 * systemd notification over its datagram socket, by libc `sendto`.
 *
 * Node has no unix datagram sockets, and spawning `systemd-notify` per ping would be a process a few times a
 * minute whose pid systemd may refuse; so libc is called through koffi, loaded only when NOTIFY_SOCKET is set.
 *
 * Promises: non-blocking sends; path and abstract (`@name`) socket addresses; works even when npm or a shell is
 * between the service manager and us, with a log line about the setting this needs.
 * Never: loads native code when no service manager asked for it.
 * Failure: a failed send or a missing native library is `false` and one warning, never an error: a service that
 * trades must not stop because nobody reads its status.
 */
import { Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { processLimits } from "../../domain/kernel/limits.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { OsNotify, type OsNotifyService } from "./os-notify.port.ts"

// From Linux's headers, the only system with this socket: <sys/socket.h>.
const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
/** `sun_path` of `struct sockaddr_un`. */
const pathBytesMax = 108

/** The bytes of a `struct sockaddr_un` for a NOTIFY_SOCKET value, or null when it cannot be one. */
export const socketAddress = (name: string): Buffer | null => {
  const path = Buffer.from(name, "utf8")
  if (path.length < 2 || path.length > pathBytesMax) return null
  // An abstract name starts with a zero byte and has no terminator; a path has one, but its length may leave it out.
  if (name.startsWith("@")) path[0] = 0
  else if (!name.startsWith("/")) return null
  const family = Buffer.alloc(2)
  family.writeUInt16LE(AF_UNIX)
  return Buffer.concat([family, path])
}

type Send = (text: string) => boolean

const openSender = async (address: Buffer): Promise<Send> => {
  const { default: koffi } = await import("koffi")
  // The running program itself: node links libc, whichever one this system has.
  const libc = koffi.load(null)
  const socket = libc.func("int socket(int domain, int type, int protocol)")
  const sendto = libc.func(
    "intptr_t sendto(int fd, const void* buffer, size_t length, int flags, const void* address, uint32_t addressLength)"
  )
  const fd: unknown = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (typeof fd !== "number" || fd < 0) throw new Error("socket() failed")
  return (text) => {
    const payload = Buffer.from(text, "utf8")
    const sent: unknown = sendto(
      fd,
      payload,
      payload.length,
      MSG_DONTWAIT | MSG_NOSIGNAL,
      address,
      address.length
    )
    return Number(sent) === payload.length
  }
}

type Environment = Readonly<Record<string, string | undefined>>

const silent = (notices: ReadonlyArray<string>): OsNotifyService => ({
  send: () => Effect.succeed(false),
  watchdogMs: null,
  enabled: false,
  notices
})

/** The parent of a process, from `pid (name) state ppid`; the name may hold blanks and brackets. */
const parentOf = (pid: number): number | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const parent = Number(
      stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ")
        .at(1)
    )
    return Number.isInteger(parent) && parent > 0 ? parent : null
  } catch {
    return null
  }
}

/** The processes above one, the nearest first. */
export const ancestorsOf = (pid: number): ReadonlyArray<number> => {
  const above: Array<number> = []
  for (let at = parentOf(pid); at !== null && above.length < processLimits.ancestorsMax; at = parentOf(at))
    above.push(at)
  return above
}

const pidIn = (text: string | undefined): number | null =>
  text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null

/** The process a service manager watches, if it is named: WATCHDOG_PID, else SYSTEMD_EXEC_PID. */
const watchedPid = (environment: Environment): number | null =>
  pidIn(environment["WATCHDOG_PID"]) ?? pidIn(environment["SYSTEMD_EXEC_PID"])

const behind = (name: string): string =>
  `the service manager watches ${name}, not this process: READY, STOPPING and watchdog pings reach it only with NotifyAccess=all in the unit`

/**
 * The watchdog's interval, and the notices to log. WATCHDOG_PID names the process that must ping; under `npm start` that
 * is npm or its shell, which will not, so its descendant does. If it names an unrelated process, it is not our watchdog.
 */
const watchdogOf = (environment: Environment, pid: number, above: ReadonlyArray<number>) => {
  const usec = Number(environment["WATCHDOG_USEC"])
  const everyMs = Number.isFinite(usec) && usec >= 1_000 ? usec / 1_000 : null
  const watched = watchedPid(environment)
  if (watched === pid) return { watchdogMs: everyMs, notices: [] }
  if (watched === null) {
    const npm = environment["npm_lifecycle_event"] !== undefined && environment["npm_lifecycle_event"] !== ""
    return { watchdogMs: everyMs, notices: npm ? [behind("npm")] : [] }
  }
  if (above.includes(watched)) return { watchdogMs: everyMs, notices: [behind(`process ${watched}`)] }
  // Only WATCHDOG_PID names who must ping; a stale SYSTEMD_EXEC_PID, inherited from a shell, is not about us.
  if (pidIn(environment["WATCHDOG_PID"]) === null) return { watchdogMs: everyMs, notices: [] }
  return {
    watchdogMs: null,
    notices:
      everyMs === null
        ? []
        : [
            `WATCHDOG_PID names ${watched}, which is neither this process nor one above it: its watchdog is not pinged`
          ]
  }
}

/** The notifier for this environment: systemd's when NOTIFY_SOCKET is set, else one that does nothing. */
export const osNotifyLayer = (
  environment: Environment,
  pid: number,
  above: ReadonlyArray<number> = environment["NOTIFY_SOCKET"] === undefined ? [] : ancestorsOf(pid)
): Layer.Layer<OsNotify> => {
  const name = environment["NOTIFY_SOCKET"]
  if (name === undefined || name === "") return Layer.succeed(OsNotify, silent([]))
  const address = socketAddress(name)
  if (address === null) {
    const notice = "NOTIFY_SOCKET is neither an absolute path nor an abstract name: nobody is notified"
    return Layer.succeed(OsNotify, silent([notice]))
  }
  let sender: Promise<Send | null> | null = null
  const send = (text: string): Effect.Effect<boolean> =>
    Effect.gen(function* () {
      const open = yield* Effect.promise(() => (sender ??= openSender(address).catch(() => null)))
      const sent = open !== null && open(text)
      if (!sent)
        yield* logEvent("warn", "os_notify.failed", "the service manager could not be notified", { text })
      return sent
    })
  return Layer.succeed(OsNotify, { send, ...watchdogOf(environment, pid, above), enabled: true })
}
