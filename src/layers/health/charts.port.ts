/**
 * Charts: the port to the statecharts of this service, as data.
 *
 * The API serves them and must not know a machine; so they come through a port, as the tree does.
 *
 * Promises: those of the catalog, in its order; made once.
 * Never: changes while the process lives.
 */
import { Context } from "effect"

/** The shapes are those of `chart` in wire/chart.ts. */
export interface NamedChart {
  readonly name: string
  readonly initial: string | null
  readonly states: ReadonlyArray<{
    readonly id: string
    readonly parent: string | null
    readonly key: string
    readonly type: "atomic" | "compound" | "parallel" | "final" | "history"
    readonly initial: string | null
    readonly description: string | null
    readonly tags: ReadonlyArray<string>
    readonly runs: ReadonlyArray<string>
  }>
  readonly transitions: ReadonlyArray<{
    readonly from: string
    readonly to: string | null
    readonly event: string
    readonly label: string
    readonly guard: string | null
    readonly actions: ReadonlyArray<string>
  }>
}

export interface ChartsService {
  readonly all: () => ReadonlyArray<NamedChart>
}

export class Charts extends Context.Service<Charts, ChartsService>()("holdfast/layers/Charts") {}
