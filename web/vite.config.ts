/**
 * How the console is built: relative addresses, so that it works behind any path prefix; one flat folder.
 *
 * Promises: nothing is inlined into the page, which its content security policy would refuse.
 * Never: names a host.
 */
import { svelte } from "@sveltejs/vite-plugin-svelte"
import { defineConfig } from "vite"

export default defineConfig({
  base: "./",
  plugins: [svelte({ compilerOptions: { css: "external", runes: true }, configFile: false })],
  build: {
    target: "es2024",
    assetsDir: "",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false
  }
})
