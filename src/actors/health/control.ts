/**
 * Control: carries out an operator's commands to a component, by the rules of T14.
 *
 * The rules are in domain/control/control.ts; this reads what they need (does the component exist, is anything open) and commands the tree.
 *
 * Promises: what nobody could undo is refused before anything is touched; so is a pause that leaves open positions
 * unwatched, unless it was confirmed; positions that cannot be read count as open.
 * Never: waits for a result whose response must go out before the command is carried out, such as the listener's.
 */
import { Effect } from "effect"
import {
  type ControlCommand,
  type ControlDone,
  ControlRefused,
  type ControlRequest,
  irrevocable,
  unwatchedBy
} from "../../domain/control/control.ts"
import { controlLimits } from "../../domain/kernel/limits.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { PositionsStoreService } from "../../layers/orders/positions-store.port.ts"
import type { Tree, TreeNode } from "../../runtime/tree.ts"

interface Parts {
  readonly settings: Settings
  readonly positions: PositionsStoreService
  readonly tree: () => Tree | null
}

const exists = (node: TreeNode, path: string): boolean =>
  node.path === path || node.children.some((child) => exists(child, path))

/** What is open in these accounts, as `account/symbol`; null when unknown. */
const openIn = ({ positions }: Parts, accounts: ReadonlyArray<string>) =>
  positions.open(accounts, null).pipe(
    Effect.timeout(controlLimits.positionsMsMax),
    Effect.map((open) => open.map(({ account, symbol }) => `${account}/${symbol}`)),
    Effect.orElseSucceed((): ReadonlyArray<string> | null => null)
  )

/** What a pause leaves unwatched; empty when nothing is open, or the command takes nothing away. */
const unwatched = (parts: Parts, { command, path }: ControlRequest) =>
  Effect.suspend(() => {
    if (command !== "pause") return Effect.succeed<ReadonlyArray<string> | null>([])
    const accounts = unwatchedBy(path, parts.settings.accounts)
    return accounts.length === 0 ? Effect.succeed([]) : openIn(parts, accounts)
  })

/** What the refusals of a tree mean to an operator. */
const sentences: Readonly<Record<string, string>> = {
  running: "it is already running",
  not_running: "it is not running: resume it first, and its parent before it",
  start_failed: "its start failed; its supervisor proceeds according to its policy",
  mailbox_full: "its supervisor is overloaded: try again",
  stopping: "the process is stopping"
}

const ask = (tree: Tree, command: ControlCommand, path: string): Effect.Effect<unknown, ControlRefused> => {
  const done: Effect.Effect<unknown, { readonly reason: string }> =
    command === "restart" ? tree.bounce(path) : command === "pause" ? tree.pause(path) : tree.resume(path)
  const asked = Effect.mapError(
    done,
    ({ reason }) => new ControlRefused({ path, reason, message: sentences[reason] ?? reason })
  )
  // The response to whoever restarts the listener travels through it: it goes out first, while the listener drains.
  return path === "root/http" && command === "restart"
    ? Effect.raceFirst(asked, Effect.sleep(controlLimits.answerFirstMs))
    : asked
}

/** Gives a command to a component of the running tree. */
export const controlOf = (parts: Parts) => (request: ControlRequest) =>
  Effect.gen(function* () {
    const { command, confirmed, path } = request
    const tree = parts.tree()
    if (tree === null)
      return yield* new ControlRefused({ path, reason: "starting", message: "the tree is still starting" })
    if (!exists(tree.snapshot(), path)) return yield* new ControlRefused({ path, reason: "not_found" })
    const why = irrevocable(command, path)
    if (why !== null) return yield* new ControlRefused({ path, reason: "irrevocable", message: why })
    const left = yield* unwatched(parts, request)
    if (!confirmed && (left === null || left.length > 0)) {
      return yield* new ControlRefused({
        path,
        reason: "unprotected",
        message:
          left === null
            ? `the open positions cannot be read now, and ${path} keeps positions safe`
            : `${left.length} open ${left.length === 1 ? "position is" : "positions are"} not protected without ${path}`,
        positions: left
      })
    }
    yield* ask(tree, command, path)
    return { unprotected: left } satisfies ControlDone
  })
