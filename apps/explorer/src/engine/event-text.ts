import { EVENT_TO_DEVICE, EVENT_TO_HOST } from '@hmm/kernel/internal';
import { formatBytes, formatTime } from '@hmm/report';
import { infoOf, meaningOfKind } from './event-info.js';
import { placeOf } from './page-name.js';
import { type RunView, STATEMENT_KIND } from './run-view.js';

const PAGE_BYTES = 4096;

/** What an event of `kind` says by its value and its pages, in words; '' for nothing worth saying. */
export function valueText(kind: string, value: number, pages: number): string {
  const info = infoOf(kind);
  if (info === undefined) return '';
  const own = info.text?.(value, pages) ?? '';
  const meaning = meaningOfKind(kind, value);
  if (meaning !== EVENT_TO_DEVICE && meaning !== EVENT_TO_HOST) return own;
  const way = meaning === EVENT_TO_DEVICE ? 'host → device' : 'device → host';
  const cause = info.cause?.(value);
  return [way, formatBytes(pages * PAGE_BYTES), cause === undefined ? '' : `cause ${cause}`, own]
    .filter((part) => part !== '')
    .join(', ');
}

/** Event `index` of a run in one line. */
export function eventText(run: RunView, index: number): string {
  const { events } = run;
  const kind = run.kinds[events.kind[index] ?? 0] ?? '';
  const from = events.time[index] ?? 0;
  const took = (events.end[index] ?? from) - from;
  const time = `at ${formatTime(from)}${took > 0 ? ` for ${formatTime(took)}` : ''}`;
  if (kind === STATEMENT_KIND) return `${run.statements[events.value[index] ?? 0]?.text ?? ''} ${time}`;
  const place = placeOf(run.regions, events.row[index] ?? -1, events.pages[index] ?? 0);
  const value = valueText(kind, events.value[index] ?? 0, events.pages[index] ?? 0);
  return [kind, place, value === '' ? '' : `(${value})`, time].filter((part) => part !== '').join(' ');
}
