import { errnoName, pagesOf, type Task } from '@hmm/kernel';
import { evaluateNumber, type Problem, type Statement } from '@hmm/workload';
import type { ManagedMemory } from '@hmm/device';
import { mapMemory, moveMapping, rangeCall, type RangeRequest } from './memory-calls.js';
import { failed, returned, type PageRange, type ProgramContext } from './program-context.js';
import { deviceOf } from './program-device.js';
import type { Region } from './region.js';

/** Allocates memory and names it. */
export function* runAllocation(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'alloc' }>,
): Task<Problem | undefined> {
  const { machine } = context.state;
  const bytes = evaluateNumber(s.size, context);
  if (typeof bytes === 'object') return bytes;
  if (!(bytes > 0)) return { span: s.size.span, message: `a region has at least one byte, not ${bytes}` };
  const pages = pagesOf(bytes);
  const vpn = machine.layout.take(pages);
  const { memory } = s;
  let managedBy: string | undefined;
  let rc: number;
  if (memory === 'managed') {
    managedBy = context.state.defaultDevice;
    const device = yield* deviceOf(context, undefined, s.span);
    if ('message' in device) return device;
    if (device.managed === undefined) {
      return { span: s.span, message: `${machine.client(managedBy).name} has no managed memory: use malloc` };
    }
    rc = yield* device.managed.alloc(vpn, bytes);
  } else rc = yield* mapMemory(context.process.mm, vpn, pages, s.protection, memory);
  if (rc < 0) return { span: s.span, message: `${memory} of ${pages} pages failed: ${errnoName(rc)}` };
  const name = s.name.text;
  machine.regions.set(name, { name, vpn, pages, bytes, managedBy, process: context.process.name });
  return undefined;
}

/** A system call on a range. */
export function* runSyscall(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'syscall' }>,
): Task<Problem | undefined> {
  const range = context.range(s.range);
  if (failed(range)) return range;
  if (range.region.managedBy !== undefined) return yield* managedSyscall(context, s, range);
  const { vpn, pages } = range;
  const request = requestOf(s, vpn, pages);
  return returned(context, s, yield* rangeCall(context.process, request));
}

function requestOf(s: Extract<Statement, { kind: 'syscall' }>, vpn: number, pages: number): RangeRequest {
  const { call } = s;
  if (call === 'mprotect') return { call, vpn, pages, word: s.word };
  if (call === 'madvise') return { call, vpn, pages, word: s.word };
  if (call === 'pin') return { call, vpn, pages, word: s.word };
  return { call, vpn, pages };
}

/** Moves pages to another place: into a region that exists, or into a new one of that name. */
export function* runMremap(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'mremap' }>,
): Task<Problem | undefined> {
  const { machine } = context.state;
  const range = context.range(s.range);
  if (failed(range)) return range;
  const managed = managedOf(context, range.region);
  if (managed?.syscall !== undefined)
    return returned(context, s, yield* managed.syscall('mremap', range.vpn, range.pages));
  const name = s.to.region.text;
  if (!machine.regions.has(name)) {
    const vpn = machine.layout.take(range.pages);
    machine.regions.set(name, { ...range.region, name, vpn, pages: range.pages, bytes: range.pages * 4096 });
  }
  const target = context.range(s.to);
  if (failed(target)) return target;
  return returned(context, s, yield* moveMapping(context.process.mm, range.vpn, range.pages, target.vpn));
}

/** The driver whose memory a region is, in this process. */
function managedOf(context: ProgramContext, region: Region): ManagedMemory | undefined {
  return region.managedBy === undefined ? undefined : context.process.devices.get(region.managedBy)?.managed;
}

/** Memory of a driver can be freed whole, and where the driver can, in part or protected; other calls do not reach it. */
function* managedSyscall(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'syscall' }>,
  range: PageRange,
): Task<Problem | undefined> {
  const { region } = range;
  const managed = managedOf(context, region);
  const whole = range.pages === region.pages;
  if (managed?.syscall !== undefined && (s.call === 'mprotect' || (s.call === 'munmap' && !whole))) {
    const word = s.call === 'mprotect' ? s.word : undefined;
    return returned(context, s, yield* managed.syscall(s.call, range.vpn, range.pages, word));
  }
  if (s.call !== 'munmap' || !whole || managed === undefined) {
    return {
      span: s.span,
      message: `${region.name} is managed memory: ${s.call} does not apply to it`,
    };
  }
  return returned(context, s, yield* managed.free(region.vpn));
}
