import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hmmGrammar } from '@hmm/syntax';
import { tokenize } from '@hmm/workload';
import oniguruma from 'vscode-oniguruma';
import textmate, { type IGrammar } from 'vscode-textmate';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const stored = join(root, 'packages/syntax/vscode/syntaxes/hmm.tmLanguage.json');

const programs = ['packages/explore/litmus', 'apps/compare/examples', 'apps/compare/programs'].flatMap(
  (folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(?:hmm|litmus)$/.test(file))
      .map((file) => join(folder, file)),
);

/** Kinds of token by the last but one word of their scope. */
const KINDS: Readonly<Record<string, string>> = {
  'keyword.control.hmm': 'keyword',
  'variable.other.hmm': 'name',
  'constant.numeric.hmm': 'number',
  'string.quoted.double.hmm': 'string',
  'keyword.operator.hmm': 'operator',
  'comment.line.number-sign.hmm': 'comment',
};

/** Each coloured character of `text` with its kind: `offset kind`. */
function byGrammar(grammar: IGrammar, text: string): string[] {
  const found: string[] = [];
  let offset = 0;
  let state = textmate.INITIAL;
  for (const line of text.split('\n')) {
    const result = grammar.tokenizeLine(line, state);
    state = result.ruleStack;
    for (const { startIndex, endIndex, scopes } of result.tokens) {
      const kind = KINDS[scopes.at(-1) ?? ''];
      if (kind === undefined) continue;
      for (let i = startIndex; i < Math.min(endIndex, line.length); i++) found.push(`${offset + i} ${kind}`);
    }
    offset += line.length + 1;
  }
  return found;
}

function byLexer(text: string): string[] {
  return tokenize(text).flatMap((token) =>
    Array.from({ length: token.end - token.offset }, (_, i) => `${token.offset + i} ${token.class}`),
  );
}

describe('the grammar, as an editor reads it', () => {
  let grammar: IGrammar;

  beforeAll(async () => {
    const wasm = createRequire(import.meta.url).resolve('vscode-oniguruma/release/onig.wasm');
    await oniguruma.loadWASM(readFileSync(wasm));
    const registry = new textmate.Registry({
      onigLib: Promise.resolve({
        createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
        createOnigString: (text) => new oniguruma.OnigString(text),
      }),
      loadGrammar: () => Promise.resolve(textmate.parseRawGrammar(JSON.stringify(hmmGrammar()), 'hmm.json')),
    });
    const loaded = await registry.loadGrammar('source.hmm');
    if (loaded === null) throw new Error('the grammar does not load');
    grammar = loaded;
  });

  it('has programs to colour', () => {
    expect(programs.length).toBeGreaterThan(50);
  });

  it('colours each of them as the lexer does', () => {
    for (const file of programs) {
      const text = readFileSync(join(root, file), 'utf8');
      expect({ file, colours: byGrammar(grammar, text) }).toEqual({ file, colours: byLexer(text) });
    }
  });

  it.each([
    'in-place in inner 2foo 0x1fg 64KiB',
    'cpu write überall = 5',
    'a "open\nb',
    '\\/ /\\ -> += #x "y"',
  ])('agrees on %j, which is no program', (text) => {
    expect(byGrammar(grammar, text)).toEqual(byLexer(text));
  });

  it('is the one of the extension; UPDATE_GRAMMAR=1 writes it', () => {
    const made = `${JSON.stringify(hmmGrammar(), null, 2)}\n`;
    if (process.env['UPDATE_GRAMMAR'] === '1') writeFileSync(stored, made);
    expect(readFileSync(stored, 'utf8')).toBe(made);
  });
});
