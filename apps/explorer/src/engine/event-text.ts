import { decodeRangeValue, mmuNotifierEventName } from '@hmm/mmu-notifier';
import { unpackUvmEvent } from '@hmm/nvidia-uvm-model';
import { formatBytes, formatTime } from '@hmm/report';
import { placeOf } from './page-name.js';
import { type RunView, STATEMENT_KIND } from './run-view.js';

const NOUVEAU_ACCESS = ['read', 'write', 'atomic', 'prefetch'];
const UVM_ACCESS = ['', 'read', 'write', 'atomic', 'prefetch'];
const UVM_CAUSE = ['', 'user', 'coherence', 'prefetch', 'eviction', 'access counters'];
const PROCESSOR = ['CPU', 'GPU'];

/** What the value of a tracepoint says, in words; '' for nothing worth saying. */
export function valueText(kind: string, value: number, pages: number): string {
  if (kind.startsWith('mmu_notifier:'))
    return `MMU_NOTIFY_${mmuNotifierEventName(decodeRangeValue(value).event)}`;
  switch (kind) {
    case 'nouveau:svm_fault':
      return NOUVEAU_ACCESS[value] ?? '';
    case 'nouveau:svm_fault_batch':
      return `${pages} record${pages === 1 ? '' : 's'}`;
    case 'nouveau:svm_fault_retry':
      return value === 0 ? 'the walk was busy' : 'the sequence had changed';
    case 'nouveau:migrate_to_vram':
    case 'nouveau:migrate_to_ram':
      return formatBytes(value);
    case 'uvm:GpuFault':
    case 'uvm:CpuFault':
      return UVM_ACCESS[unpackUvmEvent(value).kind] ?? '';
    case 'uvm:Migration': {
      const { kind: cause, src, dst } = unpackUvmEvent(value);
      const way = `${PROCESSOR[src] ?? '?'} → ${PROCESSOR[dst] ?? '?'}`;
      return `${way}, ${formatBytes(pages * 4096)}, cause ${UVM_CAUSE[cause] ?? String(cause)}`;
    }
    default:
      return '';
  }
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
