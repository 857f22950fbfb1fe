import { describe, expect, test } from 'vitest';
import { parseProgram } from '@hmm/workload';
import { evaluate, isProblem, orderPages, type Expr, type Scope, type Value } from '@hmm/workload/internal';

const conditionOf = (text: string): Expr => {
  const result = parseProgram(`malloc a 4KiB cpu read a -> x rc e\nassert ${text}`, 't');
  const last = result.ok ? result.program.body.at(-1) : undefined;
  if (last?.kind !== 'assert') throw new Error(JSON.stringify(result));
  return last.condition;
};
const scope: Scope = {
  lookup: (name, _agent, index) => {
    if (name === 'x') return index === undefined ? [5, 6, 7] : [5, 6, 7][index];
    return name === 'e' ? -14 : undefined;
  },
  query: (query) => (query === 'where' ? 'gpu' : 3),
};
const valueOf = (text: string): Value | string => {
  const value = evaluate(conditionOf(text), scope);
  return isProblem(value) ? value.message : value;
};

describe('expressions', () => {
  test.each([
    ['2 + 3 * 4 - 1', 13],
    ['(2 + 3) * 4', 20],
    ['7 / 2 % 2', 1],
    ['8pages', 32768],
    ['1.5MiB', 1572864],
    ['2ms', 2e6],
    ['0x10', 16],
    ['x == [5, _, 7]', 1],
    ['x == [5, 6]', 0],
    ['x[1] = 6 /\\ e = -EFAULT', 1],
    ['x[1] = 7 \\/ ~(e = 0)', 1],
    ['where(a[0]) == gpu', 1],
    ['count(faults) >= 3', 1],
    ['1 == 0 /\\ 1 / 0', 0],
    ['1 / 0', 'division by zero'],
    ['x + 1', "'+' needs numbers on both sides"],
    ['x[9]', 'x has no value at 9'],
  ])('%s', (text, value) => {
    expect(valueOf(text)).toEqual(value);
  });
});

describe('orders', () => {
  test('stride visits every page once, sparse only every k-th', () => {
    expect([...orderPages('stride', 3, 7)]).toEqual([0, 3, 6, 1, 4, 2, 5]);
    expect([...orderPages('sparse', 3, 7)]).toEqual([0, 3, 6]);
    expect([...orderPages('rev', 0, 3)]).toEqual([2, 1, 0]);
    expect([...orderPages('page', 5, 7)]).toEqual([5]);
  });

  test('rand is a permutation that its seed decides', () => {
    const order = orderPages('rand', 4, 100);
    expect([...order].sort((a, b) => a - b)).toEqual([...orderPages('seq', 0, 100)]);
    expect(order).toEqual(orderPages('rand', 4, 100));
    expect(order).not.toEqual(orderPages('rand', 5, 100));
  });

  test('subset takes its percentage, ascending', () => {
    const pages = [...orderPages('subset', 130, 200)];
    expect(pages).toHaveLength(60);
    expect(pages).toEqual([...new Set(pages)].sort((a, b) => a - b));
  });
});
