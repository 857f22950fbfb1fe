import type { DeviceOperation, DeviceOperationResult, DeviceProcess } from '@hmm/device';
import type { RdmaProcess } from '@hmm/ib-core';
import { EOPNOTSUPP, type Task } from '@hmm/kernel';
import { type MmStruct } from '@hmm/mm';
import { lruAddDrain } from '@hmm/mm/internal';
import {
  type DeviceAnswer,
  type OperationClient,
  type OperationContext,
  type OperationProcess,
} from '@hmm/operations';
import { exitProcess, type Pin } from '@hmm/operations/internal';
import type { RxeClient } from '../rxe-client.js';
import type { RxeMr } from '../rxe-mr.js';

/** What the userspace of the recordings has no call for: rdma-core 44 knows no `ibv_advise_mr` of rxe. */
const NOT_IN_USERSPACE: ReadonlySet<string> = new Set(['adv']);

/** A process of a script: an address space, its pins, and the adapter once it has opened it. */
export class ScriptProcess implements OperationProcess {
  readonly name: string;
  readonly mm: MmStruct;
  readonly pins: Pin[] = [];
  alive = true;
  readonly filesHeld = false;
  private readonly rxe: RxeClient;
  private open: { readonly rdma: RdmaProcess<RxeMr>; readonly seen: DeviceProcess } | undefined;

  constructor(name: string, mm: MmStruct, rxe: RxeClient) {
    this.name = name;
    this.mm = mm;
    this.rxe = rxe;
  }

  /** The adapter as its userspace has it. */
  device(): DeviceProcess | undefined {
    return this.open?.seen;
  }

  /** The adapter, opened now if it was not. */
  *opened(): Task<DeviceAnswer> {
    if (this.open === undefined) {
      const result = yield* this.rxe.openProcess(this.mm);
      if (!result.ok) return result;
      this.open = { rdma: result.process, seen: throughUserspace(result.process) };
    }
    return { ok: true, process: this.open.seen };
  }

  /** @inheritdoc */
  openedDevices(): readonly DeviceProcess[] {
    return this.open === undefined ? [] : [this.open.rdma];
  }

  /** It ends. */
  *exit(): Task {
    yield* exitProcess(this);
    if (this.mm.kernel.does.unmapDrainsLru) lruAddDrain(this.mm.system);
  }
}

/** A device whose userspace lacks some calls. */
function throughUserspace(process: RdmaProcess<RxeMr>): DeviceProcess {
  return {
    managed: undefined,
    launch: (stream) => process.launch(stream),
    prefetch: (vpn, pages, to) => process.prefetch(vpn, pages, to),
    advise: () => process.advise(),
    residency: (vpn, pages, out) => {
      process.residency(vpn, pages, out);
    },
    fatal: () => undefined,
    close: () => process.close(),
    *operation(call: DeviceOperation): Task<DeviceOperationResult> {
      if (NOT_IN_USERSPACE.has(call.name)) return { rc: -EOPNOTSUPP, cpages: 0, faults: 0, values: [] };
      return yield* process.operation(call);
    },
  };
}

/** The processes of a script: at most a parent and its child. */
export interface Script {
  readonly rxe: RxeClient;
  parent: ScriptProcess;
  child: ScriptProcess | undefined;
}

/** Where an operation of a script runs: alone, and in no time. */
export class ScriptContext implements OperationContext {
  readonly process: ScriptProcess;
  readonly defaultDevice = '0';
  readonly between = undefined;
  private readonly script: Script;

  constructor(script: Script, process: ScriptProcess) {
    this.script = script;
    this.process = process;
  }

  /** @inheritdoc */
  *device(): Task<DeviceAnswer> {
    return yield* this.process.opened();
  }

  /** @inheritdoc */
  opened(): DeviceProcess | undefined {
    return this.process.device();
  }

  /** @inheritdoc */
  client(): OperationClient {
    const { rxe } = this.script;
    return { name: rxe.name, gpu: rxe.gpu, limitMemory: () => rxe.limitMemory() };
  }

  /** @inheritdoc */
  *cpuTime(): Task {
    // A replay has no time.
  }

  /** @inheritdoc */
  *sleep(): Task {
    // A replay has no time.
  }

  /** @inheritdoc */
  adopt(name: string, mm: MmStruct): void {
    this.script.child = new ScriptProcess(name, mm, this.script.rxe);
  }

  /** @inheritdoc */
  processOf(): ScriptProcess | undefined {
    return this.script.child;
  }
}
