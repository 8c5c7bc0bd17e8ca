/**
 * The drawn statecharts, loaded once.
 *
 * Promises: `all` is empty until they came; why they did not is in `problem`.
 * Never: computes a coordinate.
 */
import { read } from "./api.ts"
import type { MachineChart } from "./machine-chart.ts"

class Charts {
  all = $state.raw<ReadonlyMap<string, MachineChart>>(new Map())
  problem = $state("")
  #loading: Promise<void> | null = null

  load(): Promise<void> {
    this.#loading ??= this.#read()
    return this.#loading
  }

  async #read(): Promise<void> {
    try {
      const machines = await read<ReadonlyArray<MachineChart>>("/console/machines.json")
      this.all = new Map(machines.map((machine) => [machine.name, machine]))
      this.problem = ""
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error)
      this.#loading = null
    }
  }
}

export const charts = new Charts()
