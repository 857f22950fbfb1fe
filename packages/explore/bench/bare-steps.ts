const ROUNDS = 2_000_000;

function* forever(): Generator<number, void, void> {
  for (let i = 0; ; i = (i + 1) & 1023) yield i;
}

/** What the machine gives today: resumptions of a bare generator, M/s. A step of an execution is one, and all that it does. */
export function bareSteps(): number {
  const task = forever();
  const begin = performance.now();
  let sum = 0;
  for (let i = 0; i < ROUNDS; i++) sum += task.next().value ?? 0;
  const rate = ROUNDS / 1000 / (performance.now() - begin);
  return sum > 0 ? rate : 0;
}
