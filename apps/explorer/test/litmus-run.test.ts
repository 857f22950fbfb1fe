import { compileLitmus } from '@hmm/explore';
import { parseProgram } from '@hmm/workload';
import { describe, expect, test } from 'vitest';
import { LITMUS_DEVICES } from '../src/drivers.js';
import { exploreLitmus, tellLitmus } from '../src/engine/litmus-run.js';
import { LITMUS_GROUPS } from '../src/examples/litmus.js';

describe('litmus tests of the page', () => {
  test('every mistake in the protocol is found, and following it is not', () => {
    const [protocol] = LITMUS_GROUPS;
    const verdicts = protocol?.examples.map(({ text }) => {
      const view = exploreLitmus(text, 5000, LITMUS_DEVICES);
      return view.ok ? view.verdict : 'unreadable';
    });
    expect(verdicts).toEqual(['violated', 'violated', 'violated', 'ok']);
  });

  test('every test of the library has its settings in a place where the language takes them', () => {
    const texts = LITMUS_GROUPS.slice(1).flatMap(({ examples }) => examples.map(({ text }) => text));
    expect(texts.length).toBeGreaterThan(90);
    for (const text of texts) {
      const parsed = parseProgram(text, 'test');
      expect(parsed.ok ? [] : parsed.errors).toEqual([]);
      if (parsed.ok) expect(compileLitmus(parsed.program, 'test').ok).toBe(true);
    }
  });

  test('a counterexample is told again from its replay string', () => {
    const view = exploreLitmus('protocol no-retry', 5000, LITMUS_DEVICES);
    if (!view.ok || view.story === undefined) throw new Error('no counterexample');
    const told = tellLitmus('protocol no-retry', view.story.replay, LITMUS_DEVICES);
    expect(told.ok && told.story.violation?.invariant).toBe('I1');
    expect(tellLitmus('protocol no-retry', 'nonsense', LITMUS_DEVICES).ok).toBe(false);
    expect(tellLitmus('protocol no-such', view.story.replay, LITMUS_DEVICES).ok).toBe(false);
  });

  test('a text that is no litmus test is an answer with its place', () => {
    const view = exploreLitmus('malloc a 4KiB\ncpu write a = 5\n', 1000, LITMUS_DEVICES);
    expect(view).toMatchObject({ ok: false, problems: [{ line: 1 }] });
    const broken = exploreLitmus(
      'litmus x\nmalloc a 1pages\nT0 | T1 ;\ncpu read b | cpu read a ;\n',
      1000,
      LITMUS_DEVICES,
    );
    expect(broken).toMatchObject({ ok: false, problems: [{ line: 4 }] });
  });
});
