/**
 * The script of the Web Workers of a lent tab, loaded when a tab is lent. One script serves both kinds: the fragment of its
 * address says which one a worker is.
 */

if (location.hash === "#socket") void import("../browser/socket-entry.ts");
else void import("../web-workers/entry.ts");
