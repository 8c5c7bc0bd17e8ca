import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { dataDirAt } from "../../../src/layers/platform/data-dir.file.ts"
import { nodeEntropy } from "../../../src/layers/platform/entropy.node.ts"

const temporary: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-data-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const program = fileURLToPath(new URL("./data-dir-holder.ts", import.meta.url))

interface Holder {
  readonly pid: number
  /** What it printed: "held" or the error's tag. */
  readonly said: string
  readonly kill: (signal: NodeJS.Signals) => Promise<void>
}

/** Another process that holds the directory until it is killed. */
const holderOf = (directory: string): Effect.Effect<Holder, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] })
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
      const said = await new Promise<string>((resolve) =>
        child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString("utf8").trim()))
      )
      const kill = (signal: NodeJS.Signals) => {
        child.kill(signal)
        return ended
      }
      return { pid: child.pid ?? -1, said, kill }
    }),
    (holder) => Effect.promise(() => holder.kill("SIGKILL"))
  )

describe("a data directory", { timeout: 180_000 }, () => {
  it.live("is created when missing and known by the same node id in every life, with a boot id of each", () =>
    Effect.gen(function* () {
      const dataDir = dataDirAt(path.join(yield* temporary, "deep", "with spaces"), nodeEntropy)
      const first = yield* Effect.scoped(dataDir.hold)
      const second = yield* Effect.scoped(dataDir.hold)
      assert.match(first.nodeId, /^[0-9a-f-]{36}$/)
      assert.strictEqual(second.nodeId, first.nodeId)
      assert.notStrictEqual(second.bootId, first.bootId)
    })
  )

  it.live("that is held is refused to another process, which is told the pid of the holder", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const holder = yield* holderOf(directory)
      assert.strictEqual(holder.said, "held")
      const error = yield* Effect.flip(Effect.scoped(dataDirAt(directory, nodeEntropy).hold))
      assert.include(error, { _tag: "DataDirLocked", path: directory, pid: holder.pid })
      // A link to it is the same directory.
      fs.symlinkSync(directory, `${directory}-link`)
      const linked = yield* Effect.flip(Effect.scoped(dataDirAt(`${directory}-link`, nodeEntropy).hold))
      fs.rmSync(`${directory}-link`)
      assert.strictEqual(linked._tag, "DataDirLocked")
    })
  )

  it.live("is free the moment its holder is killed by SIGKILL", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const holder = yield* holderOf(directory)
      yield* Effect.promise(() => holder.kill("SIGKILL"))
      yield* Effect.scoped(dataDirAt(directory, nodeEntropy).hold)
    })
  )

  it.live("stays held while its holder is frozen", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const holder = yield* holderOf(directory)
      process.kill(holder.pid, "SIGSTOP")
      assert.strictEqual(
        (yield* Effect.flip(Effect.scoped(dataDirAt(directory, nodeEntropy).hold)))._tag,
        "DataDirLocked"
      )
    })
  )

  it.live("goes to exactly one of four that want it at once", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const holders = yield* Effect.forEach([1, 2, 3, 4], () => holderOf(directory), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(holders.map((holder) => holder.said).toSorted(), [
        "DataDirLocked",
        "DataDirLocked",
        "DataDirLocked",
        "held"
      ])
    })
  )

  it.live("that cannot be made is unusable, with a hint", () =>
    Effect.gen(function* () {
      const file = path.join(yield* temporary, "a-file")
      fs.writeFileSync(file, "")
      const error = yield* Effect.flip(Effect.scoped(dataDirAt(path.join(file, "data"), nodeEntropy).hold))
      assert.strictEqual(error._tag, "DataDirUnusable")
      assert.isNotEmpty(error.hint)
    })
  )
})
