/**
 * The practice signal server with a script, as a process that may have several lives.
 *
 * Never: decides what it offers; the script is the scenario's.
 */
import { writeFileSync } from "node:fs"
import path from "node:path"
import { waitUntil } from "../support/exchange.ts"
import { keptPort } from "../support/kept-port.ts"
import { Program, projectRoot, shipped } from "../support/program.ts"

export class SignalServer extends Program {
  /** Writes the script into `folder` and answers the address to connect to; port 0 is any that is free, also for its next lives. */
  async start(folder: string, script: object, port = 0): Promise<string> {
    const file = path.join(folder, "script.json")
    writeFileSync(file, JSON.stringify(script))
    const args = [
      shipped("signal-server"),
      "--port",
      String(port === 0 ? await keptPort() : port),
      "--script",
      file
    ]
    const { lives } = this
    this.launch({ file: process.execPath, args, cwd: projectRoot, env: {} }, () => undefined)
    const line = await waitUntil(
      () => `the signal server${this.tail()}`,
      () => this.events("signals.listening")[lives]
    )
    return String(line["url"])
  }
}
