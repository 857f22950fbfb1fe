import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GOLDEN_FILES, type GoldenFile, goldenPath } from './files.js';
import { type RecordingFormat, recordingFormat } from './formats.js';

/** A recording as `recordings.json` lists it. */
export interface RecordingEntry {
  /** Path in this package. */
  readonly file: string;
  readonly format: RecordingFormat;
  /** Bytes of the file as it is kept, packed or not. */
  readonly bytes: number;
  /** Of the file as it is kept, in hexadecimal. */
  readonly sha256: string;
}

/** The recordings of one version of this package. */
export interface RecordingCollection {
  /** `@hmm/golden`. */
  readonly name: string;
  readonly version: string;
  readonly recordings: readonly RecordingEntry[];
}

/** The list that this package was published with. */
export function recordingCollection(): RecordingCollection {
  const { recordings } = ownJson('recordings.json') as Pick<RecordingCollection, 'recordings'>;
  const { name, version } = ownJson('package.json') as Pick<RecordingCollection, 'name' | 'version'>;
  return { name, version, recordings };
}

/** A recording as it is now, to be compared with the list. */
export function recordingEntry(file: GoldenFile): RecordingEntry {
  const content = readFileSync(goldenPath(file));
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { file, format: recordingFormat(file), bytes: content.length, sha256 };
}

/** What `recordings.json` has to be, for the files as they are now. */
export function recordingsText(): string {
  const recordings = [...GOLDEN_FILES].sort().map(recordingEntry);
  return `${JSON.stringify({ recordings }, null, 2)}\n`;
}

/** The JSON Schema (draft 2020-12) of a line of a format. */
export function recordingSchema(format: Exclude<RecordingFormat, 'text'>): object {
  return ownJson(`schemas/${format}.schema.json`);
}

function ownJson(file: string): object {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8')) as object;
}
