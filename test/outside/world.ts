/**
 * A holdfast and its broker: the service on a configuration that names a venue in another process.
 *
 * Promises: the venue and its book outlive every end of the service; each world has directories, databases and ports of
 * its own, so worlds run side by side.
 * Never: shares a database between the service and the venue.
 */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { assert } from "vitest"
import { settingsProblems } from "../support/settings-schema.ts"
import { tmpdir } from "node:os"
import path from "node:path"
import { type DuplicateRule, PaperBroker } from "../support/paper-broker.ts"
import { alterDatabase, emptyDatabase, type TestDatabase } from "../support/postgres.ts"
import { shipped } from "../support/program.ts"
import { Service } from "./service.ts"

export interface WorldOptions {
  readonly rule?: DuplicateRule
  /**
   * `embedded`: the server the service starts itself. `external`: DATABASE_URL on the server of the test run. A URL: a server
   * of the test's own.
   */
  readonly database?: "embedded" | "external" | { readonly url: string }
  readonly env?: Readonly<Record<string, string>>
  /** Flags of Node, such as those of `npm start`. */
  readonly nodeFlags?: ReadonlyArray<string>
  /** Keys of the configuration file beside those of the world, or instead of them. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** The accounts of the practice defaults, with money enough for any test; source `fan` goes to both. */
const settingsFor = (url: string, rule: DuplicateRule) => ({
  brokers: { practice: { kind: "paper", url, rule } },
  accounts: {
    "paper-1": { broker: "practice", startingCash: "1000000000" },
    "paper-2": { broker: "practice", startingCash: "1000000000" }
  },
  sources: { fan: {} },
  strategies: {
    default: { sources: ["default", "wave"], accounts: ["paper-1"] },
    fan: { sources: ["fan"], accounts: ["paper-1", "paper-2"] }
  }
})

const writeSettings = (file: string, settings: object): void => {
  assert.deepStrictEqual(settingsProblems(settings), [], "the JSON Schema takes what the service takes")
  writeFileSync(file, JSON.stringify(settings))
}

export const accounts = ["paper-1", "paper-2"] as const

export class World {
  readonly broker: PaperBroker
  readonly service: Service
  readonly #folder: string
  readonly #scope: Scope.Closeable
  readonly #env: Readonly<Record<string, string>>
  readonly #database: TestDatabase | null
  readonly #command: readonly [string, ...Array<string>]
  readonly #others: Array<Service> = []

  private constructor(
    broker: PaperBroker,
    folder: string,
    scope: Scope.Closeable,
    env: Readonly<Record<string, string>>,
    database: TestDatabase | null,
    nodeFlags: ReadonlyArray<string>
  ) {
    this.broker = broker
    this.#folder = folder
    this.#scope = scope
    this.#env = env
    this.#database = database
    this.#command = [process.execPath, ...nodeFlags, shipped("holdfast")]
    this.service = new Service({ dataDir: path.join(folder, "data"), env, command: this.#command })
  }

  /** Starts the venue; the service is the test's to start. */
  static async open(options: WorldOptions = {}): Promise<World> {
    const rule = options.rule ?? "U"
    const broker = new PaperBroker({ rule })
    await broker.start()
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-world-"))
    const config = path.join(folder, "holdfast.json")
    writeSettings(config, { ...settingsFor(broker.url, rule), ...options.settings })
    const scope = Effect.runSync(Scope.make())
    const database =
      options.database === "external"
        ? await Effect.runPromise(emptyDatabase.pipe(Scope.provide(scope)))
        : null
    const url = typeof options.database === "object" ? options.database.url : database?.url
    const external = url === undefined ? {} : { DATABASE_URL: url }
    const env = { HOLDFAST_CONFIG: config, ...external, ...options.env }
    return new World(broker, folder, scope, env, database, options.nodeFlags ?? [])
  }

  /** Writes the configuration file again, with these keys instead of those of the world; the service is not told. */
  configure(settings: Readonly<Record<string, unknown>>): void {
    const file = { ...settingsFor(this.broker.url, this.broker.rule), ...settings }
    writeSettings(path.join(this.#folder, "holdfast.json"), file)
  }

  /** One statement on the external database, behind the back of the service. */
  async alter(statement: string): Promise<void> {
    if (this.#database === null) throw new Error("the database of this world is the service's own")
    await Effect.runPromise(alterDatabase(this.#database, statement))
  }

  /** Another holdfast on the same configuration and, where it is external, the same database. */
  another(name: string): Service {
    const dataDir = path.join(this.#folder, name)
    const service = new Service({ dataDir, env: this.#env, command: this.#command })
    this.#others.push(service)
    return service
  }

  async dispose(): Promise<void> {
    await Promise.all([this.service, ...this.#others].map((service) => service.dispose()))
    await this.broker.dispose()
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
