import { MessageChannel, Worker } from 'node:worker_threads';
import type { MirrorDevicesFactory } from '@hmm/explore';
import type { WorkOrder, WorkReport } from './messages.js';
import { serveExplorations } from './serve.js';

/** Somebody who explores: one thing at a time. */
export interface Hand {
  post(order: WorkOrder): void;
  /** @param reported gets what it says. @param died gets why, when it ends without being told to. */
  listen(reported: (report: WorkReport) => void, died: (why: string) => void): void;
  end(): Promise<void>;
}

/** One that works in this thread, in turns with all else that happens here. */
export function localHand(devices: MirrorDevicesFactory): Hand {
  const { port1: here, port2: there } = new MessageChannel();
  serveExplorations(there, devices);
  return {
    post: (order) => {
      here.postMessage(order);
    },
    listen: (reported) => {
      here.on('message', reported);
    },
    end: (): Promise<void> => {
      here.close();
      return Promise.resolve();
    },
  };
}

/** One that works in a thread of its own. @param module calls {@link serveExplorations} on its `parentPort`. */
export function threadHand(module: URL): Hand {
  const worker = new Worker(module);
  let ending = false;
  return {
    post: (order) => {
      worker.postMessage(order);
    },
    listen: (reported, died): void => {
      worker.on('message', reported);
      worker.on('error', (error: Error) => {
        died(error.message);
      });
      worker.on('exit', (code) => {
        if (!ending) died(`it ended with code ${code}`);
      });
    },
    end: async (): Promise<void> => {
      ending = true;
      await worker.terminate();
    },
  };
}
