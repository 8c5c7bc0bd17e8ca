/**
 * Installs what package-lock.json names, when node_modules does not hold it yet.
 *
 * Why: a newcomer types `npm start` on a machine with some Node and npm and nothing else. This is the one
 * file that runs before the install, on the machine's own Node, hence plain JavaScript without packages.
 *
 * Promises: several at once (a start and a test, two starts) install once, the others wait; an install
 * that was killed half-way is noticed and repeated; a complete node_modules is never touched, even when it
 * is read-only; all output goes to stderr.
 * Never: changes package-lock.json; runs npm when nothing is missing.
 * Failure: exit 69 (a start-up step failed) with one line that says what to do.
 */
import { spawn } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const modules = path.join(root, "node_modules")
const stamp = path.join(modules, ".setup-stamp")
const nodeLink = path.join(modules, ".bin", "node")
const lockDirectory = path.join(root, ".setup-lock")

/** Type stripping and `import.meta.main`, both used without flags, are there from this version on. */
const nodeVersionMin = [24, 9]

/** The holder of the lock touches it this often. */
const heartbeatMs = 1_000
/** A lock that was not touched for this long belongs to a dead process: 15 missed heartbeats. */
const lockStaleMs = 15_000
/** npm cleans up after SIGTERM for as long as a whole install; a killed install is noticed and repeated anyway. */
const stopMsMax = 1_000
/** A cold install takes under a minute; a registry that hangs must not hold the others forever. */
const lockWaitMsMax = 900_000

const say = (text) => process.stderr.write(`setup: ${text}\n`)

const fail = (text) => {
  say(text)
  process.exit(69)
}

const readJson = (file) => {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"))
  } catch {
    return undefined
  }
}

/** The service runs without the development packages, so a production install must satisfy it. */
const needsDevelopment = !process.argv.slice(2).some((argument) => argument.startsWith("src/"))

/** Whether npm's own record of what it installed agrees with the lock; npm writes that record last. */
const isInstalled = (withDevelopment) => {
  const wanted = readJson(path.join(root, "package-lock.json"))
  const installed = readJson(path.join(modules, ".package-lock.json"))
  if (wanted === undefined) fail("package-lock.json is missing or unreadable")
  if (installed === undefined) return false
  for (const [key, entry] of Object.entries(wanted.packages)) {
    if (key === "") continue
    const found = installed.packages[key]
    if (found === undefined) {
      if (entry.optional === true || entry.devOptional === true || entry.peer === true) continue
      if (entry.dev === true && !withDevelopment) continue
      return false
    }
    if (found.version !== entry.version) return false
    if (entry.integrity !== undefined && found.integrity !== undefined && found.integrity !== entry.integrity)
      return false
  }
  return true
}

/** Without a packaged Node for this platform, the machine's own serves when it is new enough. */
const ensureNode = () => {
  if (fs.existsSync(nodeLink)) return
  const [major, minor] = process.versions.node.split(".").map(Number)
  if (major < nodeVersionMin[0] || (major === nodeVersionMin[0] && minor < nodeVersionMin[1])) {
    fail(
      `no packaged Node for ${process.platform}-${process.arch}, and this one is ${process.version}: ` +
        `install Node ${nodeVersionMin.join(".")} or newer and run the command again`
    )
  }
  fs.rmSync(nodeLink, { force: true })
  fs.mkdirSync(path.dirname(nodeLink), { recursive: true })
  fs.symlinkSync(process.execPath, nodeLink)
}

/** The stamp only saves the next start this comparison, so a read-only tree does without. */
const writeStamp = () => {
  try {
    fs.copyFileSync(path.join(root, "package-lock.json"), stamp)
  } catch (error) {
    say(`cannot write the stamp, every start will compare again (${error.code})`)
  }
}

const finish = () => {
  ensureNode()
  if (isInstalled(true)) writeStamp()
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Takes the lock directory, or waits for its holder. `false`: someone else finished the install meanwhile. */
const takeLock = async () => {
  const givesUpAt = Date.now() + lockWaitMsMax
  let announced = false
  for (;;) {
    try {
      fs.mkdirSync(lockDirectory)
      return
    } catch (error) {
      if (error.code !== "EEXIST") {
        fail(`cannot install into ${root} (${error.code}): run \`npm ci\` there once as a user who may write`)
      }
    }
    let touchedAt
    try {
      touchedAt = fs.statSync(lockDirectory).mtimeMs
    } catch {
      continue
    }
    if (Date.now() - touchedAt > lockStaleMs) {
      // Renaming is atomic: of several waiters exactly one removes the dead lock, and never a fresh one in its place.
      const grave = `${lockDirectory}.${process.pid}`
      try {
        fs.renameSync(lockDirectory, grave)
        fs.rmdirSync(grave)
      } catch {
        // Another waiter was faster; the next round sees its lock.
      }
      continue
    }
    if (!announced) say("another process is installing, waiting for it")
    announced = true
    if (Date.now() > givesUpAt) fail(`gave up waiting for ${lockDirectory}`)
    await sleep(200)
  }
}

/** Whether `directory` can be written, or made: then its nearest ancestor that exists can be written. */
const canWrite = (directory) => {
  try {
    fs.accessSync(directory, fs.constants.W_OK)
    return true
  } catch (error) {
    const parent = path.dirname(directory)
    return error.code === "ENOENT" && parent !== directory && canWrite(parent)
  }
}

/** The npm that runs us, or the one on the path; a user without a home of his own gets a cache elsewhere. */
const npmCommand = () => {
  const running = process.env.npm_execpath
  const command =
    running !== undefined && path.basename(running) === "npm-cli.js" ? [process.execPath, running] : ["npm"]
  const env = { ...process.env }
  if (!canWrite(env.npm_config_cache ?? path.join(os.homedir(), ".npm"))) {
    env.npm_config_cache = path.join(os.tmpdir(), `npm-cache-${process.getuid?.() ?? 0}`)
  }
  return {
    command: [
      ...command,
      "ci",
      "--include=dev",
      "--include=optional",
      "--no-audit",
      "--no-fund",
      "--loglevel=error"
    ],
    env
  }
}

const install = async () => {
  say("installing packages (once, about half a minute)")
  const { command, env } = npmCommand()
  const [program, ...rest] = command
  const child = spawn(program, rest, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] })
  child.stdout.pipe(process.stderr)
  let interrupted = false
  const stop = () => {
    interrupted = true
    child.kill("SIGTERM")
    setTimeout(() => child.kill("SIGKILL"), stopMsMax)
  }
  process.on("SIGTERM", stop)
  process.on("SIGINT", stop)
  process.on("SIGHUP", stop)
  const status = await new Promise((resolve) => {
    child.on("error", (error) => {
      say(error.message)
      resolve(127)
    })
    child.on("close", (code, signal) => resolve(code ?? signal))
  })
  if (interrupted) fail("interrupted; the next command installs again")
  if (status !== 0) fail(`npm ci ended with ${status}; is the package registry reachable?`)
}

// This is the machine's own Node, which may be too old for --disable-sigusr1: a handler keeps its debugger closed too.
for (const signal of ["SIGUSR1", "SIGUSR2"]) process.on(signal, () => say(`${signal} does nothing here`))

if (isInstalled(needsDevelopment)) {
  finish()
} else {
  await takeLock()
  const heartbeat = setInterval(() => {
    fs.utimesSync(lockDirectory, new Date(), new Date())
  }, heartbeatMs)
  process.on("exit", () => fs.rmSync(lockDirectory, { recursive: true, force: true }))
  if (!isInstalled(needsDevelopment)) await install()
  clearInterval(heartbeat)
  finish()
}
