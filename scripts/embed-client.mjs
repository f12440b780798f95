// Writes the sources of the client's template to dist/assets/client/ without their types, by code of its
// own: the compilers (TypeScript's emit, esbuild) drop the comments that are the template's markers.
// With them, generate-client makes one JavaScript file of the sources without a compiler.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as prettier from 'prettier';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = `${root}/templates/typescript/client/src`;
const target = `${root}/dist/assets/client`;
const { SyntaxKind } = ts;

/** Modifiers that JavaScript does not have. */
const TYPE_MODIFIERS = [
  SyntaxKind.AbstractKeyword,
  SyntaxKind.OverrideKeyword,
  SyntaxKind.PrivateKeyword,
  SyntaxKind.ProtectedKeyword,
  SyntaxKind.PublicKeyword,
  SyntaxKind.ReadonlyKeyword,
];

/** The ranges [from, to) of `file` that only types need. The syntax is erasable: nothing else has types. */
function typeRanges(file) {
  const ranges = [];
  const { text } = file;
  const statement = (node) => {
    const [comment] = node.jsDoc ?? [];
    const end = text[node.end] === '\n' ? node.end + 1 : node.end;
    ranges.push([comment?.pos ?? node.getStart(file), end]);
  };
  const visit = (node) => {
    const isType =
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      (ts.isImportDeclaration(node) && node.importClause?.isTypeOnly) ||
      (ts.isExportDeclaration(node) && node.isTypeOnly) ||
      (ts.isClassElement(node) &&
        node.modifiers?.some(({ kind }) => kind === SyntaxKind.AbstractKeyword));
    if (isType) {
      statement(node);
      return;
    }
    for (const modifier of node.modifiers ?? []) {
      if (TYPE_MODIFIERS.includes(modifier.kind))
        ranges.push([modifier.getStart(file), modifier.end + 1]);
    }
    for (const list of [node.typeParameters, node.typeArguments]) {
      if (list) ranges.push([list.pos - 1, text.indexOf('>', list.end) + 1]);
    }
    if (ts.isParameter(node) || ts.isPropertyDeclaration(node) || ts.isVariableDeclaration(node)) {
      if (node.type) ranges.push([node.name.end, node.type.end]);
    } else if (ts.isFunctionLike(node)) {
      const close = node.getChildren(file).find(({ kind }) => kind === SyntaxKind.CloseParenToken);
      if (node.type) ranges.push([close.end, node.type.end]);
    } else if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) {
      ranges.push([node.expression.end, node.end]);
    } else if (ts.isNonNullExpression(node)) {
      ranges.push([node.expression.end, node.end]);
    }
    ts.forEachChild(node, (child) => {
      if (!ts.isTypeNode(child) || ts.isExpressionWithTypeArguments(child)) visit(child);
    });
  };
  visit(file);
  return ranges;
}

mkdirSync(target, { recursive: true });
for (const name of readdirSync(source)) {
  const text = readFileSync(`${source}/${name}`, 'utf8');
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);
  let stripped = text;
  for (const [from, to] of typeRanges(file).sort(([a], [b]) => b - a)) {
    stripped = stripped.slice(0, from) + stripped.slice(to);
  }
  // The alternatives of features that are off are comments.
  stripped = stripped.replace(/^\/\/~ export (?:interface|type) .*\n/gm, '');
  const options = await prettier.resolveConfig(`${root}/package.json`);
  const pretty = await prettier.format(stripped, { ...options, parser: 'babel' });
  writeFileSync(`${target}/${name.replace(/\.ts$/, '.js')}`, pretty);
}
