/**
 * From the core's books to the nodes of a snapshot.
 *
 * Promises: plain values only, cut off from the live state; times are converted to epoch milliseconds here, once.
 * Never: changes anything.
 */
import { type Child, type Core, isStable } from "./core-state.ts"
import type { Life } from "./life.ts"
import type { ChildCounts, ChildLine, TreeNode } from "./tree.ts"

/** The nodes of all children of one supervisor, in start order. */
export const nodesOf = (core: Core<Life>, nowMs: number, nowAt: number): ReadonlyArray<TreeNode> => {
  const nodes: Array<TreeNode> = []
  for (const child of core.children.values()) nodes.push(nodeOf(core, child, nowMs, nowAt))
  return nodes
}

const nodeOf = (core: Core<Life>, child: Child<Life>, nowMs: number, nowAt: number): TreeNode => {
  const life = child.handle
  const below = life?.subtree?.node()
  const status = life?.status()
  const { budget } = child.spec
  const mailbox = life?.running?.mailbox?.()
  const lastError = status?.lastError ?? child.lastError
  const stable = isStable(child, nowMs)
  const running = child.phase === "running"
  return {
    id: child.id,
    path: `${core.path}/${child.id}`,
    type: child.spec.type,
    phase: child.phase,
    state:
      running && below !== undefined
        ? below.state
        : running && status !== undefined && status.state !== ""
          ? status.state
          : child.phase,
    ready: running && child.ready,
    readiness: child.spec.readiness,
    tags: status?.tags ?? [],
    since: Math.round(nowAt - (nowMs - child.sinceMs)),
    incarnation: child.incarnation,
    restarts: child.restarts,
    attempt: stable ? 0 : child.attempt,
    ...(child.nextMs === undefined ? {} : { nextAt: Math.round(nowAt + (child.nextMs - nowMs)) }),
    restart: child.spec.restart,
    budget: {
      used: stable ? 0 : (child.window?.used(budget, nowMs) ?? 0),
      max: budget.max,
      withinMs: budget.withinMs
    },
    ...(below?.group === undefined ? {} : { group: below.group }),
    ...(mailbox === undefined ? {} : { mailbox }),
    ...(lastError === undefined ? {} : { lastError }),
    detail: status?.detail ?? {},
    children: below?.children ?? []
  }
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
