/**
 * Node lives: which process acts for a node, and when a life of a node has ended.
 *
 * A node is a DATA_DIR, a life is one process on it. A directory can be copied, and then two living processes use the
 * same node id; a lease that named the node alone would belong to both, and each would take it from the other as "my own
 * former life". So every lease, wave and claim names the life, and a life has ended for one of two reasons only: the lease
 * of its node expired, or the host it ran on proves that its process is gone.
 *
 * Promises: a proof needs the same host, the same boot of it and the same process namespace; anything less proves nothing,
 * and the lease is waited out. The token of a claim identifies its node and its life to whoever knows both.
 * Never: takes a process id alone for a process; ids are reused.
 */

/** What distinguishes a process from every other one until its host is rebooted. */
export interface ProcessMark {
  /** The boot of the host and the namespace of process ids; null where the host cannot name them. */
  readonly host: string | null
  readonly pid: number
  /** When the process started, in the host's own count; distinguishes it from the next process with its id. */
  readonly startedAt: string
}

/** What this host shows under a process id: the start of the process that has it, null when none does. */
export type ProcessSeen = { readonly startedAt: string } | null

/** The name of a life: the owner in every lease. */
export const lifeName = (nodeId: string, bootId: string): string => `${nodeId}/${bootId}`

/**
 * True when the process of `former` is certainly gone. `seen` is what this host shows under its id.
 *
 * A process of another host, of another boot or of another container may live where we cannot look.
 */
export const isProvenDead = (former: ProcessMark, here: ProcessMark, seen: ProcessSeen): boolean =>
  former.host !== null && former.host === here.host && seen?.startedAt !== former.startedAt

/** Hex digits of a claim's token that identify its node and its life. */
export const claimDigits = { node: 8, life: 12 } as const

/** `token` of 32 hex digits begins with the node's and ends with the life's; what lies between is random. */
export const claimToken = (node: string, life: string, random: string): string =>
  `${node.slice(0, claimDigits.node)}${random.slice(0, 32 - claimDigits.node - claimDigits.life)}${life.slice(0, claimDigits.life)}`
