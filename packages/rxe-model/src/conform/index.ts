/**
 * Replays recordings of soft-RoCE with on-demand paging, and says where the model shows something else.
 * @packageDocumentation
 */
import { type ConformResult, replayScripts } from '@hmm/conform';
import type { KernelOptions } from '@hmm/kernel';
import { RxeSubject } from './subject.js';

export { type ConformResult } from '@hmm/conform';

/** What of an operation's line is compared. */
const FIELDS = ['rc', 'wc', 'rwc', 'v', 'sig', 'ev'];

/**
 * Replays a whole corpus given line by line, on Linux 7.3 unless `options` name another release.
 * @throws HmmError `CORPUS` for a bad line.
 */
export function conform(
  lines: AsyncIterable<string> | Iterable<string>,
  options: KernelOptions = {},
): Promise<ConformResult> {
  return replayScripts(lines, new RxeSubject({ release: '7.3', ...options }), FIELDS);
}

/** How `hmm conform` replays recordings of soft-RoCE. */
export const rxeCorpora = {
  client: 'rxe',
  of: 'soft-RoCE with on-demand paging',
  example: 'tools/golden/odp-7.3/public.jsonl.gz',
  conform,
};
