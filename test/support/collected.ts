/**
 * Whether something is still held: a weak reference, and a forced collection. What a test looks at must not be held
 * by the test itself: make it in a function that returns the weak reference and nothing else of it.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Collections before something counts as held: what a collection frees may have held more. */
const TRIES = 5;

/** Whether what `ref` refers to is gone after a collection. */
export async function isCollected(ref: WeakRef<object>): Promise<boolean> {
  for (let i = 0; i < TRIES; i++) {
    // A weak reference that was made or read in this turn keeps its object until the turn is over.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    if (ref.deref() === undefined) return true;
  }
  return false;
}

/** Which of these are held after a collection, by name. */
export async function held(refs: Readonly<Record<string, WeakRef<object>>>): Promise<string[]> {
  const names: string[] = [];
  for (const [name, ref] of Object.entries(refs)) if (!(await isCollected(ref))) names.push(name);
  return names;
}
