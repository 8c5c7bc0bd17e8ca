/**
 * holdfast: configuration, layers, root supervisor, and the exit status of how it ended.
 *
 * Promises: a refused configuration is status 78 before anything started; every non-zero end is preceded by one
 * `fatal` line.
 * Never: decides anything; what runs is in actors/root.supervisor.ts, how it stops in actors/service/service.ts.
 */
import { Effect, Layer, Result } from "effect"
import { chartsLayer } from "./actors/health/charts.ts"
import { healthSourceLayer } from "./actors/health/health.ts"
import { commandsLayer } from "./actors/operators/commands.ts"
import { resetPractice } from "./actors/service/reset.ts"
import { RunningTree } from "./actors/platform/running-tree.ts"
import { runService } from "./actors/service/service.ts"
import { startupLayer } from "./actors/platform/startup.ts"
import { exitStatus, type Verdict, verdictOfFault, verdictOfProblems } from "./domain/platform/exit-status.ts"
import { settingsWarnings } from "./domain/kernel/settings-warnings.ts"
import { describeReading, secretReadings } from "./domain/kernel/settings-secrets.ts"
import { plainEnvironment } from "./domain/kernel/settings-text.ts"
import { projectRoot, readBuild } from "./layers/platform/build.files.ts"
import { DrillControl } from "./actors/operators/drill-control.ts"
import { LiveTree } from "./actors/operators/live-tree.ts"
import { SettingsControl } from "./actors/operators/reloader.ts"
import { settingsEditorLayer } from "./actors/operators/settings-preview.ts"
import { SettingsRecord } from "./actors/operators/settings-record.ts"
import { settingsMask } from "./layers/platform/config-mask.ts"
import { makeLiveSettings } from "./layers/platform/config.live.ts"
import { ConfigReader } from "./layers/platform/config.port.ts"
import { describeSettings } from "./domain/kernel/settings-shown.ts"
import { loadSettings, settingsPath, settingsReport } from "./layers/platform/config.load.ts"
import { makeControlToken } from "./layers/platform/control-token.file.ts"
import { nodeEntropy } from "./layers/platform/entropy.node.ts"
import { installHost } from "./layers/platform/host.node.ts"
import { logLayer, makeLineWriter } from "./layers/platform/log.stdout.ts"
import { settingsFileDisk } from "./layers/platform/settings-file.disk.ts"
import { terminalLayer } from "./layers/platform/terminal.stdout.ts"
import { observeTree } from "./layers/alerts/reports.log.ts"
import { componentLayer, databaseTarget, listenerLayer } from "./layers/service.live.ts"

const host = installHost()
const { environment } = plainEnvironment(process.env)
const build = readBuild(projectRoot, environment)
const load = (instead: Parameters<typeof loadSettings>[3]) =>
  loadSettings(process.env, process.cwd(), process.stdout.isTTY, instead)
const read = () => load({})
const loaded = Result.flatMap(read(), (settings) =>
  Result.mapBoth(databaseTarget(settings), {
    onFailure: ({ reason }) => [{ path: "DATABASE_URL", message: reason }],
    onSuccess: (target) => ({
      live: makeLiveSettings(settings),
      settings,
      target,
      token: makeControlToken(settings, nodeEntropy)
    })
  })
)

const log = Result.match(loaded, {
  onFailure: () => ({ level: "info", format: "json", secrets: [] }) as const,
  onSuccess: ({ live, settings, token }) => {
    const mask = settingsMask(live.view)
    return { ...settings.log, secrets: [], mask: (text: string) => mask(token.mask(text)) }
  }
})
const writeLine = makeLineWriter(log)
const line = (level: string, event: string, msg: string, fields: object): void =>
  writeLine({ ts: new Date().toISOString(), level, event, msg, component: "root", ...fields })

const boot = (words: string, fields: object): void =>
  line("info", "boot", `holdfast ${build.version} (${build.commit.slice(0, 12)}) ${words}`, {
    ...build,
    ...fields,
    pid: process.pid,
    node: process.version
  })

const exit = ({ fatal, status }: Verdict): never => {
  // The path of a setting that was refused is none of the tree.
  const component = fatal?.path.startsWith("root") === true ? fatal.path : "root"
  if (fatal !== null) line("error", "fatal", fatal.cause, { ...fatal, component, status })
  process.exit(status)
}

const isChecking = process.argv.includes("--check-config")
if (isChecking && process.stdout.isTTY) {
  const outcome = Result.map(loaded, ({ settings }) => settings)
  const warnings = Result.isSuccess(outcome) ? settingsWarnings(outcome.success) : []
  process.stdout.write(`${settingsReport(outcome, warnings).join("\n")}\n`)
  process.exit(Result.isSuccess(outcome) ? 0 : exitStatus.configuration)
} else if (Result.isFailure(loaded)) {
  // Which of them nobody knows: it is the configuration that would say so.
  if (!isChecking) boot("refuses its configuration", { mode: null, roles: null, port: null })
  exit(verdictOfProblems(loaded.failure))
} else if (isChecking) {
  for (const { message, path } of settingsWarnings(loaded.success.settings))
    process.stderr.write(`warning: ${path}: ${message}\n`)
  process.stdout.write(`${JSON.stringify(describeSettings(loaded.success.settings), null, 2)}\n`)
  process.exit(0)
} else {
  const { live, settings, target, token } = loaded.success
  const { mode, port, roles } = settings
  boot(`in ${mode} mode`, { mode, roles: [...roles], port })
  const reading = describeReading(settings)
  if (reading !== null)
    line("info", "config.read", reading, { secrets: secretReadings(settings), trimmed: settings.trimmed })
  const components = componentLayer(live, target, build, { entropy: nodeEntropy, host, token }, environment)
  const layers = listenerLayer.pipe(
    Layer.provideMerge(commandsLayer),
    Layer.provideMerge(healthSourceLayer),
    Layer.provideMerge(
      Layer.mergeAll(
        chartsLayer,
        RunningTree.layer,
        startupLayer,
        DrillControl.layer,
        settingsEditorLayer.pipe(
          Layer.provideMerge(SettingsControl.layer),
          Layer.provideMerge(
            Layer.mergeAll(
              SettingsRecord.layer,
              LiveTree.layer,
              settingsFileDisk(settingsPath(process.env, process.cwd())),
              Layer.succeed(ConfigReader, {
                read,
                readWith: (changes) => load({ changes }),
                readText: (text) => load({ text })
              })
            )
          )
        ),
        terminalLayer(settings.log.format)
      )
    ),
    Layer.provideMerge(components),
    Layer.provideMerge(logLayer(log))
  )
  const program = process.argv.includes("--reset-practice")
    ? resetPractice
    : Effect.flatMap(observeTree, runService)
  Effect.runPromise(program.pipe(Effect.provide(layers))).then(exit, (fault: unknown) =>
    exit(verdictOfFault(fault))
  )
}
