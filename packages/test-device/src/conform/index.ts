/**
 * Replays recordings of the kernel's test device and says where the model shows something else.
 * @packageDocumentation
 */
import { conform } from './conform.js';

export { type ConformResult } from '@hmm/conform';
export * from './conform.js';
export {
  parseCorpusLine,
  type Observation,
  type OperationLine,
  type RecordedInvalidation,
  type ScriptHead,
} from './corpus.js';

/** How `hmm conform` replays recordings of the test device. */
export const testDeviceCorpora = {
  client: 'test-device',
  of: "the kernel's HMM test device",
  example: 'tools/golden/linux-6.12/public.jsonl.gz',
  conform,
};
