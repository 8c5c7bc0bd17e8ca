/**
 * Fault points: named places on an order's path at which a test may kill or freeze the process.
 *
 * A kill at a random moment hits the narrow windows once in thousands of runs; here each has a name, and a test
 * that was loaded before us (`--require`) decides what happens at it. In production nothing is loaded and a point is a
 * call of an empty function; there is no setting that could switch one on.
 *
 * Promises: inert unless a hook was on `globalThis` before this module was loaded.
 * Never: changes what the code around it does.
 */

/** The places, in the order in which a signal passes them; the numbers are the crash points of the design. */
export const FAULT_POINTS = {
  /** K0: a post is read and checked, its commit has not begun. */
  intakeBeforeCommit: "K0",
  /** K1: committed, not answered. */
  intakeCommitted: "K1",
  /** A post is on the disk of the spool, not answered. */
  spoolWritten: "spool-written",
  /** Spooled posts are committed, and still in the files of the spool. */
  spoolStored: "spool-stored",
  /** K2: answered and claimed, not decided. */
  signalClaimed: "K2",
  /** K3: the order is intended and picked up, not committed as `submitting`. */
  orderIntended: "K3",
  /** K4: `submitting` is committed, nothing is on the wire. */
  orderSubmitting: "K4",
  /** K4: the connection is made, the permit to write is about to be checked. */
  orderConnected: "K4-connected",
  /** K4: the permit was given, the bytes are about to be written. */
  orderPermitted: "K4-permitted",
  /** K5: the broker has responded, its response is not stored. */
  orderAnswered: "K5",
  /** K6: the response is stored; fills are still to come. */
  orderAcked: "K6",
  /** K7: a fill has arrived, its transaction has not begun. */
  fillReceived: "K7",
  /** K8: inside the transaction of a fill. */
  fillInTransaction: "K8",
  /** K9: a cancel was answered, its response is not stored. */
  cancelAnswered: "K9",
  /** K10: a command is audited, and nothing of it has happened. */
  commandBegun: "K10-begun",
  /** K10: what a command does is committed, its audit row is not ended and nobody has an answer. */
  commandDone: "K10-done",
  /** K12: inside the transaction that stores the close of a partly filled entry. */
  compensationInTransaction: "K12-in",
  /** K12: that close is stored, and nobody was told of it. */
  compensationStored: "K12-stored",
  /** Updates of the bot have arrived, and are not stored. */
  telegramReceived: "telegram-received",
  /** An update is taken, and nothing of it was done. */
  telegramTaken: "telegram-taken",
  /** What an update asks for is done; it is not settled, and its replies are not made. */
  telegramDone: "telegram-done",
  /** Telegram has a message, and its row says that it waits. */
  telegramSent: "telegram-sent",
  /** A message to a sink is taken, and not sent. */
  sinkTaken: "sink-taken",
  /** A sink has a message, and its rows say that it waits. */
  sinkSent: "sink-sent",
  /** A reload has changed the rows of its accounts, and nothing in this process. */
  settingsBooked: "settings-booked",
  /** New settings are in force, their components are those of the settings before. */
  settingsAssigned: "settings-assigned"
} as const

export type FaultPoint = (typeof FAULT_POINTS)[keyof typeof FAULT_POINTS]

/** `subject`: the symbol it is about, or the scope of a command, by which a test distinguishes its own signal from others. */
type Hook = (point: FaultPoint, subject: string) => void

const loaded: unknown = Reflect.get(globalThis, Symbol.for("holdfast.fault-point"))

export const faultPoint: Hook =
  typeof loaded === "function"
    ? (point, subject) => void Reflect.apply(loaded, null, [point, subject])
    : () => {}
