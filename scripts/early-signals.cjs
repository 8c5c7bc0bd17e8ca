/**
 * Signals that come while the service still loads its modules, which takes most of a second.
 *
 * Node runs this before it looks at src/main.ts (`--require`), because the handlers of the service exist only once all
 * of its modules are loaded, and until then a signal would kill the process with a status that reads like a crash.
 *
 * Promises: asked to stop before anything began, it ends with 0; SIGUSR1 and SIGUSR2 are kept and told later; the
 * service takes over with `release`.
 * Never: does anything else; is loaded by programs that have no handlers of their own.
 */
const { isatty } = process.getBuiltinModule("node:tty")

const strays = []
const hasTerminal = isatty(0)
const listeners = {
  SIGTERM: () => process.exit(0),
  SIGINT: () => process.exit(0),
  // Without a terminal it asks for the settings to be read, which is about to happen.
  SIGHUP: () => hasTerminal && process.exit(0),
  SIGUSR1: () => strays.push("SIGUSR1"),
  SIGUSR2: () => strays.push("SIGUSR2")
}
for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener)

/** Removes these handlers; call it after the own ones are installed. Returns what is to be told. */
globalThis[Symbol.for("holdfast.early-signals")] = {
  release: () => {
    for (const [signal, listener] of Object.entries(listeners)) process.off(signal, listener)
    return strays.splice(0)
  }
}
