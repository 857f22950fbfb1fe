import { EOPNOTSUPP, errnoName, type Task } from '@hmm/kernel';
import { evaluateNumber, type Name, type Problem, type Span, type Statement } from '@hmm/workload';
import type { DeviceProcess } from '@hmm/device';
import { failed, returned, type ProgramContext } from './program-context.js';

/** The device that a statement means, opened in this process. */
export function* deviceOf(
  context: ProgramContext,
  name: Name | undefined,
  span: Span,
): Task<DeviceProcess | Problem> {
  const { machine, defaultDevice } = context.state;
  const device = name?.text ?? defaultDevice;
  const result = yield* machine.device(context.process, device);
  if (result.ok) return result.process;
  const client = machine.client(device);
  return {
    span,
    message: `${client.name} on ${client.gpu} cannot: ${result.reason} (-${errnoName(result.errno)})`,
  };
}

/** Opens a device; one that this process closed before stays closed. */
export function* runOpen(context: ProgramContext, name: Name): Task<Problem | undefined> {
  const device = yield* deviceOf(context, name, name.span);
  return 'message' in device ? device : undefined;
}

/** An explicit move. */
export function* runPrefetch(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'prefetch' }>,
): Task<Problem | undefined> {
  const range = context.range(s.range);
  if (failed(range)) return range;
  const device = yield* deviceOf(context, s.device, s.span);
  if ('message' in device) return device;
  return returned(context, s, yield* device.prefetch(range.vpn, range.pages, s.place));
}

/** Advice to the driver. */
export function* runAdvise(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'advise' }>,
): Task<Problem | undefined> {
  const range = context.range(s.range);
  if (failed(range)) return range;
  const device = yield* deviceOf(context, s.device, s.span);
  if ('message' in device) return device;
  return returned(context, s, yield* device.advise(range.vpn, range.pages, s.advice, s.place));
}

/** The contents of a range are given up; where the text says so, it is moved afterwards. */
export function* runDiscard(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'discard' }>,
): Task<Problem | undefined> {
  const range = context.range(s.range);
  if (failed(range)) return range;
  const device = yield* deviceOf(context, s.device, s.span);
  if ('message' in device) return device;
  const { vpn, pages } = range;
  const name = s.unmap ? 'discard_unmap' : 'discard';
  const { rc } = yield* device.operation({ name, vpn, pages, value: 0 });
  if (rc === -EOPNOTSUPP && s.rc === undefined && s.into === undefined) {
    const client = context.state.machine.client(s.device?.text ?? context.state.defaultDevice);
    const message = `${client.name} on ${client.gpu} has no call to discard (-EOPNOTSUPP; write 'rc e' to go on)`;
    return { span: s.span, message };
  }
  if (rc < 0 || s.place === undefined) return returned(context, s, rc);
  return returned(context, s, yield* device.prefetch(vpn, pages, s.place));
}

/** A call of the driver's own. */
export function* runDeviceCall(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'device-call' }>,
): Task<Problem | undefined> {
  const range = context.range(s.range);
  if (failed(range)) return range;
  const value = context.number(s.value, 0);
  if (typeof value === 'object') return value;
  const device = yield* deviceOf(context, s.device, s.span);
  if ('message' in device) return device;
  const result = yield* device.operation({ name: s.call, vpn: range.vpn, pages: range.pages, value });
  if (s.into !== undefined) context.keep(s.into.text, result.values);
  if (s.rc !== undefined) context.keep(s.rc.text, [result.rc]);
  if (result.rc >= 0 || s.rc !== undefined) return undefined;
  return { span: s.span, message: `${s.call} failed with -${errnoName(result.rc)} (write 'rc e' to go on)` };
}

/** Leaves less device memory. */
export function* runPressure(
  context: ProgramContext,
  s: Extract<Statement, { kind: 'pressure' }>,
): Task<Problem | undefined> {
  const bytes = evaluateNumber(s.size, context);
  if (typeof bytes === 'object') return bytes;
  const { machine, defaultDevice } = context.state;
  const rc = yield* machine.client(s.device?.text ?? defaultDevice).limitMemory(Math.floor(bytes / 4096));
  return rc === 0
    ? undefined
    : { span: s.span, message: `this driver does not give memory back: -${errnoName(rc)}` };
}
