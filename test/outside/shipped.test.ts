import { assert, describe, it, onTestFinished } from "vitest"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { Effect, Exit, Scope } from "effect"
import { projectRoot } from "../support/program.ts"
import { emptyDatabase } from "../support/postgres.ts"
import { alertBody, Service } from "./service.ts"

const text = (file: string): string => readFileSync(path.join(projectRoot, "ops", file), "utf8")

/** What the last stage of the image copies, and the command it runs. */
const image = (() => {
  const stage =
    text("Dockerfile")
      .split(/^FROM /m)
      .at(-1) ?? ""
  const copied = [...stage.matchAll(/^COPY --from=build \/build\/(\S+)/gm)].map(([, file]) => file ?? "")
  const [, ...args] = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(stage)?.[1] ?? "[]") as ReadonlyArray<string>
  return { copied, args }
})()

describe("what is shipped in ops/", () => {
  it("the files of the image alone take an alert and fill its order", async () => {
    const scope = Effect.runSync(Scope.make())
    onTestFinished(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    const { url } = await Effect.runPromise(emptyDatabase.pipe(Scope.provide(scope)))
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-image-"))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    assert.isAbove(image.copied.length, 2)
    for (const file of image.copied)
      cpSync(path.join(projectRoot, file), path.join(folder, "app", file), { recursive: true })
    const service = new Service({
      command: [process.execPath, ...image.args],
      cwd: path.join(folder, "app"),
      dataDir: path.join(folder, "data"),
      env: { DATABASE_URL: url }
    })
    onTestFinished(() => service.dispose(), 30_000)
    await service.start()
    const answer = await service.post("/webhook", alertBody())
    assert.strictEqual(answer.status, 201)
    const trace = await service.settled(String(answer.body.signal_id))
    assert.strictEqual(trace.orders[0].status, "filled")
    assert.strictEqual((await service.get("/console/")).status, 200)
    const metrics = (await service.get("/metrics")).text
    const named = new Set(text("prometheus/holdfast.rules.yml").match(/\b(?:holdfast|process)_[a-z_]+/g))
    assert.deepStrictEqual(
      [...named].filter((name) => !metrics.includes(`# TYPE ${name} `)),
      [],
      "the rules of Prometheus ask for what there is"
    )
    assert.deepStrictEqual(await service.stop(), { code: 0, signal: null }, service.tail())
  }, 150_000)

  it("the unit of systemd starts the program as the image does, and waits longer for its stop than the service", () => {
    const unit = text("holdfast.service")
    const command = /^ExecStart=\S+ (.+)$/m.exec(unit)?.[1]?.split(" ")
    assert.deepStrictEqual(command, image.args)
    assert.include(unit, "RestartPreventExitStatus=78")
    assert.isAbove(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]), 15)
  })

  it("compose starts everything again after a restart of the host, which ends it with status 0", () => {
    const policies = [...text("compose.yaml").matchAll(/^ {4}restart: (.+)$/gm)].map(([, policy]) => policy)
    assert.deepStrictEqual(policies, ["unless-stopped", "unless-stopped"])
  })
})
