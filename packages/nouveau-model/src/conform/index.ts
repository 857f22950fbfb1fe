/**
 * Replays recordings of the real nouveau on a fake GPU, and says where the model shows something else.
 * @packageDocumentation
 */
import { type ConformResult, replayScripts } from '@hmm/conform';
import type { KernelOptions } from '@hmm/kernel';
import { NouveauSubject } from './subject.js';

export { type ConformResult } from '@hmm/conform';

/** What of an operation's line is compared. */
const FIELDS = ['rc', 'rounds', 'v', 'sig', 't', 'ev'];

/** Replays a whole corpus given line by line, on the release that `options` name. @throws HmmError `CORPUS` for a bad line. */
export function conform(
  lines: AsyncIterable<string> | Iterable<string>,
  options: KernelOptions = {},
): Promise<ConformResult> {
  return replayScripts(lines, new NouveauSubject(options), FIELDS);
}

/** How `hmm conform` replays recordings of nouveau. */
export const nouveauCorpora = {
  client: 'nouveau',
  of: 'the real nouveau on a fake GPU',
  example: 'tools/golden/nouveau-6.12/public.jsonl.gz',
  conform,
};
