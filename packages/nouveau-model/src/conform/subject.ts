import {
  type CorpusOperation,
  corpusError,
  inCorpus,
  recordedOperation,
  type ScriptDevices,
  type ScriptProcess,
  ScriptProcesses,
  type ScriptSubject,
} from '@hmm/conform';
import { ENODEV, Kernel, type KernelOptions, PAGE_SIZE, type Task } from '@hmm/kernel';
import { memunmapPages } from '@hmm/migrate';
import { MemorySystem, type MmStruct } from '@hmm/mm';
import { lruAddDrain } from '@hmm/mm/internal';
import type { DeviceAnswer, PageRange } from '@hmm/operations';
import { nouveauBehaviours } from '../nouveau-options.js';
import { NouveauDrm } from '../nouveau-drv.js';
import { nouveauSvmmBind } from '../nouveau-svm-bind.js';
import { NouveauCli, nouveauSvmmInit } from '../nouveau-svmm.js';
import { FakeAccess } from './fake-access.js';
import { FakeEvents } from './fake-events.js';
import { FakeGpu } from './fake-gpu.js';
import { type ClientOperation, type NouveauOperation, nouveauOperation } from './operation.js';

/** Chunks that the card has room for where a script does not say. */
const CHUNKS = 16;
/** Huge pages that the recording machine had set aside. */
const HUGEPAGES = 8;

/** A client of a script: an open of the device file, and who has a descriptor of it. */
interface ScriptClient {
  readonly cli: NouveauCli;
  readonly holders: Set<number>;
}

/** The driver of one script on its fake GPU. */
interface ScriptDriver {
  readonly gpu: FakeGpu;
  readonly drm: NouveauDrm;
}

type Shown = Readonly<Record<string, unknown>>;

/** Scripts open clients of nouveau by number and below what programs call: no operation of a program can have the device. */
const NO_DEVICES: ScriptDevices = {
  client: () => ({ name: 'nouveau', gpu: 'fake', limitMemory: notThere }),
  *open(): Task<DeviceAnswer> {
    return { ok: false, errno: -ENODEV, reason: 'scripts open clients by number' };
  },
  opened: () => undefined,
};

function* notThere(): Task<number> {
  return -ENODEV;
}

/** nouveau on the fake GPU of the recordings: a machine that boots with the corpus, and for each script a driver that is new. */
export class NouveauSubject implements ScriptSubject {
  private readonly kernel: Kernel;
  private readonly system: MemorySystem;
  private readonly events: FakeEvents;
  private readonly processes: ScriptProcesses;
  private readonly clients: (ScriptClient | undefined)[] = [];
  private chunks = CHUNKS;
  private nvkm = false;
  private driver: ScriptDriver | undefined;

  constructor(options: KernelOptions = {}) {
    this.kernel = new Kernel(options);
    this.kernel.trace.on = true;
    this.system = new MemorySystem(this.kernel, { nrHugepages: HUGEPAGES });
    this.events = new FakeEvents(this.kernel.trace);
    this.processes = new ScriptProcesses(this.system, NO_DEVICES, {
      forked: () => {
        for (const client of this.clients) if (client?.holders.has(0) === true) client.holders.add(1);
      },
      ended: (process) => {
        for (const at of this.clients.keys()) this.kernel.sched.runSync(this.close(at, process));
      },
    });
  }

  begin(): void {
    this.chunks = CHUNKS;
    this.nvkm = false;
    this.driver = undefined;
    this.clients.length = 0;
    this.processes.begin();
    this.kernel.trace.clear();
  }

  run(line: CorpusOperation, at: number): Shown {
    const process = this.processes.get(line.process);
    if (process === undefined) throw corpusError(at, 'an operation of a process that is not there');
    const own = inCorpus(at, () => nouveauOperation(line.text));
    const shown =
      own === undefined
        ? this.processes.run(recordedOperation(line.text, at), process)
        : this.operation(own, line.process, process);
    if (typeof shown === 'string') throw corpusError(at, shown);
    const ev = this.events.take(this.names());
    return ev.length > 0 ? { ...shown, ev } : { ...shown };
  }

  end(): void {
    this.processes.end();
    // Unloading the driver waits for every page of device memory, also for those that a batch still holds.
    lruAddDrain(this.system);
    const { sched } = this.kernel;
    for (const pagemap of [...this.system.pagemaps]) sched.runSync(memunmapPages(this.system, pagemap));
  }

