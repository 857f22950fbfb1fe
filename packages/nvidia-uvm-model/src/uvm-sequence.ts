/** Pages 0 … `pages - 1`. */
export function sequence(pages: number): Int32Array {
  return Int32Array.from({ length: pages }, (_, i) => i);
}
