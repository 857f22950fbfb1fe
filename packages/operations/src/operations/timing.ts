import { ACCESS_WRITE, type AccessStream } from '@hmm/device';
import type { Task } from '@hmm/kernel';
import type { OperationContext } from '../context.js';
import { cpuAccesses } from '../cpu-access.js';
import { operation } from '../definition.js';
import type { PageRange } from '../memory-region.js';
import { DONE, failedBecause, impossible } from '../outcome.js';
import { onDevice } from '../parts/devices.js';
import { pages } from '../parts/ranges.js';
import { counted, sum } from '../parts/values.js';

/** `sleep 5ms`: time passes. */
export const sleep = operation({
  kind: 'sleep',
  summary: 'Lets time pass.',
  parts: [sum('time', 'time')],
  results: false,
  side: 'cpu',
  *run(context, { time }) {
    yield* context.sleep(time);
    return DONE;
  },
  returns: 'errno',
  recorded: [],
});

/** `duel a rounds 24`: a device thread and a CPU thread write the same pages at once, each as fast as it can. */
export const duel = operation({
  kind: 'duel',
  summary: 'Has a device thread and a CPU thread write the same pages at once.',
  parts: [pages, counted('rounds'), onDevice],
  results: false,
  side: 'cpu',
  spawns: true,
  *run(context, { range, rounds, device: name }) {
    const device = yield* context.device(name);
    if (!device.ok) return impossible(device.errno, device.reason);
    const { kernel } = context.process.mm;
    const channel = kernel.allocIds(1);
    const cpu = { running: true };
    kernel.sched.spawn(
      'cpu duellist',
      duelOnCpu(context, range, rounds, () => {
        cpu.running = false;
        kernel.sched.wake(channel);
      }),
    );
    const { errno, reason } = yield* device.process.launch(duelStream(range, rounds, 1));
    while (cpu.running) yield* kernel.sched.block(channel);
    return errno === 0 ? DONE : failedBecause(errno, `the GPU's writes failed: ${reason}`);
  },
  returns: 'errno',
  recorded: [],
});

function* duelOnCpu(context: OperationContext, range: PageRange, rounds: number, done: () => void): Task {
  for (let round = 0; round < rounds; round++) yield* cpuAccesses(context, range, duelStream(range, 1, 2));
  done();
}

function duelStream(range: PageRange, rounds: number, value: number): AccessStream {
  const order = Int32Array.from({ length: range.pages * rounds }, (_, i) => i % range.pages);
  const values = new Uint32Array(order.length).fill(value);
  return {
    access: ACCESS_WRITE,
    shape: 'serial',
    base: range.vpn,
    pages: order,
    offset: 0,
    width: 1,
    values,
  };
}

/** The operations of this file. */
export const TIMING_OPERATIONS = [sleep, duel] as const;
