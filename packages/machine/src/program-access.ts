import type { Task } from '@hmm/kernel';
import { SIGBUS } from '@hmm/mm';
import {
  type AccessStatement,
  evaluateNumber,
  orderPages,
  type Problem,
  type Statement,
} from '@hmm/workload';
import { ACCESS_ATOMIC, ACCESS_READ, ACCESS_WRITE, type AccessKind, type AccessStream } from '@hmm/device';
import { cpuAccess, type CpuAccessResult, managedCpuAccess } from './cpu-access.js';
import { failed, type PageRange, type ProgramContext } from './program-context.js';
import { deviceOf } from './program-device.js';

const KIND: Readonly<Record<AccessStatement['access'], AccessKind>> = {
  read: ACCESS_READ,
  write: ACCESS_WRITE,
  atomic: ACCESS_ATOMIC,
};

/** A CPU or GPU access of pages. */
export function* runAccess(context: ProgramContext, s: AccessStatement): Task<Problem | undefined> {
  const range = context.range(s.range);
  if (failed(range)) return range;
  const stream = streamOf(context, s, range);
  if ('message' in stream) return stream;
  if (s.agent === 'cpu') {
    const { signal, bad } = yield* onCpu(context, range, stream);
    keep(context, s, stream, signal, (i) => bad[i] === 1);
    return undefined;
  }
  const device = yield* deviceOf(context, s.device, s.span);
  if ('message' in device) return device;
  const result = yield* device.launch(stream);
  keep(context, s, stream, result.errno, (i) => result.errno !== 0 && i >= result.done);
  if (result.errno !== 0 && s.rc === undefined) {
    return {
      span: s.span,
      message: `the GPU's access failed after ${result.done} of ${stream.pages.length}: ${result.reason}`,
    };
  }
  return undefined;
}

/** A GPU kernel and a CPU thread write the same pages in turn, each as fast as it can. */
export function* runDuel(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'duel' }>,
): Task<Problem | undefined> {
  const range = context.range(s.range);
  if (failed(range)) return range;
  const rounds = evaluateNumber(s.rounds, context);
  if (typeof rounds === 'object') return rounds;
  const device = yield* deviceOf(context, s.device, s.span);
  if ('message' in device) return device;
  const { kernel } = context.state.machine;
  const channel = kernel.allocIds(1);
  const cpu = { running: true };
  kernel.sched.spawn(
    'cpu duellist',
    duelOnCpu(context, range, rounds, () => {
      cpu.running = false;
      kernel.sched.wake(channel);
    }),
  );
  const result = yield* device.launch(duelStream(range, rounds, 1));
  while (cpu.running) yield* kernel.sched.block(channel);
  return result.errno === 0
    ? undefined
    : { span: s.span, message: `the GPU's writes failed: ${result.reason}` };
}

function* duelOnCpu(context: ProgramContext, range: PageRange, rounds: number, done: () => void): Task {
  for (let round = 0; round < rounds; round++) yield* onCpu(context, range, duelStream(range, 1, 2));
  done();
}

function duelStream(range: PageRange, rounds: number, value: number): AccessStream {
  const pages = Int32Array.from({ length: range.pages * rounds }, (_, i) => i % range.pages);
  const values = new Uint32Array(pages.length).fill(value);
  return { access: ACCESS_WRITE, shape: 'serial', base: range.vpn, pages, offset: 0, width: 1, values };
}

function* onCpu(context: ProgramContext, range: PageRange, stream: AccessStream): Task<CpuAccessResult> {
  const { managedBy } = range.region;
  const { process } = context;
  if (managedBy === undefined) return yield* cpuAccess(process, stream, context.state.machine.cpu);
  // Memory that a driver allocated for another process: the fork gave the address, but nothing behind it.
  const managed = range.region.process === process.name ? process.devices.get(managedBy)?.managed : undefined;
  if (managed !== undefined) return yield* managedCpuAccess(managed, stream);
  return { signal: SIGBUS, bad: new Uint8Array(stream.pages.length).fill(1) };
}

function streamOf(context: ProgramContext, s: AccessStatement, range: PageRange): AccessStream | Problem {
  const numbers: number[] = [];
  for (const [expr, fallback] of [
    [s.order.argument, 0],
    [s.value, 1],
    [s.step, 0],
    [s.byte, 0],
    [s.width, 1],
  ] as const) {
    const number = context.number(expr, fallback);
    if (typeof number === 'object') return number;
    numbers.push(number);
  }
  const [argument = 0, value = 1, step = 0, offset = 0, bytes = 1] = numbers;
  const width = bytes === 1 || bytes === 2 || bytes === 4 ? bytes : undefined;
  if (width === undefined) return { span: s.span, message: `a width is 1, 2 or 4 bytes, not ${bytes}` };
  if (offset < 0 || offset + width > 4096)
    return { span: s.span, message: `byte ${offset} and ${width} bytes leave the page` };
  const pages = orderPages(s.order.kind, argument, range.pages);
  if (pages.some((page) => page < 0 || page >= range.pages)) {
    return { span: s.span, message: `page ${argument} is not in a range of ${range.pages}` };
  }
  const values = Uint32Array.from(pages, (page) => (s.access === 'read' ? 0 : value + step * page));
  return { access: KIND[s.access], shape: s.shape, base: range.vpn, pages, offset, width, values };
}

/** Keeps what was loaded, by ascending page (-1 where the access failed), and how it ended. */
function keep(
  context: ProgramContext,
  s: AccessStatement,
  stream: AccessStream,
  rc: number,
  bad: (i: number) => boolean,
): void {
  if (s.rc !== undefined) context.keep(s.rc.text, [rc]);
  if (s.into === undefined) return;
  const order = Array.from(stream.pages.keys()).sort(
    (a, b) => (stream.pages[a] ?? 0) - (stream.pages[b] ?? 0),
  );
  context.keep(
    s.into.text,
    order.map((i) => (bad(i) ? -1 : (stream.values?.[i] ?? 0))),
  );
}
