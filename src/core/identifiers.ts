/** Identities, labels and paths: what they may look like, and how they are checked. */
import type { Validator } from "./options.ts";

/** The most labels of a worker's own. */
export const MAX_LABELS = 32;
/** The most labels of a HELLO, those of its tasks and of a fleet behind it included. */
export const MAX_TOLD_LABELS = 255;
/** The most tasks of one worker. */
export const MAX_TASKS = 200;

/** The label by which a worker says that it has a task, and by which a job asks for one. */
export function taskLabel(task: string): string {
  return `task:${task}`;
}

/** The task that such a label names; `undefined` for any other label. */
export function taskOf(label: string): string | undefined {
  return label.startsWith("task:") ? label.slice("task:".length) : undefined;
}

/** The most relays that are stacked: more of them are a ring. */
export const MAX_RELAYS = 8;

/** What a runner says to a relay that tells of more. */
export const TOO_MANY_RELAYS: string = `more than ${MAX_RELAYS} relays are stacked, or they are a ring`;

/** The label by which a relay says how many relays are stacked, it included, if there are others behind it. */
export function stackLabel(relays: number): string {
  return `relays:${relays}`;
}

/** How many relays such a label tells; `undefined` for any other label. */
export function stackOf(label: string): number | undefined {
  return /^relays:\d+$/.test(label) ? Number(label.slice("relays:".length)) : undefined;
}

/** How many relays are stacked by the labels of the outermost of them. */
export function stackTold(labels: readonly string[]): number {
  return labels.reduce((most, label) => Math.max(most, stackOf(label) ?? 1), 1);
}

/** What can name a task, in words. */
export const TASK_FORM = "1 to 64 characters of A-Z a-z 0-9 . _ -";

/** Whether `text` can name a task: `[A-Za-z0-9._-]{1,64}`. */
export function isTaskName(text: string): boolean {
  return text.length >= 1 && text.length <= 64 && !/[^A-Za-z0-9._-]/.test(text);
}

/** What can name something, in words. */
export const IDENTITY_FORM = "1 to 128 characters of A-Z a-z 0-9 . _ : -";

/** Whether `text` can name a worker, an instance, a session, a runner or a label: `[A-Za-z0-9._:-]{1,128}`. */
export function isIdentity(text: string): boolean {
  return text.length >= 1 && text.length <= 128 && !/[^A-Za-z0-9._:-]/.test(text);
}

/** The most names of a path. */
export const MAX_PATH = 8;

/** Whether `text` can be a path: 1 to 8 identities, joined by `/`. */
export function isPath(text: string): boolean {
  const names = text.split("/");
  return names.length <= MAX_PATH && names.every(isIdentity);
}

/** The path below `identity`: it in front of what its worker told, cut to 8 names. */
export function joinPath(identity: string, below: string | undefined): string {
  if (below === undefined || below === "") return identity;
  const names = below.split("/");
  return [identity, ...names.slice(0, MAX_PATH - 1)].join("/");
}

/** What is left of the paths that begin with `identity`, without those that end there. */
export function pathsBelow(identity: string, paths: readonly string[]): string[] {
  const start = `${identity}/`;
  return paths.filter((path) => path.startsWith(start)).map((path) => path.slice(start.length));
}

/** A name of that form. */
export const identityName: Validator = (value) =>
  typeof value === "string" && isIdentity(value) ? undefined : IDENTITY_FORM;

/** At most 32 labels, of the alphabet of identities. */
export const labelList: Validator = (value) => {
  const fits =
    Array.isArray(value) &&
    value.length <= MAX_LABELS &&
    // Spread: `every` would pass over the holes of a list.
    [...value].every((label) => identityName(label) === undefined && stackOf(label as string) === undefined);
  return fits ? undefined : `at most ${MAX_LABELS} labels, each ${IDENTITY_FORM}, none of them relays: and a number`;
};
