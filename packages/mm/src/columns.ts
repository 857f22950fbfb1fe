/** A column of a table indexed by frame or slot. */
export type Column = Uint16Array | Int32Array | Uint8Array;

/** Words up to this number are set one by one, which is faster than a call. */
export const FEW = 32;

/** Sets words [start, end) of a column to 0. */
export function clearColumn(column: Column, start: number, end: number): void {
  if (end - start > FEW) column.fill(0, start, end);
  else for (let at = start; at < end; at++) column[at] = 0;
}

/** Sets the words of a column from `start` on to `words`. */
export function setColumn(column: Column, start: number, words: Column): void {
  if (words.length > FEW) column.set(words, start);
  else for (let i = 0; i < words.length; i++) column[start + i] = words[i] ?? 0;
}

/** Makes a list hold what `source` holds. */
export function refill<T>(target: T[], source: readonly T[]): void {
  while (target.length > source.length) target.pop();
  let at = 0;
  for (const item of source) target[at++] = item;
}
