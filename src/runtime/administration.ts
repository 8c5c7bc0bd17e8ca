/**
 * Administration of a tree by path: finds the supervisor, asks it, turns its answer into an effect.
 *
 * Promises: an unknown path, a full mailbox and a stopping supervisor are typed answers; interrupting a request
 * forgets it without disturbing what it asked for.
 * Never: touches a child itself.
 */
import { Context, Effect } from "effect"
import {
  type ChildSpec,
  checkChildSpec,
  checkFlags,
  checkInstance,
  type Ignore,
  type Running,
  type Start
} from "./child-spec.ts"
import type { Child, CoreEvent, Ticket } from "./core-state.ts"
import type { Life } from "./life.ts"
import { type Check, SpecInvalid } from "./spec-validation.ts"
import type { Answer, SupervisorShell } from "./supervisor-shell.ts"
import {
  AdminError,
  type AdminReason,
  type ChildDown,
  type StartedChild,
  type SupervisorFlags,
  type Tree
} from "./tree.ts"
import { countsOf, linesOf } from "./tree-nodes.ts"

type Operations = Pick<
  Tree,
  | "startChild"
  | "startInstance"
  | "terminateChild"
  | "restartChild"
  | "deleteChild"
  | "pause"
  | "resume"
  | "bounce"
  | "whichChildren"
  | "countChildren"
  | "getChildSpec"
  | "setFlags"
  | "reconfigure"
  | "watch"
>

/** The administrative part of a `Tree`. */
export const administration = (root: SupervisorShell): Operations => {
  const at = <A>(
    operation: string,
    path: string,
    use: (shell: SupervisorShell) => Effect.Effect<A, AdminError>
  ): Effect.Effect<A, AdminError> =>
    Effect.suspend(() => {
      const shell = supervisorAt(root, path)
      return typeof shell === "string" ? refused(operation, path, shell) : use(shell)
    })
  const verb =
    (operation: string, tag: "Terminate" | "Restart" | "Delete" | "Pause" | "Resume" | "Bounce") =>
    (path: string) => {
      const cut = path.lastIndexOf("/")
      return at(operation, path.slice(0, Math.max(cut, 0)), (shell) =>
        ask(shell, operation, path, (ticket) => ({ _tag: tag, ticket, id: path.slice(cut + 1) }))
      )
    }
  const childAt = (operation: string, path: string): Effect.Effect<Child<Life>, AdminError> => {
    const cut = path.lastIndexOf("/")
    return at(operation, path.slice(0, Math.max(cut, 0)), (shell) => {
      const child = shell.core.children.get(path.slice(cut + 1))
      return child === undefined ? refused(operation, path, "not_found") : Effect.succeed(child)
    })
  }
  return {
    startChild: (path, spec) =>
      withSpec("startChild", root, path, spec, (shell, provided) =>
        started(
          ask(shell, "startChild", `${path}/${spec.id}`, (ticket) => ({
            _tag: "AddChild",
            ticket,
            spec: provided
          }))
        )
      ),
    startInstance: (path, instance) =>
      at("startInstance", path, (shell) => {
        const fault = faultIn(checkInstance, "instance", instance)
        return fault === undefined
          ? started(
              ask(shell, "startInstance", path, (ticket) => ({ _tag: "AddInstance", ticket, instance }))
            )
          : refused("startInstance", path, "spec_invalid", fault)
      }),
    terminateChild: (path) => Effect.asVoid(verb("terminateChild", "Terminate")(path)),
    restartChild: (path) => started(verb("restartChild", "Restart")(path)),
    deleteChild: (path) => Effect.asVoid(verb("deleteChild", "Delete")(path)),
    pause: (path) => Effect.asVoid(verb("pause", "Pause")(path)),
    resume: (path) => started(verb("resume", "Resume")(path)),
    bounce: (path) => started(verb("bounce", "Bounce")(path)),
    whichChildren: (path) => at("whichChildren", path, (shell) => Effect.sync(() => linesOf(shell.core))),
    countChildren: (path) => at("countChildren", path, (shell) => Effect.sync(() => countsOf(shell.core))),
    getChildSpec: (path) =>
      Effect.map(
        childAt("getChildSpec", path),
        (child) => ({ ...child.spec, id: child.id }) as ChildSpec<never>
      ),
    setFlags: (path, flags) => at("setFlags", path, (shell) => setFlags(shell, path, flags)),
    reconfigure: (path, spec) =>
      withSpec("reconfigure", root, path, spec, (shell, provided) =>
        provided.type === "worker"
          ? refused("reconfigure", path, "not_allowed")
          : Effect.asVoid(
              ask(shell, "reconfigure", path, (ticket) => ({ _tag: "Reconfigure", ticket, spec: provided }))
            )
      ),
    watch: (path) => Effect.flatMap(childAt("watch", path), (child) => watch(path, child))
  }
}

const refused = (
  operation: string,
  path: string,
  reason: AdminReason,
  cause?: unknown
): Effect.Effect<never, AdminError> =>
  Effect.fail(
    new AdminError(cause === undefined ? { operation, path, reason } : { operation, path, reason, cause })
  )

