/**
 * The programs as one file each under dist/programs, with their source maps: what `npm start` runs.
 *
 * Why: half of a start from source is finding, reading and stripping some 1,500 modules of ours and of packages, and each costs memory for
 * as long as the process lives. Vite, which builds the console, does this too, and leaves out of Effect and zod what nobody uses.
 *
 * Promises: a program behaves as its source does; native packages are loaded from node_modules, where they are.
 * Never: minifies: a stack in a log names functions; touches anything but the folder it was given.
 */
import path from "node:path"
import { build } from "vite"

/** Native, or optional parts of packages that nothing installs. */
const outside = ["koffi", "pg-native", "bufferutil", "utf-8-validate"]

export const programs = {
  holdfast: "src/main.ts",
  "signal-server": "peers/signal-server/main.ts",
  "paper-broker": "peers/paper-broker/main.ts"
} as const

/** Builds every program into `folder`. */
export const buildPrograms = async (root: string, folder: string): Promise<void> => {
  for (const [name, entry] of Object.entries(programs))
    await build({
      root,
      configFile: false,
      logLevel: "error",
      ssr: { noExternal: true, external: outside, target: "node" },
      build: {
        ssr: path.join(root, entry),
        outDir: folder,
        emptyOutDir: false,
        target: "node24",
        sourcemap: true,
        minify: false,
        rolldownOptions: { output: { codeSplitting: false, entryFileNames: `${name}.js` } }
      }
    })
}
