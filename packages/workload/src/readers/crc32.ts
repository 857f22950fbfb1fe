const TABLE: Int32Array = (() => {
  const table = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    table[i] = value;
  }
  return table;
})();

/** CRC-32 (as gzip has it) of `bytes` after a stream whose CRC is `before`; 0 for an empty stream. An int32. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const table = TABLE;
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] ?? 0)) & 255] ?? 0);
  }
  return ~crc;
}