/** The supervisor at a path, or why there is none. */
const supervisorAt = (root: SupervisorShell, path: string): SupervisorShell | AdminReason => {
  const segments = path.split("/")
  if (segments[0] !== root.path) return "not_found"
  let shell = root
  for (const id of segments.slice(1)) {
    const child = shell.core.children.get(id)
    if (child === undefined) return "not_found"
    if (child.spec.type === "worker") return "not_allowed"
    const below = child.handle?.subtree as SupervisorShell | undefined
    if (below === undefined) return "not_running"
    shell = below
  }
  return shell
}

const ask = (
  shell: SupervisorShell,
  operation: string,
  path: string,
  event: (ticket: Ticket) => Extract<CoreEvent<Life>, { readonly ticket: Ticket }>
) =>
  Effect.callback<StartedChild | undefined, AdminError>((resume) => {
    const ticket = shell.runtime.ticket(operation)
    const forget = shell.request(event(ticket), (answer: Answer) =>
      resume(
        answer.ok ? Effect.succeed(answer.started) : refused(operation, path, answer.reason, answer.cause)
      )
    )
    return Effect.sync(forget)
  })

const started = (
  asked: Effect.Effect<StartedChild | undefined, AdminError>
): Effect.Effect<StartedChild, AdminError> =>
  Effect.map(asked, (answer) => answer ?? { path: "", incarnation: 0, ignored: true })

/** The starts in a spec run later, in the supervisor's hands, so the caller's services go with the spec. */
const withSpec = <A>(
  operation: string,
  root: SupervisorShell,
  path: string,
  spec: ChildSpec<any>,
  use: (shell: SupervisorShell, provided: ChildSpec<any>) => Effect.Effect<A, AdminError>
): Effect.Effect<A, AdminError, any> =>
  Effect.contextWith((context: Context.Context<any>) => {
    const shell = supervisorAt(root, path)
    if (typeof shell === "string") return refused(operation, path, shell)
    const fault = faultIn(checkChildSpec, "spec", spec)
    return fault === undefined
      ? use(shell, provideSpec(spec, context))
      : refused(operation, path, "spec_invalid", fault)
  })

/** What a check reports about a value from outside, or nothing. */
const faultIn = (check: Check, at: string, value: unknown): SpecInvalid | undefined => {
  try {
    check(at, value)
    return undefined
  } catch (error) {
    if (error instanceof SpecInvalid) return error
    throw error
  }
}

const provideStart =
  (start: Start<any>, context: Context.Context<any>): Start<any> =>
  (self) =>
    // The scope in force is the child's own; provided services are added under it, never over it.
    Effect.contextWith((own: Context.Context<any>) =>
      Effect.provideContext(
        Effect.map(start(self), (running) => provideRunning(running, context)),
        Context.merge(context, own)
      )
    )

const provideRunning = (
  running: Running<any> | Ignore,
  context: Context.Context<any>
): Running<any> | Ignore => {
  if (typeof running !== "object" || running === null || "_tag" in running) return running
  const { drain, run } = running
  return {
    ...running,
    ...(Effect.isEffect(run) ? { run: Effect.provideContext(run, context) } : {}),
    ...(Effect.isEffect(drain) ? { drain: Effect.provideContext(drain, context) } : {})
  }
}

const provideSpec = (spec: ChildSpec<any>, context: Context.Context<any>): ChildSpec<any> => {
  if (spec.type === "worker") return { ...spec, start: provideStart(spec.start, context) }
  if (spec.type === "supervisor")
    return { ...spec, children: spec.children.map((child) => provideSpec(child, context)) }
  const make = spec.template.start as (args: unknown, id: string) => Start<any>
  return {
    ...spec,
    template: {
      ...spec.template,
      start: (args: unknown, id: string) => provideStart(make(args, id), context)
    }
  }
}

const setFlags = (
  shell: SupervisorShell,
  path: string,
  flags: SupervisorFlags
): Effect.Effect<void, AdminError> =>
  Effect.suspend(() => {
    const fault = faultIn(checkFlags, "flags", flags)
    if (fault !== undefined) return refused("setFlags", path, "spec_invalid", fault)
    const { core } = shell
    if (core.dynamic !== undefined && (flags.strategy !== undefined || flags.autoShutdown !== undefined))
      return refused("setFlags", path, "not_allowed")
    core.strategy = flags.strategy ?? core.strategy
    core.intensity = flags.intensity ?? core.intensity
    core.autoShutdown = flags.autoShutdown ?? core.autoShutdown
    return Effect.void
  })

const watch = (path: string, child: Child<Life>): Effect.Effect<ChildDown, AdminError> => {
  const life = child.handle
  if (life === undefined || life.done) return refused("watch", path, "not_running")
  return Effect.callback<ChildDown>((resume) => {
    const watcher = (down: ChildDown): void => resume(Effect.succeed(down))
    ;(life.watchers ??= []).push(watcher)
    return Effect.sync(() => {
      life.watchers = life.watchers?.filter((other) => other !== watcher)
    })
  })
}
