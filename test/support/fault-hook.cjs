/**
 * The hook of src/layers/platform/fault-point.ts, loaded before the service (`--require`): a file says at which point, and
 * about which symbol, the process is to get which signal.
 *
 * Promises: the order is carried out once: the file is gone before the signal.
 * Never: does anything without the variable FAULT_ORDER, which names the file.
 */
const { readFileSync, rmSync } = process.getBuiltinModule("node:fs")

const file = process.env["FAULT_ORDER"]

const orderNow = () => {
  try {
    return readFileSync(file, "utf8").split(" ")
  } catch {
    return []
  }
}

if (file !== undefined) {
  Reflect.set(globalThis, Symbol.for("holdfast.fault-point"), (point, subject) => {
    const [wanted, symbol, signal] = orderNow()
    if (wanted !== point || symbol !== subject) return
    rmSync(file)
    process.kill(process.pid, signal)
  })
}
