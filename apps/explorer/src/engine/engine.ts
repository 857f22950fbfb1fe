import type { EngineAnswers, EngineCall, EngineReply, EngineRequest } from './protocol.js';

interface Waiting {
  readonly done: (answer: never) => void;
  readonly fail: (error: Error) => void;
}

/** The page's end of the engine's worker: one promise a request. */
export class Engine {
  private readonly start: () => Worker;
  private worker: Worker;
  private readonly pending = new Map<number, Waiting>();
  private nextId = 1;

  /** @param start makes a worker; called again after {@link Engine.stop}. */
  constructor(start: () => Worker) {
    this.start = start;
    this.worker = this.started();
  }

  /** Sends a request; the promise is kept by its answer, and broken when the worker could not answer. */
  call<C extends EngineCall>(call: C): Promise<EngineAnswers[C['kind']]> {
    const id = this.nextId++;
    return new Promise((done, fail) => {
      this.pending.set(id, { done, fail });
      const request: EngineRequest = { id, call };
      this.worker.postMessage(request);
    });
  }

  /** Ends whatever is under way, however long it would take: all promises are broken, and the worker's runs are gone. */
  stop(): void {
    this.worker.terminate();
    this.worker = this.started();
    this.failAll('Stopped.');
  }

  private started(): Worker {
    const worker = this.start();
    worker.addEventListener('message', (event: MessageEvent<EngineReply>) => {
      const reply = event.data;
      const waiting = this.pending.get(reply.id);
      this.pending.delete(reply.id);
      if (reply.ok) waiting?.done(reply.answer as never);
      else waiting?.fail(new Error(reply.message));
    });
    worker.addEventListener('error', (event) => {
      this.failAll(event.message);
    });
    return worker;
  }

  private failAll(message: string): void {
    for (const { fail } of this.pending.values()) fail(new Error(message));
    this.pending.clear();
  }
}
