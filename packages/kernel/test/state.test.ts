import { describe, expect, test } from 'vitest';
import { declareState, ownState } from '../src/state.js';
import { Kernel, Mutex } from '../src/index.js';
import { SavedState } from '../src/saved-state.js';
import { StateHash } from '../src/state-hash.js';

class Counter {
  static readonly state = declareState({
    hits: 'count',
    limit: 'constant',
    log: 'constant',
    cache: { saved: 'follows from the hits' },
    listener: { outside: 'decides nothing' },
  });

  hits = 0;
  readonly limit: number;
  readonly log: number[] = [];
  cache = 0;
  listener: unknown = undefined;

  constructor(limit: number) {
    this.limit = limit;
  }
}

class NamedCounter extends Counter {
  static override readonly state = declareState({ name: 'value' });

  name = 'first';
}

/** What it saves itself are the words in use. */
class Column {
  static readonly state = declareState(
    { words: { outside: 'saved as far as it is in use' }, used: 'count' },
    ownState(Column, {
      save: (column) => {
        const { used } = column;
        const words = column.words.slice(0, used);
        return {
          words,
          restore: (): void => {
            column.words.set(words);
            column.used = used;
          },
        };
      },
      fold: (column, hash) => {
        for (const word of column.words.subarray(0, column.used)) hash.word(word);
      },
    }),
  );

  readonly words = new Int32Array(100);
  used = 0;
}

class Forgetful {
  static readonly state = declareState({ known: 'value' });

  known = 1;
  forgotten = 2;
}

class Stale {
  static readonly state = declareState({ known: 'value', gone: 'value' });

  known = 1;
}

class Undeclared {
  readonly value = 1;
}

describe('what is not declared is refused, by its name and where it was found', () => {
  test.each<[string, object, RegExp]>([
    [
      'a field',
      new Forgetful(),
      /Machine\.part: class Forgetful has a field "forgotten" that its state does not declare/,
    ],
    ['a field that is gone', new Stale(), /class Stale declares a field "gone" that it does not have/],
    ['a class', new Undeclared(), /Machine\.part: class Undeclared declares no state/],
    ['a subclass', new (class Sub extends Counter {})(1), /class Sub declares no state/],
  ])('%s', (_what, part: object, words) => {
    class Machine {
      static readonly state = declareState({ part: 'constant' });
      readonly part = part;
    }
    expect(() => new SavedState([new Machine()])).toThrow(words);
    expect(() => StateHash.of([new Machine()])).toThrow(/UNDECLARED|declare/);
  });

  test('but neither what is outside nor what is excepted', () => {
    const counter = new Counter(3);
    const undeclared = new Undeclared();
    counter.listener = undeclared;
    expect(new SavedState([counter]).differences()).toEqual([]);
    expect(new SavedState([{ undeclared }], [undeclared]).differences()).toEqual([]);
  });
});

describe('a saved state', () => {
  test('is set back in place, and what differs until then is named', () => {
    const counter = new NamedCounter(3);
    const column = new Column();
    const shared = { map: new Map([['a', 1]]), set: new Set([1]), typed: new Int32Array([1, 2]), column };
    counter.log.push(1, 2);
    column.used = 2;
    column.words.set([5, 6]);
    const saved = new SavedState([counter, shared]);
    Object.assign(counter, { hits: 4, cache: 9, name: 'second', listener: 'somebody' });
    counter.log.splice(0, 2, 7, 8, 9);
    shared.map.set('b', 2).delete('a');
    shared.set.add(2);
    shared.typed[1] = 0;
    column.words.set([1, 1, 1]);
    column.used = 3;
    expect(saved.differences().sort()).toEqual(
      [
        'NamedCounter.cache',
        'NamedCounter.hits',
        'NamedCounter.log',
        'NamedCounter.name',
        'Object.column',
        'Object.column.used',
        'Object.map',
        'Object.set',
        'Object.typed',
      ].sort(),
    );
    saved.restore();
    expect(saved.differences()).toEqual([]);
    expect(counter).toMatchObject({ hits: 0, cache: 0, name: 'first', log: [1, 2], listener: 'somebody' });
    expect([...column.words.subarray(0, 2)]).toEqual([5, 6]);
  });

  test('tells of a constant that was changed, and of a lock that is still held', () => {
    const kernel = new Kernel();
    const counter = new Counter(3);
    const lock = new Mutex(kernel.sched, 1, 'lock');
    const saved = new SavedState([counter, lock]);
    Object.assign(counter, { limit: 4 });
    lock.tryFast();
    saved.restore();
    expect(saved.differences().sort()).toEqual(['Counter.limit', 'Mutex.owner']);
  });

  test('has counts that are counts', () => {
    const counter = new Counter(3);
    counter.hits = -1;
    expect(() => new SavedState([counter])).toThrow('Counter.hits is a count, and is -1');
  });
});

describe('a hash', () => {
  const hashWith = (change: (counter: NamedCounter) => void): number => {
    const counter = new NamedCounter(3);
    change(counter);
    return StateHash.of([counter]);
  };
  const plain = hashWith(() => undefined);

  test('has what is declared, of the class and its base', () => {
    expect(hashWith(() => undefined)).toBe(plain);
    expect(hashWith((counter) => void (counter.hits += 1))).not.toBe(plain);
    expect(hashWith((counter) => void (counter.name = 'second'))).not.toBe(plain);
    expect(hashWith((counter) => void counter.log.push(1))).not.toBe(plain);
    expect(hashWith((counter) => void Object.assign(counter, { limit: 4 }))).not.toBe(plain);
  });

  test('has not what is only saved, or outside', () => {
    expect(hashWith((counter) => void (counter.cache += 1))).toBe(plain);
    expect(hashWith((counter) => void (counter.listener = 'somebody'))).toBe(plain);
  });

  test('has frames by their names', () => {
    class Batch {
      static readonly state = declareState({ top: 'frame', frames: 'frames' });
      top = 7;
      readonly frames = [8, 9];
    }
    const names = { of: (pfn: number): number => pfn % 100 };
    const hash = (top: number, frames: number[]): number => {
      const batch = new Batch();
      batch.top = top;
      batch.frames.splice(0, 2, ...frames);
      const named = new StateHash([], names);
      named.begin();
      named.add([batch]);
      return named.end();
    };
    expect(hash(107, [208, 309])).toBe(hash(7, [8, 9]));
    expect(hash(107, [209, 308])).not.toBe(hash(7, [8, 9]));
  });

  test('has what a class folds itself', () => {
    const [a, b] = [new Column(), new Column()];
    for (const column of [a, b]) column.used = 2;
    b.words[50] = 1;
    expect(StateHash.of([a])).toBe(StateHash.of([b]));
    b.words[1] = 1;
    expect(StateHash.of([a])).not.toBe(StateHash.of([b]));
  });
});
