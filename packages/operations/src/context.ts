import type { DeviceClient, DeviceProcess } from '@hmm/device';
import type { Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { OperationProcess } from './process.js';

/** A device as a process has it open, or why it cannot have it: one sentence for people. */
export type DeviceAnswer =
  | { readonly ok: true; readonly process: DeviceProcess }
  | { readonly ok: false; readonly errno: number; readonly reason: string };

/** A driver as operations see it. */
export type OperationClient = Pick<DeviceClient, 'name' | 'gpu' | 'limitMemory'> &
  Partial<Pick<DeviceClient, 'capability'>>;

/**
 * What operations run in: one agent of a process, and what whoever runs it adds. A machine adds time, an exploration adds
 * the points at which others may come in between; what an operation does is the same.
 */
export interface OperationContext {
  readonly process: OperationProcess;
  /** The device that statements mean which name none. */
  readonly defaultDevice: string;
  /** The device as the process has it open, opened now if it never was. */
  device(name: string): Task<DeviceAnswer>;
  /** The device as the process has opened it; undefined where it has not. */
  opened(name: string): DeviceProcess | undefined;
  /** The driver of a device. */
  client(device: string): OperationClient;
  /** Names of the machine's devices, in order; absent where there is one. */
  deviceNames?(): readonly string[];
  /**
   * A point between two accesses of one operation, at which others may run; `values` is what the operation has so far.
   * Undefined where nobody can come in between.
   */
  readonly between: ((values: readonly number[]) => Task) | undefined;
  /** The time that `accesses` accesses by a CPU take passes. */
  cpuTime(accesses: number): Task;
  /** Virtual time passes: `ns`. */
  sleep(ns: number): Task;
  /** A process starts: with an empty address space, or with one that a fork made. */
  adopt(name: string, mm: MmStruct): void;
  /** The process of a name, undefined where none was started. */
  processOf(name: string): OperationProcess | undefined;
}

/** A GPU of the machine: a device, and the number among the device's GPUs. */
export interface GpuOfDevice {
  readonly device: string;
  readonly gpu: number;
}

/**
 * GPU number `number`, counted from the first one of `device` on over all devices that follow: `gpu1` is the second card of one
 * driver, or the only card of the second device. Undefined where there are not so many.
 */
export function gpuNumbered(
  context: Pick<OperationContext, 'client' | 'deviceNames'>,
  device: string,
  number: number,
): GpuOfDevice | undefined {
  if (number === 0) return { device, gpu: 0 };
  const names = context.deviceNames?.() ?? [device];
  let left = number;
  for (const name of names.slice(Math.max(0, names.indexOf(device)))) {
    const capability = context.client(name).capability?.();
    const gpus = capability?.ok === true ? (capability.features.gpus ?? 1) : 1;
    if (left < gpus) return { device: name, gpu: left };
    left -= gpus;
  }
  return undefined;
}

/** Why there is no GPU of a number. */
export function noGpu(number: number): string {
  return `the machine has no gpu${number}: choose one with several (--gpu 2xh200-nvlink, 'hmm gpus' lists them), or declare another device`;
}

/** The same agent in a process that has opened no device, and that nobody else knows. */
export function inProcess(context: OperationContext, process: OperationProcess): OperationContext {
  return {
    process,
    defaultDevice: context.defaultDevice,
    device: (name) => context.device(name),
    opened: () => undefined,
    client: (device) => context.client(device),
    deviceNames: () => context.deviceNames?.() ?? [context.defaultDevice],
    between: context.between,
    cpuTime: (accesses) => context.cpuTime(accesses),
    sleep: (ns) => context.sleep(ns),
    adopt: (name, mm) => {
      context.adopt(name, mm);
    },
    processOf: (name) => context.processOf(name),
  };
}
