/**
 * outbox limits: the bounds of what is sent to sinks, each with its reason.
 *
 * Promises: the relations asserted at the end hold, or the process does not load.
 * Never: reads a setting.
 */
import { invariant } from "../kernel/invariant.ts"

const seconds = (n: number): number => n * 1_000
const minutes = (n: number): number => n * 60_000

export const outboxLimits = {
  /** Alerts routed in one transaction, and rows looked at for one message. */
  roundMax: 500,
  /** Older alerts are history, which a sink that is new does not repeat; what could not be sent for so long is dead. */
  ageHoursMax: 24,
  /** Characters of an alert's message that are kept for its sinks: more than a phone shows. */
  messageMax: 1_000,
  /** Alerts that wait for one sink; above it only CRITICAL ones are added, and the others are dead at once. */
  waitingMax: 5_000,
  /** Alerts of one kind that each get a message of their own; of more, all that wait are one message. */
  singleMax: 3,
  /** Alerts that are named in one message; of CRITICAL ones no message has more, so that each is named. */
  namedMax: 20,
  /** One attempt to send, whatever is behind the sink. */
  sendMsMax: seconds(10),
  /** How long a sink is one process's: above an attempt and its rows. After a kill the next one waits so long. */
  leaseMs: seconds(20),
  /** Another process sends for the sink: when to look again. */
  heldMs: seconds(5),
  /** Rows of another process ring no bell here: one indexed statement. */
  pollMs: seconds(2),
  /** How long a bell is waited for before it is waited for again. */
  bellMs: minutes(1),
  /** Pauses after a failure: doubling, capped. */
  retryFirstMs: seconds(1),
  retryMsMax: minutes(5),
  /** The longest pause that a receiver can ask for. */
  retryAfterMsMax: minutes(15),
  /** A receiver that will not have a message is asked so often: what it refuses is that message. */
  refusalsMax: 5,
  /** Faults of the receiver that it answered, with the cap above: a bit less than three hours. */
  faultsMax: 40,
  /** Failures in a row after which the sink is an alert on the others. */
  failuresAlerted: 3,
  /** How often the figures of a sink are read. */
  figuresEveryMs: seconds(5),
  /** Bytes read of an answer: nobody here reads them for more than its end. */
  answerBytesMax: 65_536,
  /** A heartbeat that was withheld is tried again, because the one who waits for it does not wait long. */
  withheldMsMax: seconds(5)
} as const

invariant(outboxLimits.leaseMs >= 2 * outboxLimits.sendMsMax, "a sink stays one process's while it sends")
invariant(outboxLimits.namedMax < outboxLimits.roundMax, "a round has room for a message of CRITICAL alerts")
