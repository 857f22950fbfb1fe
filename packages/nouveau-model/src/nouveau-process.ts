import {
  type AccessStream,
  cpuResidency,
  type DeviceOperationResult,
  type DeviceProcess,
  gpuOfPlace,
  type Place,
  RES_CPU,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
  type StreamResult,
} from '@hmm/device';
import { deviceFrame } from '@hmm/device/internal';
import { type Gpu, GPU_PTE_VALID, GPU_PTE_WRITE, gpuAccesses, type GpuInstance } from '@hmm/gpu';
import { EINVAL, EIO, EOPNOTSUPP, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import { type NouveauChannel, nouveauChannelDel } from './nouveau-chan.js';
import { svmBindMigrate } from './nouveau-drm-uapi.js';
import { nouveauSvmmBind } from './nouveau-svm-bind.js';
import type { NouveauCli, NouveauSvmm } from './nouveau-svmm.js';

/** The device file as it was opened: a mirror and a channel, and how many processes have it. */
export interface NouveauFile {
  readonly gpu: Gpu;
  readonly cli: NouveauCli;
  readonly svmm: NouveauSvmm;
  readonly channel: NouveauChannel;
  /** Processes that have a descriptor of it. */
  holders: number;
  /** Called when it has been released. */
  readonly onClose: () => Task;
}

/** One process with the device file open: it has opened it, or was forked by who had. */
export class NouveauProcess implements DeviceProcess {
  /** What of it is state. */
  static readonly state = declareState({
    managed: 'constant',
    mm: 'constant',
    file: 'constant',
    cli: 'constant',
    svmm: 'constant',
    channel: 'constant',
    gpu: 'constant',
    closed: 'value',
    ioctls: 'count',
    idleChannel: 'constant',
  });

  /** nouveau has no memory of its own that is shared with the CPU by page faults. */
  readonly managed = undefined;
  readonly cli: NouveauCli;
  readonly svmm: NouveauSvmm;
  readonly channel: NouveauChannel;
  /** The process that calls. */
  private readonly mm: MmStruct;
  private readonly file: NouveauFile;
  private readonly gpu: Gpu;
  private closed = false;
  /** Calls that are running: the file is released after the last of them. */
  private ioctls = 0;
  private readonly idleChannel: number;

  constructor(file: NouveauFile, mm: MmStruct) {
    this.mm = mm;
    this.file = file;
    this.gpu = file.gpu;
    this.cli = file.cli;
    this.svmm = file.svmm;
    this.channel = file.channel;
    this.idleChannel = this.cli.drm.kernel.allocIds(1);
  }

  /** @inheritdoc */
  inherit(mm: MmStruct): NouveauProcess {
    this.file.holders++;
    return new NouveauProcess(this.file, mm);
  }

  /** Runs a kernel on the channel, to its end or until the channel is killed. */
  *launch(stream: AccessStream): Task<StreamResult> {
    const dead = this.fatal();
    if (dead !== undefined) return { errno: -EIO, done: 0, reason: dead };
    const { gpu, instance } = this;
    if (instance === undefined) return { errno: -EIO, done: 0, reason: 'the device was closed' };
    const kernel = gpu.launch(instance, gpuAccesses(stream));
    yield* gpu.run(kernel);
    if (kernel.finished) return { errno: 0, done: kernel.done, reason: '' };
    const { death } = this.channel;
    const own = kernel.cancelled >= 0 && kernel.cancelled === death?.vpn;
    return {
      errno: own ? death.errno : -EIO,
      done: kernel.done,
      reason: this.fatal() ?? 'the device was closed',
    };
  }

  /** SVM_BIND towards the GPU. Back there is no call: the only target is the GPU's memory. */
  *prefetch(vpn: number, pages: number, to: Place): Task<number> {
    if (this.closed) return -EINVAL;
    const args = svmBindMigrate(vpn, pages);
    this.ioctls++;
    const ret = yield* nouveauSvmmBind(
      this.cli,
      this.mm,
      gpuOfPlace(to) >= 0 ? args : { ...args, header: 0 },
    );
    this.ioctls--;
    this.cli.drm.kernel.sched.wake(this.idleChannel);
    return ret;
  }

  /** nouveau takes no advice. */
  *advise(): Task<number> {
    return -EOPNOTSUPP;
  }

  /** nouveau has no further calls. */
  *operation(): Task<DeviceOperationResult> {
    return { rc: -EOPNOTSUPP, cpages: 0, faults: 0, values: [] };
  }

  /** Where each page is, and who maps it: `RES_*` bits, one byte a page. */
  residency(vpn: number, pages: number, out: Uint8Array): void {
    const table = this.instance?.table;
    for (let i = 0; i < pages; i++) {
      let bits = cpuResidency(this.svmm.mm, vpn + i);
      const flags = table?.flags(vpn + i) ?? 0;
      if ((flags & GPU_PTE_VALID) !== 0) bits |= RES_DEVICE_MAPPED;
      if ((flags & GPU_PTE_WRITE) !== 0) bits |= RES_DEVICE_WRITE;
      out[i] = bits;
    }
  }

  /** Who has the data of each page: the host, or this card. */
  holders(vpn: number, pages: number, out: Uint32Array): void {
    const { mm } = this.svmm;
    const { dmem } = this.cli.drm;
    for (let i = 0; i < pages; i++) {
      const own = dmem?.chunkOf(deviceFrame(mm, vpn + i)) !== undefined;
      out[i] = own ? 2 : cpuResidency(mm, vpn + i) & RES_CPU;
    }
  }

  /** The channel's context on the GPU. */
  get instance(): GpuInstance | undefined {
    return this.gpu.instance(this.channel.inst);
  }

  /** Why nothing more can run: the channel was killed. */
  fatal(): string | undefined {
    const { death, chid } = this.channel;
    if (death !== undefined) return `channel ${chid} killed: ${death.reason}`;
    return this.closed ? 'the device was closed' : undefined;
  }

  /** Closes the device file. With the last descriptor the channel goes, what runs on it ends, the mirror is taken down. */
  *close(): Task {
    if (this.closed) return;
    this.closed = true;
    if (--this.file.holders > 0) return;
    yield* nouveauChannelDel(this.channel);
    while (this.ioctls > 0) yield* this.cli.drm.kernel.sched.block(this.idleChannel);
    this.cli.svmm = undefined;
    yield* this.svmm.fini();
    yield* this.file.onClose();
  }
}
