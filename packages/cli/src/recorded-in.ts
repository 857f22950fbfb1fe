import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** Which recording was read: its bytes, and the published collection that has it. */
export interface ReadRecording {
  /** As it was named. */
  readonly file: string;
  /** Of the file as it lies there, in hexadecimal. */
  readonly sha256: string;
  /** The collection in whose folder it lies; null where there is none, or the file is not as that lists it. */
  readonly collection: { readonly name: string; readonly version: string; readonly file: string } | null;
}

/** Folders above a recording in which its collection is looked for. */
const LEVELS = 3;

/**
 * Finds out which version of which collection a recording belongs to: the nearest `recordings.json` above it that lists
 * it with the checksum that it has, named by the `package.json` beside that.
 * @throws Error where the file cannot be read.
 */
export async function readRecording(file: string): Promise<ReadRecording> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  const sha256 = hash.digest('hex');
  let folder = dirname(resolve(file));
  for (let level = 0; level < LEVELS; level++, folder = dirname(folder)) {
    const list = await jsonRecord(join(folder, 'recordings.json'));
    if (list === undefined) continue;
    const path = relative(folder, resolve(file)).split(sep).join('/');
    const { name, version } = (await jsonRecord(join(folder, 'package.json'))) ?? {};
    if (!lists(list['recordings'], path, sha256) || typeof name !== 'string' || typeof version !== 'string')
      break;
    return { file, sha256, collection: { name, version, file: path } };
  }
  return { file, sha256, collection: null };
}

/** A line that says which recordings were read. */
export function recordingsLine(recordings: readonly ReadRecording[]): string {
  const told = recordings.map(({ file, sha256, collection }) =>
    collection === null
      ? `${file} (of no published version; sha256 ${sha256.slice(0, 12)})`
      : `${collection.file} of ${collection.name} ${collection.version}`,
  );
  return `Recordings: ${told.join(', ')}.`;
}

function lists(recordings: unknown, path: string, sha256: string): boolean {
  if (!Array.isArray(recordings)) return false;
  return recordings.some(
    (entry: unknown) => isRecord(entry) && entry['file'] === path && entry['sha256'] === sha256,
  );
}

async function jsonRecord(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
