import { utf8 } from './protobuf-writer.js';

/** A trace for {@link traceArchive}. */
export interface ArchivedTrace {
  /** Whose it is, for people: each name is a machine of its own in the merged view. */
  readonly name: string;
  /** Pieces of the file. */
  readonly pieces: Iterable<Uint8Array>;
}

const BLOCK = 512;

/**
 * Traces on one timeline, as an archive that Perfetto merges: a TAR with a file for each, and a manifest that says which machine each is
 * of. All begin at the same moment: their clock is the virtual time of their runs.
 */
export function* traceArchive(title: string, traces: readonly ArchivedTrace[]): Generator<Uint8Array> {
  const files = traces.map(({ name }) => ({ path: `${name}.pftrace`, machine: { name } }));
  const manifest = {
    perfetto_manifest: {
      version: 1,
      trace_time: { clock: 'BOOTTIME' },
      files,
      attributes: { 'hmm.program': title },
    },
  };
  yield* member('perfetto_manifest.json', utf8.encode(JSON.stringify(manifest)));
  for (const [i, { pieces }] of traces.entries()) yield* member(files[i]?.path ?? '', joined([...pieces]));
  yield new Uint8Array(2 * BLOCK);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** A file with its header, in the format of POSIX (ustar), filled up to whole blocks. */
function* member(name: string, bytes: Uint8Array): Generator<Uint8Array> {
  const header = new Uint8Array(BLOCK);
  const put = (at: number, text: string): void => {
    header.set(utf8.encode(text), at);
  };
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  put(0, name);
  put(100, `${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`);
  put(124, `${octal(bytes.length, 11)}\0${octal(0, 11)}\0`);
  put(148, '        0');
  put(257, 'ustar\x0000');
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  yield header;
  yield bytes;
  if (bytes.length % BLOCK > 0) yield new Uint8Array(BLOCK - (bytes.length % BLOCK));
}
