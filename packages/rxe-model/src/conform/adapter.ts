import type { ScriptDevices } from '@hmm/conform';
import type { DeviceOperation, DeviceOperationResult, DeviceProcess } from '@hmm/device';
import type { RdmaProcess } from '@hmm/ib-core';
import { EOPNOTSUPP, type Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { DeviceAnswer, OperationClient } from '@hmm/operations';
import type { RxeClient } from '../rxe-client.js';
import type { RxeMr } from '../rxe-mr.js';

/** What the userspace of the recordings has no call for: rdma-core 44 knows no `ibv_advise_mr` of rxe. */
const NOT_IN_USERSPACE: ReadonlySet<string> = new Set(['adv']);

/** The one adapter of the recordings, as its userspace has it, whatever operations call it. */
export class Adapter implements ScriptDevices {
  private readonly rxe: RxeClient;
  /** By the process that has opened it. */
  private readonly processes = new WeakMap<MmStruct, DeviceProcess>();

  constructor(rxe: RxeClient) {
    this.rxe = rxe;
  }

  /** @inheritdoc */
  client(): OperationClient {
    const { rxe } = this;
    return { name: rxe.name, gpu: rxe.gpu, limitMemory: () => rxe.limitMemory() };
  }

  /** @inheritdoc */
  *open(_name: string, mm: MmStruct): Task<DeviceAnswer> {
    const result = yield* this.rxe.openProcess(mm);
    if (!result.ok) return result;
    const process = throughUserspace(result.process);
    this.processes.set(mm, process);
    return { ok: true, process };
  }

  /** @inheritdoc */
  opened(_name: string, mm: MmStruct): DeviceProcess | undefined {
    return this.processes.get(mm);
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
