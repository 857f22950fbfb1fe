import { formatCount, formatTime } from '@hmm/report';
import { results } from '../state/store.js';

/** A place on the shared time axis for people: a time, or the number of a row where a trace has no times. */
export function timeText(at: number): string {
  const untimed = results.value.some((result) => result.ok && !result.run.timed);
  return untimed ? `row ${formatCount(Math.round(at))}` : formatTime(at);
}
