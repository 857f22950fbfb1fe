import type { DeviceClient, DeviceProcess } from '@hmm/device';
import type { Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { OperationProcess } from './process.js';

/** A device as a process has it open, or why it cannot have it: one sentence for people. */
export type DeviceAnswer =
  | { readonly ok: true; readonly process: DeviceProcess }
  | { readonly ok: false; readonly errno: number; readonly reason: string };

/** A driver as operations see it. */
export type OperationClient = Pick<DeviceClient, 'name' | 'gpu' | 'limitMemory'>;

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

/** The same agent in a process that has opened no device, and that nobody else knows. */
export function inProcess(context: OperationContext, process: OperationProcess): OperationContext {
  return {
    process,
    defaultDevice: context.defaultDevice,
    device: (name) => context.device(name),
    opened: () => undefined,
    client: (device) => context.client(device),
    between: context.between,
    cpuTime: (accesses) => context.cpuTime(accesses),
    sleep: (ns) => context.sleep(ns),
    adopt: (name, mm) => {
      context.adopt(name, mm);
    },
    processOf: (name) => context.processOf(name),
  };
}
