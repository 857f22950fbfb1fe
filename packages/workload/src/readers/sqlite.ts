import sqlite3InitModule, { type Database } from '@sqlite.org/sqlite-wasm';

/** One value of a result row. */
export type SqlValue = string | number | bigint | null | Uint8Array | Int8Array | ArrayBuffer;

/** The little of SQL that the Nsight reader needs; any SQLite can stand behind it. */
export interface SqlDatabase {
  /** Calls `take` with each row of a query, in order. Throws what SQLite reports. */
  each(sql: string, take: (row: readonly SqlValue[]) => void): void;
  /** Gives the memory back. */
  close(): void;
}

/** Journal modes, as bytes 18 and 19 of a database have them. */
const ROLLBACK = 1;
const WAL = 2;

/** The SQLite library, compiled to WebAssembly; loaded once. */
let library: ReturnType<typeof sqlite3InitModule> | undefined;

/**
 * Opens the bytes of a database file, read-only, in WebAssembly memory (files up to about 2 GiB). Whether the bytes
 * are a database at all shows with the first query.
 */
export async function openSqlite(bytes: Uint8Array): Promise<SqlDatabase> {
  library ??= sqlite3InitModule();
  const { capi, config, oo1, wasm } = await library;
  // What SQLite reports comes back as an error; nothing is printed besides.
  config.warn = () => undefined;
  const db: Database = new oo1.DB(':memory:');
  // Of a plain Uint8Array: the library tests the very class.
  const memory = wasm.allocFromTypedArray(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  // A file in write-ahead mode cannot be opened without its log; alone, it is read as the file it is.
  if (bytes[18] === WAL && bytes[19] === WAL) wasm.heap8u().fill(ROLLBACK, memory + 18, memory + 20);
  const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE | capi.SQLITE_DESERIALIZE_READONLY;
  const { pointer } = db;
  const code =
    pointer === undefined
      ? 1
      : capi.sqlite3_deserialize(pointer, 'main', memory, bytes.length, bytes.length, flags);
  if (code !== 0) {
    db.close();
    throw new Error(`SQLite cannot open the bytes (code ${code})`);
  }
  return {
    each: (sql, take) => {
      const statement = db.prepare(sql);
      try {
        while (statement.step()) take(statement.get([]));
      } finally {
        statement.finalize();
      }
    },
    close: () => {
      db.close();
    },
  };
}
