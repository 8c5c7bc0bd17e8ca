/**
 * From the core's books to the nodes of a snapshot.
 *
 * Promises: plain values only, cut off from the live state; times are converted to epoch milliseconds here, once; a
 * child whose own functions throw or return nonsense is shown without their result and with the error visible, and
 * its neighbours as usual.
 * Never: changes anything.
 */
import type { ChildStatus } from "./child-spec.ts"
import { type Child, type Core, isStable } from "./core-state.ts"
import { describeError } from "./exit-reason.ts"
import type { Life } from "./life.ts"
import type { MailboxDepth } from "./mailbox.ts"
import type { ChildCounts, ChildLine, TreeNode } from "./tree.ts"

/** The nodes of all children of one supervisor, in start order. */
export const nodesOf = (core: Core<Life>, nowMs: number, nowAt: number): ReadonlyArray<TreeNode> => {
  const nodes: Array<TreeNode> = []
  for (const child of core.children.values()) nodes.push(nodeOf(core, child, nowMs, nowAt))
  return nodes
}

/** What a child reports of itself, checked: it comes from the child's own functions, and a snapshot must never break. */
interface SelfReport {
  readonly state: string
  /** False only: what it reports may take readiness away from what is shown, and give none. */
  readonly ready: boolean
  readonly tags: ReadonlyArray<string>
  readonly detail: Record<string, unknown>
  readonly mailbox: MailboxDepth | undefined
  readonly lastError: string | undefined
}
/** Types lie about what a function returns. */
type Unchecked<T> = { readonly [K in keyof T]?: unknown }
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null

const silent: SelfReport = {
  state: "",
  ready: true,
  tags: [],
  detail: {},
  mailbox: undefined,
  lastError: undefined
}

const selfReportOf = (life: Life): SelfReport => {
  const faults: Array<string> = []
  const status = statusOf(life, faults)
  const mailbox = mailboxOf(life, faults)
  // The fault of the child's function comes before its older errors: it is why the rest of the line is missing.
  return { ...status, mailbox, lastError: faults[0] ?? status.lastError }
}

const statusOf = (life: Life, faults: Array<string>): SelfReport => {
  try {
    const { detail = {}, lastError, ready, state = "", tags = [] } = life.status() as Unchecked<ChildStatus>
    const wrong: Array<string> = []
    if (typeof state !== "string") wrong.push("state must be a string")
    if (!Array.isArray(tags)) wrong.push("tags must be a list")
    if (!isRecord(detail)) wrong.push("detail must be an object")
    if (lastError !== undefined && typeof lastError !== "string") wrong.push("lastError must be a string")
    if (wrong.length > 0) faults.push(`status: ${wrong.join(", ")}`)
    return {
      ...silent,
      state: typeof state === "string" ? state : "",
      ready: ready !== false,
      tags: Array.isArray(tags) ? (tags as ReadonlyArray<string>) : [],
      detail: isRecord(detail) ? detail : {},
      lastError: typeof lastError === "string" ? lastError : undefined
    }
  } catch (error) {
    faults.push(`status: ${describeError(error)}`)
    return silent
  }
}

const mailboxOf = (life: Life, faults: Array<string>): MailboxDepth | undefined => {
  const { running } = life
  if (running?.mailbox === undefined) return undefined
  try {
    const reported: Unchecked<MailboxDepth> | undefined = running.mailbox()
    const { capacity, depth, dropped } = reported ?? {}
    if (typeof depth === "number" && typeof capacity === "number" && typeof dropped === "number")
      return { depth, capacity, dropped }
    faults.push("mailbox: depth, capacity and dropped must be numbers")
  } catch (error) {
    faults.push(`mailbox: ${describeError(error)}`)
  }
  return undefined
}

const nothingBelow: ReadonlyArray<TreeNode> = []

const nodeOf = (core: Core<Life>, child: Child<Life>, nowMs: number, nowAt: number): TreeNode => {
  const life = child.handle
  const below = life?.subtree?.node()
  const reported = life === undefined ? silent : selfReportOf(life)
  const { budget } = child.spec
  const { mailbox } = reported
  const lastError = reported.lastError ?? child.lastError
  const stable = isStable(child, nowMs)
  const running = child.phase === "running"
  const node: { -readonly [K in keyof TreeNode]: TreeNode[K] } = {
    id: child.id,
    path: life?.path ?? `${core.path}/${child.id}`,
    type: child.spec.type,
    phase: child.phase,
    state:
      running && below !== undefined
        ? below.state
        : running && reported.state !== ""
          ? reported.state
          : child.phase,
    ready: running && child.ready && reported.ready,
    readiness: child.spec.readiness,
    tags: reported.tags,
    since: Math.round(nowAt - (nowMs - child.sinceMs)),
    incarnation: child.incarnation,
    restarts: child.restarts,
    attempt: stable ? 0 : child.attempt,
    restart: child.spec.restart,
    budget: {
      used: stable ? 0 : (child.window?.used(budget, nowMs) ?? 0),
      max: budget.max,
      withinMs: budget.withinMs
    },
    detail: reported.detail,
    children: below?.children ?? nothingBelow
  }
  if (child.nextMs !== undefined) node.nextAt = Math.round(nowAt + (child.nextMs - nowMs))
  if (below?.group !== undefined) node.group = below.group
  if (mailbox !== undefined) node.mailbox = mailbox
  if (lastError !== undefined) node.lastError = lastError
  return node
}

/** OTP's which_children. */
export const linesOf = (core: Core<Life>): ReadonlyArray<ChildLine> =>
  [...core.children.values()].map((child) => ({
    id: child.id,
    path: `${core.path}/${child.id}`,
    type: child.spec.type,
    phase: child.phase,
    incarnation: child.incarnation
  }))

/** OTP's count_children: a child that is restarting is not active. */
export const countsOf = (core: Core<Life>): ChildCounts => {
  let active = 0
  let supervisors = 0
  for (const child of core.children.values()) {
    if (child.phase === "running" || child.phase === "stopping") active++
    if (child.spec.type !== "worker") supervisors++
  }
  const specs = core.dynamic === undefined ? core.children.size : 1
  return { specs, active, supervisors, workers: core.children.size - supervisors }
}
