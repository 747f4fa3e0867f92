/**
 * Lets Node run the TypeScript of this repository as it is: `node --import ./test/support/typescript.js main.ts`.
 * For the long runs, which are no tests of vitest's. Types are dropped, not checked.
 */
import { register } from "node:module";

register("./typescript-hooks.js", import.meta.url);
