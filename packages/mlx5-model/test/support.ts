import { decodeMapValue, TP_PAGE_FAULT, TP_UMEM_ODP_MAP } from '@hmm/ib-core';
import { Kernel, type Task } from '@hmm/kernel';
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  type MmStruct,
  PROT_READ,
  PROT_WRITE,
  sysMmap,
} from '@hmm/mm';
import {
  IB_ACCESS_LOCAL_WRITE,
  IB_ACCESS_ON_DEMAND,
  IB_ACCESS_REMOTE_ATOMIC,
  IB_ACCESS_REMOTE_READ,
  IB_ACCESS_REMOTE_WRITE,
} from '@hmm/rdma-nic';
import { Mlx5Client, MLX5_TRANSPORT, type Mlx5Mr, type Mlx5Options } from '@hmm/mlx5-model';

/** All that a peer may do, on demand. */
export const ALL =
  IB_ACCESS_ON_DEMAND |
  IB_ACCESS_LOCAL_WRITE |
  IB_ACCESS_REMOTE_READ |
  IB_ACCESS_REMOTE_WRITE |
  IB_ACCESS_REMOTE_ATOMIC;

/** A process with `pages` pages of anonymous memory and an adapter. */
export function newMachine(pages: number, options: Mlx5Options = MLX5_TRANSPORT) {
  const kernel = new Kernel();
  const { sched } = kernel;
  const memory = new MemorySystem(kernel, { frames: 8192, systemFrames: 8192, maxTables: 256 });
  const client = new Mlx5Client(memory, 'connectx-6', options);
  for (const { name, task } of client.workers()) sched.spawnDaemon(name, task);
  const run = <T>(task: Task<T>): T => {
    const done: { value?: T } = {};
    sched.spawn('test', store(task, done));
    sched.run();
    if (!('value' in done)) throw new Error('the task did not end');
    return done.value;
  };
  const mm = mmCreate(memory);
  const opened = run(client.openProcess(mm));
  if (!opened.ok) throw new Error(opened.reason);
  const { verbs } = opened.process;
  const vpn = run(sysMmap(mm, 0, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS));
  kernel.trace.on = true;
  const piece = (page: number, count = 1, shift = 0) => ({ mr: 0, page, pages: count, shift });
  /** Faults of the adapter since the last look, and those of them that the walk had to fault for. */
  const faults = (): { adapter: number; served: string[] } => {
    const served: string[] = [];
    let adapter = 0;
    for (let i = 0; i < kernel.trace.length; i++) {
      const { kind, value, page } = kernel.trace.at(i);
      if (kind === TP_PAGE_FAULT) adapter++;
      if (kind !== TP_UMEM_ODP_MAP) continue;
      const { write, fault, result } = decodeMapValue(value);
      if (fault) served.push(`${page - vpn}${write ? 'w' : 'r'}${result < 0 ? result : ''}`);
    }
    kernel.trace.clear();
    return { adapter, served };
  };
  return { kernel, memory, client, device: client.device, run, mm, verbs, vpn, piece, faults };
}

function* store<T>(task: Task<T>, done: { value?: T }): Task {
  done.value = yield* task;
}

/** The adapter's entries of a region: `.` absent, `r`, `w`. */
export function entries(mr: Mlx5Mr | undefined): string {
  let text = '';
  for (let slot = 0; slot < (mr?.mtt.length ?? 0); slot += 2) text += '.rrw'[mr?.mtt[slot] ?? 0] ?? '?';
  return text;
}

/** Resident anonymous pages of a process. */
export function resident(mm: MmStruct): number {
  return mm.rssAnon;
}
