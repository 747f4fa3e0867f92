import { mutation } from "./mutation-try.ts";
console.log(JSON.stringify(await mutation.run("full", (line) => console.log(line)), null, 1));
