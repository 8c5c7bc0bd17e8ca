/**
 * Sleeper: the executor of an account while it rests: a few fields and three bells instead of a machine.
 *
 * Three things end its rest: a bell that signals that there is something to do, an event sent to it,
 * and what a comparison finds. Each of them starts the machine, which takes the account and compares it by itself before
 * anything is sent, so a sleeper decides nothing about orders.
 *
 * Promises: no bell is lost: one that rings while the account is compared wakes it afterwards; it is ready only under a
 * lease that has not expired, or while another life has the account.
 * Never: sends, stores, or goes back to sleep.
 */
import { ordersBell, reconcileBell, resolveBell } from "../../layers/platform/bells.ts"
import type { AccountLeasesService, LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import type {
  RestingAccount,
  RestingAccountsService,
  RestingPhase,
  RestingState
} from "../../layers/execution/resting-accounts.port.ts"
import { overdueStatus } from "../../layers/platform/lease-deadline.ts"
import type { WakeService } from "../../layers/platform/wake.port.ts"
import type { BrokerConnection } from "../../layers/venues/broker.port.ts"
import type { ChildStatus } from "../../runtime/child-spec.ts"

export interface SleeperParts {
  readonly account: string
  readonly broker: string
  readonly connection: BrokerConnection
  readonly leases: AccountLeasesService
  readonly resting: RestingAccountsService
  readonly wake: WakeService
  /** The lease it rests under, kept where the machine will look for it. */
  readonly guard: () => LeaseGuard | null
  readonly setGuard: (guard: LeaseGuard | null) => void
  readonly publish: (status: Partial<ChildStatus>) => void
  /** Starts the machine. Called at most once. */
  readonly begin: () => void
}

type Phase =
  | { readonly _tag: "Waiting"; readonly state: RestingState }
  | { readonly _tag: "Resting" }
  | { readonly _tag: "Standby"; readonly owner: string }
  | { readonly _tag: "Over" }

const resting: Phase = { _tag: "Resting" }
const over: Phase = { _tag: "Over" }
const tagsOf: { readonly [tag in Phase["_tag"]]: ReadonlyArray<string> } = {
  Waiting: [],
  Resting: ["ready", "resting"],
  Standby: ["ready", "standby"],
  Over: []
}

/** A class for its size: ten thousand of them share their functions. */
export class Sleeper implements RestingAccount {
  readonly account: string
  readonly broker: string
  readonly connection: BrokerConnection
  readonly #parts: SleeperParts
  #ends: ReadonlyArray<() => void> = []
  #phase: Phase = { _tag: "Waiting", state: "WaitingForDatabase" }
  #isListening = false
  #isOpening = false
  #rang = false
  #endLine: (() => void) | null = null

  constructor(parts: SleeperParts) {
    const { account, broker, connection, leases, wake } = parts
    this.#parts = parts
    this.account = account
    this.broker = broker
    this.connection = connection
    parts.publish({ ready: false })
    const ring = (): void => {
      // Work on another life's account belongs to that life; a takeover finds the rest in the rows.
      if (this.#phase._tag === "Standby" && !this.#isOpening) return
      this.#rang = true
      this.#answer()
    }
    this.#ends = [
      wake.listen(ordersBell(account), ring),
      wake.listen(resolveBell(account), ring),
      // Only a comparison is requested, and thousands are requested at once.
      wake.listen(reconcileBell(account), () => this.#due()),
      leases.watch(account, () => {
        if (!this.#isOpening) this.wait("TakingLease")
      }),
      parts.resting.enter(this)
    ]
    this.#isListening = true
    this.#answer()
  }

  guard(): LeaseGuard | null {
    return this.#parts.guard()
  }
  begin(): void {
    this.#isOpening = this.#phase !== over
  }
  phase(): RestingPhase {
    return this.#isOpening ? "Opening" : this.#phase._tag
  }
  hold(guard: LeaseGuard): void {
    this.#parts.setGuard(guard)
  }
  rest(guard: LeaseGuard): void {
    // It may have been lost while the account was compared.
    if (guard.mayWrite()) this.#enter(resting)
    else this.wait("TakingLease")
  }
  standBy(owner: string): void {
    if (!this.#enter({ _tag: "Standby", owner })) return
    this.#endLine = this.#parts.leases.want(this.account, () => this.#due())
  }
  wait(state: RestingState): void {
    if (this.#enter({ _tag: "Waiting", state })) this.#due()
  }
  awaken(): void {
    if (this.#phase === over) return
    this.leave()
    this.#parts.begin()
  }

  /** It ends, woken or not. */
  leave(): void {
    if (this.#phase === over) return
    this.#phase = over
    this.#isOpening = false
    this.#endLine?.()
    for (const end of this.#ends) end()
  }

  status(): ChildStatus {
    const phase = this.#phase
    const held = phase === resting ? this.guard() : null
    return {
      state: phase._tag === "Waiting" ? phase.state : phase._tag,
      ready: true,
      tags: tagsOf[phase._tag],
      ...(phase === resting ? overdueStatus(held) : {}),
      detail: {
        account: this.account,
        fence: held === null ? null : String(held.grant.fence),
        held_by: phase._tag === "Standby" ? phase.owner : null,
        unresolved: 0,
        lease_left_ms: held?.remainingMs() ?? null
      }
    }
  }

  #due(): void {
    this.#parts.resting.due(this.account)
  }
  /** Wakes, if something rang and no comparison is in progress. */
  #answer(): void {
    if (this.#rang && this.#isListening && !this.#isOpening) this.awaken()
  }
  /** The account is no longer being compared: what rang meanwhile counts now. Returns whether it is in `phase`. */
  #enter(phase: Phase): boolean {
    if (this.#phase === over) return false
    this.#isOpening = false
    this.#endLine?.()
    this.#endLine = null
    this.#phase = phase
    this.#parts.publish({ ready: phase._tag !== "Waiting" })
    this.#answer()
    return this.#phase === phase
  }
}
