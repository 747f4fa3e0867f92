/** Names that JavaScript or its tools ask any object for: none of them is a task, so that a client can be awaited, printed and compared. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "then",
  "catch",
  "finally",
  "toJSON",
  "toString",
  "toLocaleString",
  "valueOf",
  "constructor",
  "prototype",
  "asymmetricMatch",
]);
