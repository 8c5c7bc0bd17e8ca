/**
 * Loopback only: refuses every connection, datagram and name look-up that leaves this machine.
 *
 * Why: a test that reaches a real venue, bot or registry is a test that fails on a train, and one that can
 * trade. Plain JavaScript, because it is also loaded by `--import` into every Node a test starts, npm's own
 * old one included.
 *
 * Promises: the refused call throws `LoopbackOnly` with the target; it is also written to stderr and to the
 * file named by LOOPBACK_ONLY_REPORT, so that a caller who swallows the error still fails the test.
 * Never: touches unix sockets, 127.0.0.0/8, ::1 or the name `localhost`.
 */
import dgram from "node:dgram"
import dns from "node:dns"
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import net from "node:net"

const isLoopback = (host) =>
  host === undefined ||
  host === null ||
  host === "" ||
  host === "localhost" ||
  /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host) ||
  /^\[?(?:::1|::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3})\]?$/i.test(host)

const refuse = (what) => {
  const error = new Error(`LoopbackOnly: a test tried ${what}`)
  error.name = "LoopbackOnly"
  error.code = "ELOOPBACKONLY"
  process.stderr.write(`${error.message}\n`)
  const report = process.env.LOOPBACK_ONLY_REPORT
  if (report !== undefined) fs.appendFileSync(report, `${error.message}\n`)
  return error
}

const installed = Symbol.for("holdfast.loopback-only")

if (globalThis[installed] !== true) {
  globalThis[installed] = true

  const connect = net.Socket.prototype.connect
  net.Socket.prototype.connect = function (...given) {
    // Inside Node the arguments arrive already normalised, as one array.
    const [first, second] = Array.isArray(given[0]) ? given[0] : given
    const target = typeof first === "object" && first !== null ? first : { port: first, host: second }
    const isPath =
      typeof target.path === "string" || (typeof first === "string" && Number.isNaN(Number(first)))
    const host = typeof target.host === "string" ? target.host : undefined
    if (!isPath && !isLoopback(host)) throw refuse(`to connect to ${host}:${target.port}`)
    return connect.apply(this, given)
  }

  const send = dgram.Socket.prototype.send
  dgram.Socket.prototype.send = function (...given) {
    // send(msg, [offset, length,] port, address, callback): the address is the only string after the message.
    const address = given.slice(1).find((argument) => typeof argument === "string")
    if (!isLoopback(address)) throw refuse(`to send a datagram to ${address}`)
    return send.apply(this, given)
  }
  const connectDatagram = dgram.Socket.prototype.connect
  dgram.Socket.prototype.connect = function (port, address, ...rest) {
    if (!isLoopback(typeof address === "string" ? address : undefined))
      throw refuse(`to connect a datagram socket to ${address}`)
    return connectDatagram.call(this, port, address, ...rest)
  }

  const guardLookups = (library) => {
    for (const name of Object.keys(library)) {
      if (name !== "lookup" && name !== "lookupService" && name !== "reverse" && !name.startsWith("resolve"))
        continue
      const original = library[name]
      library[name] = function (target, ...rest) {
        if (!isLoopback(target)) throw refuse(`to look up ${target}`)
        return original.call(this, target, ...rest)
      }
    }
  }
  guardLookups(dns)
  guardLookups(dns.promises)
  guardLookups(dns.Resolver.prototype)
  guardLookups(dns.promises.Resolver.prototype)
  syncBuiltinESMExports()
}
