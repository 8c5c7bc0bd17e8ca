/**
 * Keeps what Node makes of our modules from one start to the next: half of a start is reading TypeScript.
 *
 * Node runs this before it looks at src/main.ts (`--require`). The cache is Node's own, checked by it against every source
 * and its own version, and stands beside the packages, so whoever can change it can change the code as well.
 *
 * Promises: where nothing can be written the service starts as it would without.
 * Never: keeps anything in a folder that others may write.
 */
const module_ = process.getBuiltinModule("node:module")
const { join } = process.getBuiltinModule("node:path")

module_.enableCompileCache(join(__dirname, "..", "node_modules", ".cache", "compile"))