  private operation(operation: NouveauOperation, number: number, process: ScriptProcess): Shown | string {
    switch (operation.name) {
      case 'exit':
        this.processes.end();
        return {};
      case 'nvkm':
        this.nvkm = true;
        return { rc: 0 };
      case 'vram':
        this.chunks = operation.chunks;
        return { rc: 0 };
      case 'open': {
        const { client, hole } = operation;
        return { rc: this.kernel.sched.runSync(this.open(client, hole, number, process.mm)) };
      }
      default:
        return this.clientOperation(operation, number, process);
    }
  }

  private clientOperation(
    operation: ClientOperation,
    number: number,
    process: ScriptProcess,
  ): Shown | string {
    const { sched } = this.kernel;
    const client = this.clients[operation.client];
    const gpu = this.driver?.gpu;
    const svm = this.driver?.drm.svm;
    const svmm = client?.cli.svmm;
    const vmm = gpu?.vmms[operation.client];
    if (
      client === undefined ||
      svm === undefined ||
      svmm === undefined ||
      gpu === undefined ||
      vmm === undefined
    )
      return `there is no client ${operation.client}`;
    switch (operation.name) {
      case 'access': {
        const access = new FakeAccess(gpu, svm, this.events, vmm, svmm.mm);
        const { rounds, values } = sched.runSync(access.run(operation.items));
        return { rc: 0, rounds, v: values };
      }
      case 'bind':
        return { rc: sched.runSync(nouveauSvmmBind(client.cli, process.mm, { ...operation.args })) };
      case 'dt': {
        const { vpn, pages } = operation.range;
        const codes = Array.from({ length: pages }, (_, i) => vmm.codeAt(vpn + i));
        return { rc: 0, t: codes.join(' ') };
      }
      case 'part':
        sched.runSync(svm.part(FakeGpu.instance(operation.client)));
        return { rc: 0 };
      case 'join':
        sched.runSync(svm.join(svmm, FakeGpu.instance(operation.client)));
        return { rc: 0 };
      default:
        sched.runSync(this.close(operation.client, number));
        return { rc: 0 };
    }
  }

  private *open(client: number, hole: PageRange, number: number, mm: MmStruct): Task<number> {
    this.driver ??= this.load();
    const { gpu, drm } = this.driver;
    const cli = new NouveauCli(drm, mm);
    gpu.nextClient = client;
    const unmanagedAddr = hole.vpn * PAGE_SIZE;
    const ret = yield* nouveauSvmmInit(cli, { unmanagedAddr, unmanagedSize: hole.pages * PAGE_SIZE });
    if (ret !== 0 || cli.svmm === undefined || drm.svm === undefined) return ret;
    this.clients[client] = { cli, holders: new Set([number]) };
    yield* drm.svm.join(cli.svmm, FakeGpu.instance(client));
    return 0;
  }

  private load(): ScriptDriver {
    const { system: memory, events, chunks, nvkm } = this;
    const gpu = new FakeGpu({ memory, events, chunks, nvkm, does: nouveauBehaviours(this.kernel, {}) });
    const drm = new NouveauDrm(memory, gpu);
    gpu.vramPage = (pfn): number => drm.dmem?.vramPage(pfn) ?? -1;
    return { gpu, drm };
  }

  /** Process `number` closes its descriptor; the client ends with the last one. */
  private *close(at: number, number: number): Task {
    const client = this.clients[at];
    if (client === undefined || !client.holders.delete(number) || client.holders.size > 0) return;
    this.clients[at] = undefined;
    yield* this.driver?.drm.svm?.part(FakeGpu.instance(at)) ?? nothing();
    const { svmm } = client.cli;
    client.cli.svmm = undefined;
    yield* svmm?.fini() ?? nothing();
  }

  private names(): { owner: number; process: (mm: number) => number; vramPage: (pfn: number) => number } {
    return {
      owner: this.driver?.drm.owner ?? -1,
      process: (mm) => this.processes.numberOf(mm),
      vramPage: (pfn) => this.driver?.drm.dmem?.vramPage(pfn) ?? -1,
    };
  }
}

function* nothing(): Task {}
