/**
 * What TypeScript sees of components and styles, which it does not read.
 *
 * Promises: a component can be mounted.
 * Never: describes the properties of one.
 */
declare module "*.svelte" {
  import type { Component } from "svelte"
  const component: Component
  export default component
}
declare module "*.css"
