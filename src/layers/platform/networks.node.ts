/**
 * Networks: lists of addresses and networks, as settings write them, and whether one of them has an address.
 *
 * Promises: IPv4 and IPv6, with or without a prefix length; an IPv4 address of a dual-stack socket is the IPv4 address.
 * Never: resolves a name.
 * Failure: what is no address is in no list.
 */
import { BlockList, isIP } from "node:net"
import type { Settings } from "../../domain/kernel/settings.ts"

/** The family of an address, and its prefix length, which null stands for the whole of; null: it is neither. */
const readNetwork = (
  text: string
): { readonly address: string; readonly family: "ipv4" | "ipv6"; readonly bits: number } | null => {
  const { address = "", bits } = /^(?<address>[^/]+)(?:\/(?<bits>\d{1,3}))?$/.exec(text)?.groups ?? {}
  const version = isIP(address)
  if (version === 0 || address.includes("%")) return null
  const most = version === 4 ? 32 : 128
  const length = bits === undefined ? most : Number(bits)
  return length > most ? null : { address, family: version === 4 ? "ipv4" : "ipv6", bits: length }
}

/** What is wrong with an entry of such a list, or null. */
export const networkProblem = (text: string): string | null =>
  readNetwork(text) === null
    ? "must be an address such as 203.0.113.7, or a network such as 10.0.0.0/8"
    : null

/** Whether an address is in one of the networks. Entries are right (`networkProblem`). */
export type Networks = (address: string) => boolean

export const networksOf = (entries: ReadonlyArray<string>): Networks => {
  const list = new BlockList()
  for (const entry of entries) {
    const network = readNetwork(entry)
    if (network !== null) list.addSubnet(network.address, network.bits, network.family)
  }
  return (address) => {
    const version = isIP(address)
    return version !== 0 && list.check(address, version === 4 ? "ipv4" : "ipv6")
  }
}

/** The trusted proxies; null: there are none. */
export const proxiesOf = ({ trustedProxies }: Settings): Networks | null =>
  trustedProxies.length === 0 ? null : networksOf(trustedProxies)
