/** The formats of recordings; each has a JSON Schema of its lines, `schemas/NAME.schema.json`. `text` is for people and has none. */
export type RecordingFormat =
  | 'uvm-capture'
  | 'uvm-times'
  | 'link-costs'
  | 'races'
  | 'test-device-scripts'
  | 'nouveau-scripts'
  | 'odp-scripts'
  | 'text';

/** How files are named that have a format; the first that fits. */
const NAMES: readonly (readonly [RegExp, RecordingFormat])[] = [
  [/\.txt$/, 'text'],
  [/\/times-.*\.jsonl(\.gz)?$/, 'uvm-times'],
  [/\/link\.jsonl$/, 'link-costs'],
  [/\/races\.jsonl$/, 'races'],
  [/^linux-.*\.jsonl\.gz$/, 'test-device-scripts'],
  [/^nouveau-.*\.jsonl\.gz$/, 'nouveau-scripts'],
  [/^odp-.*\.jsonl\.gz$/, 'odp-scripts'],
  [/\.jsonl(\.gz)?$/, 'uvm-capture'],
];

/**
 * The format of a recording, by its path in this package.
 * @throws Error for a name that no recording has.
 */
export function recordingFormat(file: string): RecordingFormat {
  const found = NAMES.find(([name]) => name.test(file));
  if (found === undefined) throw new Error(`${file}: no recording is named like that`);
  return found[1];
}
