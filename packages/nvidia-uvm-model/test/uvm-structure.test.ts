import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const SRC = new URL('../src/', import.meta.url);
/** Where the driver is put together: these know the timing model, and its cost files. */
const COMPOSITION = ['index.ts', 'internal.ts', 'uvm-driver.ts', 'uvm-factory.ts'];
const MAX_PARAMETERS = 6;
/** Functions that are handed the GPU on the way of one fault, from the one that begins it. */
const MAX_STAYS = 40;

/** The driver's own files: what it decides. */
const files = readdirSync(SRC)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const text = readFileSync(new URL(name, SRC), 'utf8');
    return { name, text, source: ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true) };
  });

function functionsOf(node: ts.Node): ts.FunctionLikeDeclaration[] {
  const found: ts.FunctionLikeDeclaration[] = [];
  const visit = (one: ts.Node): void => {
    if (ts.isFunctionLike(one) && 'body' in one) found.push(one);
    ts.forEachChild(one, visit);
  };
  visit(node);
  return found;
}

/** Whether a value made at module level can change: an object with identity, or a name that is assigned again. */
function isMutable(list: ts.VariableDeclarationList): boolean {
  if ((list.flags & ts.NodeFlags.Const) === 0) return true;
  const makes = (node: ts.Node): boolean =>
    ts.isNewExpression(node) ||
    (ts.isCallExpression(node) && /^(newMask|maskOf|structuredClone)$/.test(node.expression.getText())) ||
    (!ts.isFunctionLike(node) && (ts.forEachChild(node, makes) ?? false));
  return list.declarations.some(
    ({ initializer, type }) =>
      initializer !== undefined && type?.getText().startsWith('Readonly') !== true && makes(initializer),
  );
}

/** The parameter of `declaration` at `index`, and where it is handed on from there: names of functions with the position. */
function handedOn(declaration: ts.FunctionDeclaration, index: number): [string, number][] {
  const name = declaration.parameters[index]?.name;
  const found: [string, number][] = [];
  if (name === undefined || !ts.isIdentifier(name) || declaration.body === undefined) return found;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      for (const [at, argument] of node.arguments.entries())
        if (ts.isIdentifier(argument) && argument.text === name.text) found.push([node.expression.text, at]);
    }
    ts.forEachChild(node, visit);
  };
  visit(declaration.body);
  return found;
}

describe('the driver’s own files', () => {
  it('keep no state at module level', () => {
    const found = files.flatMap(({ name, source }) =>
      source.statements
        .filter((statement) => ts.isVariableStatement(statement))
        .filter(({ declarationList }) => isMutable(declarationList))
        .map((statement) => `${name}: ${statement.getText().slice(0, 60)}`),
    );
    expect(found).toEqual([]);
  });

  it('have no function of more than six parameters', () => {
    const found = files.flatMap(({ name, source }) =>
      functionsOf(source)
        .filter(({ parameters }) => parameters.length > MAX_PARAMETERS)
        .map((one) => `${name}: ${one.name?.getText() ?? 'a function'}`),
    );
    expect(found).toEqual([]);
  });

  it('know no cost, and read no clock but the driver’s', () => {
    const found = files
      .filter(({ name }) => !COMPOSITION.includes(name))
      .filter(
        ({ text }) => text.includes("from './timing/") || /\bsched\.now\b|\{ now[ ,}].*sched\b/.test(text),
      )
      .map(({ name }) => name);
    expect(found).toEqual([]);
  });

  it('hand the GPU to few on the way of one fault', () => {
    const declared = new Map<string, ts.FunctionDeclaration>();
    for (const { source } of files) {
      for (const statement of source.statements)
        if (ts.isFunctionDeclaration(statement) && statement.name !== undefined)
          declared.set(statement.name.text, statement);
    }
    const stays = new Set<string>();
    const walk = (name: string, index: number): void => {
      const declaration = declared.get(name);
      if (declaration === undefined || stays.has(`${name} ${index}`)) return;
      stays.add(`${name} ${index}`);
      for (const [next, at] of handedOn(declaration, index)) walk(next, at);
    };
    walk('uvmParentGpuServiceReplayableFaults', 0);
    expect(stays.size).toBeGreaterThan(10);
    expect(stays.size).toBeLessThan(MAX_STAYS);
  });
});
