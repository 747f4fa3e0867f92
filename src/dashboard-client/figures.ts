/** Numbers as people read them. */

/** A whole number with thousands apart: `1,234,567`. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A rate in about three digits: `0`, `0.42`, `36.6`, `1,234`. */
export function rate(value: number): string {
  if (value === 0) return "0";
  if (value >= 99.95) return whole(value);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

/** A short time in ms: `0.4 ms`, `12 ms`, `1.2 s`, `3.5 min`; a dash when there is none. */
export function latency(ms: number | null): string {
  if (ms === null) return "–";
  if (ms < 9.95) return `${ms.toFixed(ms < 0.095 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  return `${(ms / 60_000).toFixed(1)} min`;
}

/** How long something has been, in ms: `8 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
