/**
 * systemd notification over its datagram socket, by libc `sendto`.
 *
 * Node has no unix datagram sockets, and spawning `systemd-notify` per ping would be a process a few times a
 * minute whose pid systemd may refuse; so libc is called through koffi, loaded only when NOTIFY_SOCKET is set.
 *
 * Promises: non-blocking sends; path and abstract (`@name`) socket addresses.
 * Never: loads native code when no service manager asked for it.
 * Failure: a failed send or a missing native library is `false` and one warning, never an error: a service that
 * trades must not stop because nobody listens to its status.
 */
import { Effect, Layer } from "effect"
import { logEvent } from "../../runtime/log-event.ts"
import { OsNotify, type OsNotifyService } from "./os-notify.ts"

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

const silent: OsNotifyService = { send: () => Effect.succeed(false), watchdogMs: null, enabled: false }

const watchdogOf = (
  environment: Readonly<Record<string, string | undefined>>,
  pid: number
): number | null => {
  const usec = Number(environment["WATCHDOG_USEC"])
  const forPid = environment["WATCHDOG_PID"]
  // WATCHDOG_PID names the process that must ping; set for another one, it is not us.
  if (forPid !== undefined && forPid !== "" && Number(forPid) !== pid) return null
  return Number.isFinite(usec) && usec >= 1_000 ? usec / 1_000 : null
}

/** The notifier for this environment: systemd's when NOTIFY_SOCKET is set, else one that does nothing. */
export const osNotifyLayer = (
  environment: Readonly<Record<string, string | undefined>>,
  pid: number
): Layer.Layer<OsNotify> => {
  const name = environment["NOTIFY_SOCKET"]
  if (name === undefined || name === "") return Layer.succeed(OsNotify, silent)
  const address = socketAddress(name)
  if (address === null) return Layer.succeed(OsNotify, silent)
  let sender: Promise<Send | null> | null = null
  const send = (text: string): Effect.Effect<boolean> =>
    Effect.gen(function* () {
      const open = yield* Effect.promise(() => (sender ??= openSender(address).catch(() => null)))
      const sent = open !== null && open(text)
      if (!sent)
        yield* logEvent("warn", "os_notify.failed", "the service manager could not be notified", { text })
      return sent
    })
  return Layer.succeed(OsNotify, { send, watchdogMs: watchdogOf(environment, pid), enabled: true })
}
