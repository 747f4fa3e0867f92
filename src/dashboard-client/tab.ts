/**
 * What the Web Workers of a lent tab run, in one script of its own that is loaded when a tab is lent: which of them it is
 * to be stands in the fragment of its address.
 */

if (location.hash === "#socket") void import("../browser/socket-entry.ts");
else void import("../browser/handler-entry.ts");
