import { constants } from 'node:buffer';
import { existsSync, statSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { HmmError } from '@hmm/kernel';

/** A file's text, or one line on what is wrong with it, beginning with its name. */
export type InputResult =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly message: string };

const REASONS = new Map([
  ['ENOENT', 'there is no such file'],
  ['EISDIR', 'this is a directory, a file is needed'],
  ['EACCES', 'this file may not be read'],
  ['Z_BUF_ERROR', 'this gzip file is truncated: its end is missing'],
  ['Z_DATA_ERROR', 'this gzip file is corrupt'],
  ['ERR_BUFFER_TOO_LARGE', 'this gzip file unpacks to more than can be read at once'],
]);

/** Reads a text file; a gzip file (whatever its name) is unpacked. Nothing is thrown for any file. */
export async function readInput(path: string): Promise<InputResult> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    return failed(path, fileReason(error));
  }
  if (isGzip(bytes)) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: constants.MAX_STRING_LENGTH });
    } catch (error) {
      return failed(path, fileReason(error));
    }
  }
  const text = bytes.toString('utf8');
  if (text.includes('\0')) return failed(path, 'this is a binary file, a text file is needed');
  return { ok: true, text };
}

/**
 * Why a file could not be read or unpacked, from what Node throws. An error of any other kind is a defect of the
 * program and no word on the file: it is thrown on.
 */
export function fileReason(error: unknown): string {
  const code = codeOf(error);
  if (code === undefined) throw error;
  return REASONS.get(code) ?? `this file cannot be read (${code})`;
}

/** Whether a file begins like a gzip file. Rejects as `open` does. */
export async function startsLikeGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return isGzip(buffer);
  } finally {
    await file.close();
  }
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function failed(path: string, reason: string): InputResult {
  return { ok: false, message: `${path}: ${reason}` };
}

/** The code of a system call's or zlib's error, such as `ENOENT`; the model's own errors have codes of another kind. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof HmmError || !('code' in error)) return undefined;
  return String(error.code);
}

/** Which files are under a directory, by path; undefined where there is no such directory. */
export function directoryFiles(path: string): ((file: string) => boolean) | undefined {
  const directory = statSync(path, { throwIfNoEntry: false });
  return directory?.isDirectory() === true ? (file) => existsSync(join(path, file)) : undefined;
}
