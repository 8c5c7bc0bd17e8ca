/**
 * control: what an operator may do to a component, and what must be checked first (T14).
 *
 * A command that removes its own undo is refused: whoever pauses the listener has nothing left to resume it with. And a
 * component that keeps a promise about money (a stop loss, a check with the broker) is not switched off as a side effect.
 *
 * Promises: what cannot be undone from outside is refused with its reason, for the component itself and for whatever
 * holds it; a pause that leaves open positions unwatched names whose.
 * Never: knows which components run; asks nobody.
 */
import { Data } from "effect"

export type ControlCommand = "restart" | "pause" | "resume"

export const controlCommands: ReadonlyArray<ControlCommand> = ["restart", "pause", "resume"]

/** The one word by which an operator confirms that he knows what is left unprotected. */
export const UNPROTECTED = "unprotected"

/** What protects positions where: the accounts of these settings with their brokers. */
export type AccountBrokers = Readonly<Record<string, { readonly broker: string }>>

const within = (path: string, holder: string): boolean => path === holder || path.startsWith(`${holder}/`)

/** What every command comes in through, and what pausing it would take down. */
const wayBack: ReadonlyArray<{ readonly path: string; readonly why: string }> = [
  {
    path: "root/http",
    why: "health and this API are served by root/http: nothing outside could resume it"
  },
  {
    path: "root/database",
    why: "whatever is durable and whatever this API reads goes through root/database: its absence is an outage"
  }
]

/** Why a command is refused because nobody could undo it; null when somebody could. */
export const irrevocable = (command: ControlCommand, path: string): string | null => {
  if (path === "root")
    return "root is the whole process: stop it by SIGTERM, and what started it can start it again"
  if (command !== "pause") return null
  return wayBack.find((held) => within(held.path, path))?.why ?? null
}

/**
 * Accounts whose open positions nobody watches, or nobody can leave, while a component is away: the market prices them, the venue
 * and the brokers take the orders, the executors send them, the reconciler confirms what is held, the exits decide. The
 * pipeline, its agents and its voters are not among them: exits go through no engine (T6).
 */
export const unwatchedBy = (path: string, accounts: AccountBrokers): ReadonlyArray<string> => {
  const all = Object.keys(accounts)
  const ofBroker = (broker: string) => all.filter((id) => accounts[id]?.broker === broker)
  const decides =
    ["root/trading/pipeline", "root/trading/agents"].some((one) => within(path, one)) ||
    path.startsWith("root/trading/voter:")
  if (!within(path, "root/trading") || decides) return []
  const [, kind, name = ""] = /^root\/trading\/(accounts\/|brokers\/|paper-venue:)(.+)$/.exec(path) ?? []
  if (kind === undefined) return all
  return kind === "accounts/" ? all.filter((id) => id === name) : ofBroker(name)
}

/** What an operator asks of a component. `confirmed`: although open positions are not protected meanwhile. */
export interface ControlRequest {
  readonly command: ControlCommand
  readonly path: string
  readonly confirmed: boolean
}

/** A command that was carried out. `unprotected`: `account/symbol` of what it leaves unprotected, null when unknown. */
export interface ControlDone {
  readonly unprotected: ReadonlyArray<string> | null
}

/** A command that was not carried out. `reason` is one of the tree's refusals, or `irrevocable` or `unprotected` (T14). */
export class ControlRefused extends Data.TaggedError("ControlRefused")<{
  readonly path: string
  readonly reason: string
  readonly message?: string
  readonly positions?: ReadonlyArray<string> | null
}> {}
