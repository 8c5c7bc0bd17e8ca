/**
 * A signal that this process started with blocked: seen while it waits, then let through.
 *
 * `--disable-sigusr1` keeps Node's debugger away from the first instruction on, and does so by leaving SIGUSR1 blocked
 * for good: it neither kills nor reaches a handler. Node cannot unblock it, libc can. Loading the bridge to libc costs
 * seven megabytes, so it is loaded when the first such signal is found waiting and not before.
 *
 * Promises: a waiting signal is let through within `processLimits.blockedLookMs`; its handler, installed before, receives
 * it and every later one.
 * Never: unblocks a signal that has no handler; keeps the process alive.
 * Failure: without /proc or libc nothing is unblocked: the signal still does nothing, and is not logged.
 */
import { readFileSync } from "node:fs"
import { constants } from "node:os"
import { processLimits } from "../../domain/kernel/limits.ts"

/** From Linux's <signal.h>. */
const SIG_UNBLOCK = 1
/** `sigset_t` of glibc and musl. */
const setBytes = 128

const maskOf = (status: string, field: string): bigint => {
  const hex = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1]
  return hex === undefined ? 0n : BigInt(`0x${hex}`)
}

const isIn = (status: string, field: string, signal: number): boolean =>
  ((maskOf(status, field) >> BigInt(signal - 1)) & 1n) === 1n

/** The kernel's view of this process, empty where there is none. */
const readStatus = (): string => {
  try {
    return readFileSync("/proc/self/status", "latin1")
  } catch {
    return ""
  }
}

const unblock = async (signal: number): Promise<void> => {
  const { default: koffi } = await import("koffi")
  const pthreadSigmask = koffi
    .load(null)
    .func("int pthread_sigmask(int how, const void* set, void* previous)")
  const set = Buffer.alloc(setBytes)
  set[(signal - 1) >> 3] = 1 << ((signal - 1) & 7)
  pthreadSigmask(SIG_UNBLOCK, set, null)
}

/** Watches for `name`, whose handler is installed, when it is blocked; does nothing when it is not. */
export const letThroughWhenBlocked = (name: "SIGUSR1"): void => {
  const signal = constants.signals[name]
  if (process.platform !== "linux" || !isIn(readStatus(), "SigBlk", signal)) return
  const timer = setInterval(() => {
    const status = readStatus()
    if (!isIn(status, "ShdPnd", signal) && !isIn(status, "SigPnd", signal)) return
    clearInterval(timer)
    unblock(signal).catch(() => undefined)
  }, processLimits.blockedLookMs)
  timer.unref()
}
