/** Numbers and durations for people, the same on a terminal and on the dashboard. Browser-safe. */

/** A whole number with thousands apart: `1,234,567`. */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** `1 job`, `2 jobs`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A rate or factor in about three digits: `0`, `0.42`, `36.6`, `1,234`. */
export function threeDigits(value: number): string {
  if (value === 0 || value >= 99.95) return grouped(value);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

/** A duration, given in ms: `820 ns`, `4.2 µs`, `12 ms`, `8.2 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function showDuration(ms: number): string {
  if (ms < 0.001) return `${Math.round(ms * 1e6)} ns`;
  if (ms < 1) return `${twoDigits(ms * 1_000)} µs`;
  if (ms < 1_000) return `${twoDigits(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(ms / 3_600_000);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function twoDigits(value: number): string {
  return value.toFixed(value >= 9.95 ? 0 : 1);
}
