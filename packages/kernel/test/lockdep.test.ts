import { expect, test } from 'vitest';
import { Kernel, Mutex, RwSemaphore, type Sched, SpinLock, type Task } from '@hmm/kernel';
import { codeOf } from './code-of.js';

function checking(): Sched {
  const { sched } = new Kernel();
  sched.lockdep.enabled = true;
  return sched;
}

/** Takes `inner` while it holds `outer`; the code of the complaint, or 'none'. */
function nest(sched: Sched, outer: Mutex, inner: Mutex): string {
  return codeOf(() => {
    sched.runSync(nested(outer, inner));
  });
}

function* nested(outer: Mutex, inner: Mutex): Task {
  yield* outer.lock();
  yield* inner.lock();
  inner.unlock();
  outer.unlock();
}

function mutexes(sched: Sched, ...names: string[]): Mutex[] {
  return names.map((name, i) => new Mutex(sched, i + 1, name));
}

test('an order seen the other way round is refused, even if nobody deadlocks', () => {
  const sched = checking();
  const mmap = new Mutex(sched, 1, 'mmap_lock');
  const svmm = new Mutex(sched, 2, 'svmm');
  expect(nest(sched, mmap, svmm)).toBe('none');
  expect(sched.lockdep.edges()).toEqual([['mmap_lock', 'svmm']]);
  expect(nest(sched, svmm, mmap)).toBe('LOCK_ORDER');
});

test('a circle over three, and over five, classes is found, whichever edge comes last', () => {
  for (const names of [
    ['a', 'b', 'c'],
    ['a', 'b', 'c', 'd', 'e'],
  ]) {
    for (let last = 0; last < names.length; last++) {
      const sched = checking();
      const locks = mutexes(sched, ...names);
      const edge = (i: number): string => {
        const [outer, inner] = [locks[i % names.length], locks[(i + 1) % names.length]];
        return outer === undefined || inner === undefined ? '' : nest(sched, outer, inner);
      };
      for (let i = 1; i < names.length; i++) expect(edge(last + i)).toBe('none');
      expect(edge(last)).toBe('LOCK_ORDER');
    }
  }
});

test('a second lock of a class that is held is refused, unless it is nested by intention', () => {
  const sched = checking();
  const [one, other] = [new SpinLock(sched, 'ptl'), new SpinLock(sched, 'ptl')];
  one.lock();
  expect(
    codeOf(() => {
      other.lock();
    }),
  ).toBe('LOCK_ORDER');
  other.unlock();
  other.lock(true);
  other.unlock();
  one.unlock();
});

test('a try waits for nobody and makes no order; what is taken under it does', () => {
  const sched = checking();
  const [a, b, c] = mutexes(sched, 'a', 'b', 'c');
  const sem = new RwSemaphore(sched, 9, 'sem');
  if (a === undefined || b === undefined || c === undefined) throw new Error('three locks');
  expect(nest(sched, a, b)).toBe('none');
  // Against the order, as reclaim does it from below: by trying.
  sched.runSync(b.lock());
  expect(a.tryLock()).toBe(true);
  expect(sem.tryRead()).toBe(true);
  expect(sched.lockdep.edges()).toEqual([['a', 'b']]);
  sched.runSync(c.lock());
  expect(sched.lockdep.edges()).toEqual([
    ['a', 'b'],
    ['a', 'c'],
    ['b', 'c'],
    ['sem', 'c'],
  ]);
});

test('the fast path of a lock that would wait makes order like the slow one', () => {
  const sched = checking();
  const [a, b] = mutexes(sched, 'a', 'b');
  const sem = new RwSemaphore(sched, 9, 'sem');
  a?.tryFast();
  sem.tryReadFast();
  sem.unlockRead();
  sem.tryWriteFast();
  b?.tryFast();
  expect(sched.lockdep.edges()).toEqual([
    ['a', 'b'],
    ['a', 'sem'],
    ['sem', 'b'],
  ]);
});

test('a write hold that turns into a read hold is no second lock', () => {
  const sched = checking();
  const sem = new RwSemaphore(sched, 1, 'sem');
  sched.runSync(sem.write());
  sem.downgradeWrite();
  sem.unlockRead();
  expect(sched.current.held).toEqual([]);
});

test('there can be any number of classes, and a circle over all of them is found', () => {
  const sched = checking();
  const locks = mutexes(sched, ...Array.from({ length: 100 }, (_, i) => `class ${i}`));
  for (let i = 1; i < locks.length; i++) {
    const [outer, inner] = [locks[i - 1], locks[i]];
    if (outer !== undefined && inner !== undefined) expect(nest(sched, outer, inner)).toBe('none');
  }
  expect(sched.lockdep.edges()).toHaveLength(99);
  const [first, last] = [locks[0], locks[99]];
  if (first !== undefined && last !== undefined) {
    expect(nest(sched, first, last)).toBe('none');
    expect(nest(sched, last, first)).toBe('LOCK_ORDER');
  }
});

test('what one machine has seen means nothing to another, nor to a run after it has forgotten', () => {
  const sched = checking();
  const [a, b] = mutexes(sched, 'a', 'b');
  const other = checking();
  const [otherA, otherB] = mutexes(other, 'a', 'b');
  if (a === undefined || b === undefined || otherA === undefined || otherB === undefined)
    throw new Error('locks');
  expect(nest(sched, a, b)).toBe('none');
  expect(nest(other, otherB, otherA)).toBe('none');
  sched.reset();
  expect(nest(sched, b, a)).toBe('none');
});

test('the listener hears what is taken and dropped, with the names of the classes', () => {
  const sched = checking();
  const heard: string[] = [];
  sched.lockdep.listener = (agent, cls, taken) =>
    heard.push(`${agent.name} ${taken ? 'takes' : 'drops'} ${sched.lockdep.className(cls)}`);
  const [a, b] = mutexes(sched, 'a', 'b');
  if (a !== undefined && b !== undefined) nest(sched, a, b);
  expect(heard).toEqual(['boot takes a', 'boot takes b', 'boot drops b', 'boot drops a']);
});
