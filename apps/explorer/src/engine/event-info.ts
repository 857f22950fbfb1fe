import { tracepoint, type TracepointInfo } from '@hmm/kernel';
import { EVENT_OTHER, type EventMeaning, meaningOf, tracepointKind } from '@hmm/kernel/internal';

/** What is declared of the events called `kind`; undefined for what is no tracepoint: statements, locks, recorded events. */
export function infoOf(kind: string): TracepointInfo | undefined {
  const id = tracepointKind(kind);
  return id < 0 ? undefined : tracepoint(id);
}

/** What an event called `kind` with `value` means. */
export function meaningOfKind(kind: string, value: number): EventMeaning {
  const id = tracepointKind(kind);
  return id < 0 ? EVENT_OTHER : meaningOf(id, value);
}
