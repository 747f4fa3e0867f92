/** Rules of style that neither the compiler nor the linter can be told: read off the syntax of one source text. */
import { basename } from "node:path";
import ts from "typescript";

/** Names that say what kind of thing a file holds and not what it owns. */
const EMPTY_NAMES: ReadonlySet<string> = new Set([
  "utils",
  "util",
  "helpers",
  "helper",
  "types",
  "interfaces",
  "common",
]);

/** A comment speaks of things in the code: of the queue, the frame, the caller. */
const PERSONS = /\b(?:who|whom|whoever|somebody|someone|nobody|anybody|anyone|everybody|everyone|he|him|his)\b/gi;

function lineOf(file: ts.SourceFile, node: ts.Node): number {
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}

function isDoubleAssertion(node: ts.Node): boolean {
  if (!ts.isAsExpression(node)) return false;
  let inner: ts.Node = node.expression;
  while (ts.isParenthesizedExpression(inner)) inner = inner.expression;
  return ts.isAsExpression(inner) && inner.type.kind === ts.SyntaxKind.UnknownKeyword;
}

function isModuleVariable(node: ts.Node): boolean {
  return ts.isVariableStatement(node) && (node.declarationList.flags & ts.NodeFlags.Const) === 0 && !isAmbient(node);
}

function isAmbient(node: ts.VariableStatement): boolean {
  return node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.DeclareKeyword) ?? false;
}

function isUsing(node: ts.Node): boolean {
  return (
    ts.isVariableDeclarationList(node) &&
    [ts.NodeFlags.Using, ts.NodeFlags.AwaitUsing].includes(node.flags & ts.NodeFlags.BlockScoped)
  );
}

/** What is wrong anywhere, tests included: an assertion by way of `unknown`. */
export function looseAssertions(path: string, text: string): readonly string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (isDoubleAssertion(node)) found.push(`${path}:${lineOf(file, node)}: an assertion by way of \`unknown\``);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Comments that speak of a thing as of a person. */
export function personsInComments(path: string, text: string): readonly string[] {
  const found: string[] = [];
  const comments = text.matchAll(/\/\*[\s\S]*?\*\/|(?<![:"'`\w])\/\/.*$/gm);
  for (const { 0: comment, index } of comments) {
    for (const { 0: word, index: at } of comment.matchAll(PERSONS)) {
      const line = text.slice(0, index + at).split("\n").length;
      found.push(`${path}:${line}: "${word}" in a comment`);
    }
  }
  return found;
}

function declaredNames(file: ts.SourceFile): readonly string[] {
  return file.statements.flatMap((node) => {
    const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) : undefined;
    if (modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) !== true) return [];
    if (ts.isVariableStatement(node)) return node.declarationList.declarations.map(({ name }) => name.getText(file));
    return "name" in node && node.name !== undefined ? [(node.name as ts.Node).getText(file)] : [];
  });
}

/** Names that more than one file exports: one name, one meaning. */
export function sharedNames(texts: ReadonlyMap<string, string>): readonly string[] {
  const files = new Map<string, Set<string>>();
  for (const [path, text] of texts) {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    for (const name of declaredNames(file)) files.set(name, (files.get(name) ?? new Set()).add(path));
  }
  return [...files].filter(([, paths]) => paths.size > 1).map(([name, paths]) => `${name}: ${[...paths].join(", ")}`);
}

/** What is wrong in what is shipped: mutable module state, `using`, a file without an opening comment or a telling name. */
export function houseFaults(path: string, text: string): readonly string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const found = [...looseAssertions(path, text)];
  const visit = (node: ts.Node): void => {
    if (isUsing(node)) found.push(`${path}:${lineOf(file, node)}: \`using\` is large once compiled`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  for (const node of file.statements) {
    if (isModuleVariable(node)) found.push(`${path}:${lineOf(file, node)}: a variable of the module`);
  }
  if (!/^(#!.*\n)?\/\*\*/.test(text)) found.push(`${path}:1: does not open with what it owns`);
  if (EMPTY_NAMES.has(basename(path, ".ts"))) found.push(`${path}:1: says nothing by its name`);
  return found;
}
