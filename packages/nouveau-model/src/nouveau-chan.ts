import { EACCES, EFAULT, EIO, ENODEV, EPERM, type Task, vpnToHex } from '@hmm/kernel';
import type { GpuInstance } from '@hmm/gpu';
import type { NouveauDrm } from './nouveau-drv.js';
import {
  FAULT_ACCESS_ATOMIC,
  FAULT_ACCESS_PREFETCH,
  FAULT_ACCESS_WRITE,
} from './nouveau-svm-fault-record.js';
import type { NouveauCli } from './nouveau-svmm.js';

/** Names of access codes in log lines. */
function accessName(access: number): string {
  switch (access) {
    case FAULT_ACCESS_WRITE:
      return 'WRITE';
    case FAULT_ACCESS_ATOMIC:
      return 'ATOMIC';
    case FAULT_ACCESS_PREFETCH:
      return 'PREFETCH';
    default:
      return 'READ';
  }
}

/** Why a channel is dead. */
export interface ChannelDeath {
  /** Page of the fault that was cancelled. */
  readonly vpn: number;
  /** Negative: what an access of that page ends with. */
  readonly errno: number;
  /** One clause. */
  readonly reason: string;
}

/**
 * A channel on the graphics engine: what a program's kernels are submitted through.
 * @kernel drivers/gpu/drm/nouveau/nouveau_chan.h nouveau_channel
 */
export class NouveauChannel {
  readonly drm: NouveauDrm;
  readonly cli: NouveauCli;
  /** Its instance block, as the GPU knows it. */
  readonly instance: GpuInstance;
  /** Number, for log lines. */
  readonly chid: number;
  /** Set when it was killed. */
  death: ChannelDeath | undefined;

  constructor(drm: NouveauDrm, cli: NouveauCli, instance: GpuInstance) {
    this.drm = drm;
    this.cli = cli;
    this.instance = instance;
    this.chid = drm.nextChannel();
  }

  /**
   * A cancelled fault: the engine is reset and the channel is killed, with everything that runs on it.
   * @kernel nvkm/engine/fifo/base.c nvkm_fifo_fault
   */
  kill(vpn: number, access: number, reason: string, errno: number): void {
    if (this.death !== undefined) return;
    this.death = { vpn, errno: accessErrno(errno), reason };
    const at = vpnToHex(vpn).slice(2).padStart(16, '0');
    this.drm.printk(
      `fifo: fault 0${access} [${accessName(access)}] at ${at} engine 00 [GR] reason 02 [PTE] on channel ${this.chid}`,
    );
    this.drm.printk(`fifo: channel ${this.chid}: killed`);
    this.drm.gpu.closeInstance(this.instance);
  }
}

/** What the program sees of the errno that a fault failed with. */
function accessErrno(errno: number): number {
  if (errno === -EPERM) return -EACCES;
  return errno === -EFAULT ? -EFAULT : -EIO;
}

/**
 * Makes a channel on the graphics engine. With a mirror it runs in the mirror's address space and joins its
 * instance; without one its faults are nobody's.
 * @returns the channel, or `-ENODEV` where the engine has no firmware.
 * @kernel drivers/gpu/drm/nouveau/nouveau_abi16.c nouveau_abi16_ioctl_channel_alloc
 */
export function* nouveauChannelNew(cli: NouveauCli): Task<NouveauChannel | number> {
  const { drm, svmm } = cli;
  if (drm.missingFirmware.length > 0) return -ENODEV;
  const instance = svmm === undefined ? drm.gpu.openInstance() : drm.gpu.openInstance(svmm.vmm.table);
  const channel = new NouveauChannel(drm, cli, instance);
  drm.channels.push(channel);
  if (svmm !== undefined) yield* drm.svm?.join(svmm, instance.id) ?? nothing();
  return channel;
}

/** Takes a channel down; what runs on it ends. @kernel drivers/gpu/drm/nouveau/nouveau_chan.c nouveau_channel_del */
export function* nouveauChannelDel(channel: NouveauChannel): Task {
  const { drm, instance } = channel;
  const at = drm.channels.indexOf(channel);
  if (at < 0) return;
  drm.channels.splice(at, 1);
  if (!instance.dead) drm.gpu.closeInstance(instance);
  yield* drm.svm?.part(instance.id) ?? nothing();
}

function* nothing(): Task {}
