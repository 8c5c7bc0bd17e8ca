/**
 * The Prometheus text of figures that are read when they are scraped.
 *
 * Promises: HELP and TYPE once per family, labels escaped, one line per sample, a family without samples is left out.
 * Never: formats a number a scraper cannot read.
 */

import type { Family } from "../platform/figures.port.ts"

const escapeLabel = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")

const labelsOf = (labels: Readonly<Record<string, string>>): string => {
  const entries = Object.entries(labels)
  return entries.length === 0
    ? ""
    : `{${entries.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",")}}`
}

const numberOf = (value: number): string =>
  Number.isNaN(value) ? "NaN" : value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value)

/** The families as text, each line ended. */
export const formatFamilies = (families: ReadonlyArray<Family>): string =>
  families
    .filter(({ samples }) => samples.length > 0)
    .flatMap(({ help, name, samples, type }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(({ labels, value }) => `${name}${labelsOf(labels)} ${numberOf(value)}`)
    ])
    .map((line) => `${line}\n`)
    .join("")
