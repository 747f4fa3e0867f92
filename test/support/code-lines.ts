/** Counts lines of code: those that hold more than blanks and comments. */
import ts from "typescript";

/** How many lines of a text of TypeScript or JavaScript hold code. */
export function codeLines(path: string, text: string): number {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const lines = new Set<number>();
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(file).filter((child) => !ts.isJSDoc(child));
    for (const child of children) visit(child);
    if (children.length > 0 || node.getWidth(file) === 0) return;
    // A token, or a template's piece: it may go over several lines.
    const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line;
    const last = file.getLineAndCharacterOfPosition(node.getEnd()).line;
    for (let line = first; line <= last; line++) if (isCode(file, line)) lines.add(line);
  };
  visit(file);
  return lines.size;
}

/** An empty line within a template is no line of code. */
function isCode(file: ts.SourceFile, line: number): boolean {
  const [start, end] = [file.getLineStarts()[line], file.getLineStarts()[line + 1]];
  return file.text.slice(start, end).trim() !== "";
}
