import type { MirrorDevicesFactory, Search } from '@hmm/explore';
import { HmmError } from '@hmm/kernel';
import type { WorkOrder, WorkReport } from './messages.js';
import { openTask } from './task.js';

/** Milliseconds of work between two looks at what else has happened. */
const PATIENCE_MS = 10;
/** Milliseconds between two reports of how far a worker is. */
const REPORT_MS = 50;
/** Milliseconds for which a part was explored before some of it is given away: less is not worth a search of its own. */
const SHARE_AFTER_MS = 20;

/** What is used of a worker's `parentPort`. */
interface WorkerPort {
  postMessage(report: object): void;
  on(event: 'message', listener: (order: WorkOrder) => void): unknown;
}

/** A worker's side: does what comes from `port`, until that is closed. */
export function serveExplorations(port: WorkerPort, devices: MirrorDevicesFactory): void {
  const worker = new ExplorationWorker(devices, (report) => {
    port.postMessage(report);
  });
  port.on('message', (order: WorkOrder) => {
    worker.take(order);
  });
}

class ExplorationWorker {
  private readonly devices: MirrorDevicesFactory;
  private readonly tell: (report: WorkReport) => void;
  private stopping = false;
  private asked: SharedArrayBuffer | undefined;
  private shared = false;

  constructor(devices: MirrorDevicesFactory, tell: (report: WorkReport) => void) {
    this.devices = devices;
    this.tell = tell;
  }

  take(order: WorkOrder): void {
    switch (order.kind) {
      case 'split':
        this.asked = order.states;
        break;
      case 'stop':
        this.stopping = true;
        break;
      case 'explore':
        void this.guarded(() => this.explore(order));
        break;
      case 'conclude':
        void this.guarded(() => {
          const running = openTask(order.task, this.devices, order.options);
          this.tell({ kind: 'concluded', result: running.result(order.findings) });
        });
        break;
    }
  }

  private async guarded(work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof HmmError)
        this.tell({ kind: 'refused', code: error.code, message: error.message, data: { ...error.data } });
      else this.tell({ kind: 'broken', stack: String(error instanceof Error ? error.stack : error) });
    }
  }

  private async explore({ task, options, part, states }: WorkOrder & { kind: 'explore' }): Promise<void> {
    this.stopping = false;
    this.asked = undefined;
    this.shared = states !== undefined;
    const running = openTask(task, this.devices, options, part);
    const { search } = running;
    if (states !== undefined) search.shareStates(states);
    let whole = part === undefined;
    const begin = performance.now();
    let told = begin;
    let slice = 1;
    for (let now = begin; search.advance(slice) && !this.isStopped();) {
      const before = now;
      now = performance.now();
      slice = nextSlice(slice, now - before);
      if (now - begin > SHARE_AFTER_MS && this.splitIfAsked(search)) whole = false;
      if (now - told > REPORT_MS) {
        told = now;
        this.tell({ kind: 'goes-on', executions: search.explorer.executions });
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const saved = search.save();
    const findings = saved ?? search.findings();
    const { found, states: seen, seconds, complete } = findings;
    this.tell({
      kind: 'explored',
      findings: { found, states: seen, seconds, complete },
      left: saved?.left ?? [],
      result: whole ? running.result() : undefined,
    });
  }

  private isStopped(): boolean {
    return this.stopping;
  }

  /** Where somebody wants a part: gives one away, or says that there is none. @returns whether it did. */
  private splitIfAsked(search: Search): boolean {
    const states = this.asked;
    if (states === undefined) return false;
    this.asked = undefined;
    const part = search.split();
    if (part !== undefined && !this.shared) {
      this.shared = true;
      search.shareStates(states);
    }
    this.tell({ kind: 'split', part });
    return part !== undefined;
  }
}

/** As many executions as take about {@link PATIENCE_MS}, where `slice` of them took `ms`. */
function nextSlice(slice: number, ms: number): number {
  if (ms < PATIENCE_MS / 2) return slice * 2;
  return ms > PATIENCE_MS * 2 ? Math.max(1, slice >> 1) : slice;
}
