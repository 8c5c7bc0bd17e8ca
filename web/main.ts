/**
 * The console's entry: mounts the page.
 *
 * Promises: nothing but the page's own files is loaded.
 * Never: holds logic.
 */
import "@fontsource-variable/jetbrains-mono/wght.css"
import { mount } from "svelte"
import App from "./app.svelte"
import "./style.css"

const target = document.querySelector("#app")
if (target !== null) mount(App, { target })
