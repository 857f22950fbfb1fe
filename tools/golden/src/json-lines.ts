import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';

/** A line of a JSON-lines file. */
export interface JsonLine<T> {
  /** Counted from 1. */
  readonly line: number;
  readonly value: T;
}

/** Something in a file that is not as it has to be: the message names file and line. */
export class JsonLinesError extends Error {
  readonly path: string;
  /** Counted from 1; the line after the last good one where the file itself is broken. */
  readonly line: number;

  constructor(path: string, line: number, what: string) {
    super(`${path}:${line}: ${what}`);
    this.name = 'JsonLinesError';
    this.path = path;
    this.line = line;
  }
}

/**
 * Streams a file of JSON lines, gunzipped if its name ends in `.gz`, in bounded memory. `is` says whether a parsed
 * line has the wanted shape.
 * @throws JsonLinesError for a missing file, a truncated gzip, broken JSON or a line of another shape.
 */
export async function* jsonLines<T>(
  path: string,
  is: (value: unknown) => value is T,
): AsyncGenerator<JsonLine<T>> {
  let line = 0;
  try {
    const file = createReadStream(path);
    const bytes = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
    // A broken file has to end the unpacked stream too; pipe() alone would leave it waiting.
    if (bytes !== file) file.on('error', (error) => bytes.destroy(error));
    for await (const text of createInterface({ input: bytes, crlfDelay: Infinity })) {
      line++;
      const value: unknown = JSON.parse(text);
      if (!is(value)) throw new JsonLinesError(path, line, 'the line does not have the shape of this file');
      yield { line, value };
    }
  } catch (error) {
    if (error instanceof JsonLinesError) throw error;
    const at = error instanceof SyntaxError ? line : line + 1;
    throw new JsonLinesError(path, at, error instanceof Error ? error.message : String(error));
  }
}
