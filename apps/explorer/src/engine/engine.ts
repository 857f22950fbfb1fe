import type { EngineAnswers, EngineCall, EngineReply, EngineRequest } from './protocol.js';

interface Waiting {
  readonly done: (answer: never) => void;
  readonly fail: (error: Error) => void;
}

/** The page's end of the engine's worker: one promise a request. */
export class Engine {
  private readonly worker: Worker;
  private readonly pending = new Map<number, Waiting>();
  private nextId = 1;

  constructor(worker: Worker) {
    this.worker = worker;
    worker.addEventListener('message', (event: MessageEvent<EngineReply>) => {
      const reply = event.data;
      const waiting = this.pending.get(reply.id);
      this.pending.delete(reply.id);
      if (reply.ok) waiting?.done(reply.answer as never);
      else waiting?.fail(new Error(reply.message));
    });
    worker.addEventListener('error', (event) => {
      for (const { fail } of this.pending.values()) fail(new Error(event.message));
      this.pending.clear();
    });
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
}
