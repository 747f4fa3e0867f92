// The whole of a tab that lends its cores: one call, and what to show of it.
import { serveFromTab } from "powerhose/browser";

const state = document.querySelector("#state");
const stop = document.querySelector("#stop");

function show({ state: name, size, done, rate }) {
  state.textContent = `${name}: ${size} Web Workers, ${done} jobs done, ${rate} a second`;
}

try {
  const share = await serveFromTab(`ws://${location.host}/work`, { module: "/primes.js" });
  share.on(() => show(share.stats));
  show(share.stats);
  stop.addEventListener("click", () => void share.drain());
} catch (error) {
  state.textContent = String(error);
}
