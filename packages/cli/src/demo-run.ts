import { tracepoint } from '@hmm/kernel';
import {
  type ClientFactory,
  type DeviceCounters,
  RES_CPU,
  RES_CPU_MAPPED,
  RES_DEVICE,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
  bytesMoved,
} from '@hmm/device';
import { Machine, prepareProgram } from '@hmm/machine';
import { countOf, formatBytes, formatTime } from '@hmm/report';
import { DEFAULT_DEVICE, parseProgram } from '@hmm/workload';

/** The program that the project begins with. */
export const FIRST_EXAMPLE = `malloc a 4KiB
cpu write a[0] = 5 width 4
gpu read a[0] width 4 -> x
assert x == 5
`;

/** The first example on one driver. */
export interface DemoRun {
  readonly title: string;
  /** What was done at each of the five steps. */
  readonly steps: readonly string[];
  /** The events of the GPU's load, oldest first. */
  readonly events: readonly string[];
  /** What the driver said in the log. */
  readonly log: readonly string[];
  /** Whether the GPU read what the CPU wrote. */
  readonly right: boolean;
}

/** Runs the first example up to the GPU's load, looks, lets the GPU load, and looks again. A text is why it cannot. */
export function demoRun(factory: ClientFactory, gpu: string): DemoRun | string {
  const machine = new Machine({ trace: true });
  const { kernel, memory } = machine;
  const made = factory.create({ kernel, memory, seed: 1 }, gpu, new Map());
  if (!made.ok) return made.message;
  const { client } = made;
  const capability = client.capability();
  if (!capability.ok) return capability.reason;
  const { systemMemory, systemMemoryRefusal: refusal = '' } = capability.features;
  if (!systemMemory) {
    return `there it reaches managed memory only, not malloc'd memory${refusal === '' ? '' : `: ${refusal}`}`;
  }
  machine.addDevice(DEFAULT_DEVICE, client);
  const parsed = parseProgram(FIRST_EXAMPLE, 'first-example');
  if (!parsed.ok) return 'the first example is no program';
  const { program } = parsed;
  const setUp = prepareProgram(machine, { ...program, body: program.body.slice(0, 2) });
  const problem = machine.run('main', setUp.body);
  if (problem !== undefined) return problem.message;
  const opened = machine.run('open', machine.device(setUp.context.process, DEFAULT_DEVICE));
  if (!opened.ok) return opened.reason;
  const vpn = machine.regions.get('a')?.vpn ?? 0;
  const look = (): string => {
    const bits = new Uint8Array(1);
    opened.process.residency(vpn, 1, bits);
    return stateText(bits[0] ?? 0);
  };
  const before = {
    state: look(),
    counters: client.counters(),
    time: kernel.sched.now,
    events: kernel.trace.length,
  };
  const load = prepareProgram(machine, { ...program, body: program.body.slice(2) });
  const failed = machine.run('main', load.body);
  if (failed !== undefined) return failed.message;
  const [x = -1] = load.context.state.results.get('x') ?? [];
  const after = { state: look(), counters: client.counters(), time: kernel.sched.now };
  return {
    title: `${factory.title} on ${client.gpu}`,
    steps: fiveSteps(factory, before, after, x),
    events: eventsSince(machine, before.events, before.time, vpn),
    log: client.log,
    right: x === 5,
  };
}

interface Look {
  readonly state: string;
  readonly counters: DeviceCounters;
  readonly time: number;
}

function fiveSteps(factory: ClientFactory, before: Look, after: Look, x: number): string[] {
  const b = before.counters;
  const a = after.counters;
  const moved = bytesMoved(a, 'toDevice') - bytesMoved(b, 'toDevice');
  const waited = a.timeNs.faultWait - b.timeNs.faultWait;
  const page = moved === 0 ? 'Nothing moves.' : `${formatBytes(moved)} move to the device.`;
  return [
    `${countOf(a.faults - b.faults, 'fault')}. Before: ${before.state}.`,
    `${countOf(a.batches - b.batches, 'batch', 'batches')} of work.\nRule: ${factory.rules.granularity}`,
    `${page}\nRule: ${factory.rules.gpuFault}\nAfter: ${after.state}.`,
    `${countOf(a.replays - b.replays, 'replay')}; the load waited ${formatTime(waited)}.`,
    `x = ${x}, ${formatTime(after.time - before.time)} after the launch.`,
  ];
}

/** Where a page is and who maps it, in words. */
function stateText(bits: number): string {
  const data =
    (bits & RES_DEVICE) === 0
      ? (bits & RES_CPU) === 0
        ? 'no data'
        : 'data in host memory'
      : DATA[bits & RES_CPU];
  const maps: string[] = [];
  if ((bits & RES_CPU_MAPPED) !== 0) maps.push('the CPU');
  if ((bits & RES_DEVICE_MAPPED) !== 0)
    maps.push((bits & RES_DEVICE_WRITE) === 0 ? 'the GPU, to read' : 'the GPU, to write');
  return `${data ?? ''}, mapped by ${maps.length === 0 ? 'nobody' : maps.join(' and ')}`;
}

const DATA: Readonly<Record<number, string>> = {
  0: 'data in device memory',
  [RES_CPU]: 'data in both memories',
};

/** The events after the first `from`, with times since `start` and pages relative to `vpn`. */
function eventsSince(machine: Machine, from: number, start: number, vpn: number): string[] {
  const { trace } = machine.kernel;
  const lines: string[] = [];
  for (let i = from; i < trace.length; i++) {
    const event = trace.at(i);
    const near = event.page >= vpn && event.page < vpn + 512;
    const where = near
      ? ` a[${event.page - vpn}${event.length > 1 ? `..${event.page - vpn + event.length}` : ''}]`
      : '';
    lines.push(`${formatTime(event.time - start)} ${tracepoint(event.kind).name}${where}`);
  }
  return lines;
}
