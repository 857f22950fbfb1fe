import { EACCES, EFAULT, EIO, ENODEV, EPERM, type Task, vpnToHex } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
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

/** Fruitless replays of one store after which a run takes its channel for spinning for ever. */
const MAX_SPINS = 1000;

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
  /** What of it is state. */
  static readonly state = declareState({
    drm: 'constant',
    cli: 'constant',
    inst: 'constant',
    chid: 'constant',
    death: 'value',
    spinning: 'value',
    spins: 'count',
  });

  readonly drm: NouveauDrm;
  readonly cli: NouveauCli;
  /** Its instance pointer. */
  readonly inst: number;
  /** Number, for log lines. */
  readonly chid: number;
  /** Set when it was killed, or spins for ever. */
  death: ChannelDeath | undefined;
  /** The page of the last store that was replayed without the right to it, and how often in a row. */
  private spinning = -1;
  private spins = 0;

  constructor(drm: NouveauDrm, cli: NouveauCli, inst: number) {
    this.drm = drm;
    this.cli = cli;
    this.inst = inst;
    this.chid = drm.nextChannel();
  }

  /**
   * A cancelled fault: the engine is reset and the channel is killed, with everything that runs on it.
   * @kernel nvkm/engine/fifo/base.c nvkm_fifo_fault (without: engines other than graphics, names of clients
   * and reasons, runlists)
   */
  kill(vpn: number, access: number, reason: string, errno: number): void {
    if (this.death !== undefined) return;
    this.death = { vpn, errno: accessErrno(errno), reason };
    const at = vpnToHex(vpn).slice(2).padStart(16, '0');
    this.drm.printk(
      `fifo: fault 0${access} [${accessName(access)}] at ${at} engine 00 [GR] reason 02 [PTE] on channel ${this.chid}`,
    );
    this.drm.printk(`fifo: channel ${this.chid}: killed`);
    this.drm.device.channelDel(this.inst);
  }

  /**
   * A store to page `vpn` is replayed although its entry is read-only: it faults again, for ever. The real GPU spins until
   * somebody brings the page home. Here a run has to end, and who explores has a limit of his own.
   */
  spin(vpn: number): void {
    const { kernel, device } = this.drm;
    this.spins = vpn === this.spinning ? this.spins + 1 : 1;
    this.spinning = vpn;
    if (this.spins < MAX_SPINS || kernel.sched.exploring || this.death !== undefined) return;
    this.death = { vpn, errno: -EIO, reason: 'a store to a read-only page in device memory faults for ever' };
    device.channelDel(this.inst);
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
 * @kernel drivers/gpu/drm/nouveau/nouveau_abi16.c nouveau_abi16_ioctl_channel_alloc (without: push buffers,
 * notifiers, engine classes, the limit of channels)
 */
export function* nouveauChannelNew(cli: NouveauCli): Task<NouveauChannel | number> {
  const { drm, svmm } = cli;
  if (drm.missingFirmware.length > 0) return -ENODEV;
  const inst = drm.device.channelNew(svmm?.vmm);
  const channel = new NouveauChannel(drm, cli, inst);
  drm.channels.push(channel);
  if (svmm !== undefined) yield* drm.svm?.join(svmm, inst) ?? nothing();
  return channel;
}

/**
 * Takes a channel down; what runs on it ends.
 * @kernel drivers/gpu/drm/nouveau/nouveau_chan.c nouveau_channel_del (without: fences, push buffers)
 */
export function* nouveauChannelDel(channel: NouveauChannel): Task {
  const { drm, inst } = channel;
  const at = drm.channels.indexOf(channel);
  if (at < 0) return;
  drm.channels.splice(at, 1);
  drm.device.channelDel(inst);
  yield* drm.svm?.part(inst) ?? nothing();
}

function* nothing(): Task {}
