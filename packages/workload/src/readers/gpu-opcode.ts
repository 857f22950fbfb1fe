import { ACCESS_ATOMIC, ACCESS_PREFETCH, ACCESS_READ, ACCESS_WRITE } from './access-batch.js';

/** What a GPU memory instruction does to global memory. */
export interface GpuOpcode {
  /** `ACCESS_*`, or -1: no access to global memory (shared, local, constant). */
  readonly kind: number;
  /** Bytes that each active lane touches. */
  readonly size: number;
}

const WIDTHS: readonly (readonly [RegExp, number])[] = [
  [/\.[US]8\b/, 1],
  [/\.[US]16\b|\.F16\b/, 2],
  [/\.128\b/, 16],
  [/\.64\b|\.F64\b|\.[US]64\b/, 8],
];

const KINDS: readonly (readonly [RegExp, number])[] = [
  [/^(?:LDS|STS|ATOMS|LDL|STL|LDC|LDSM|LDGDEPBAR)/, -1],
  [/^(?:ATOM|ATOMG|RED)\b/, ACCESS_ATOMIC],
  [/^CCTL/, ACCESS_PREFETCH],
  [/^LD/, ACCESS_READ],
  [/^ST/, ACCESS_WRITE],
];

const known = new Map<string, GpuOpcode>();

/** How many different opcodes are remembered: a machine has a few hundred, a broken file any number. */
const KNOWN_LIMIT = 4096;

/**
 * Kind and width of a SASS opcode such as `LDG.E.64.SYS`: width from the suffix, 4 bytes without one. Generic loads
 * and stores (`LD`, `ST`) count as global.
 */
export function gpuOpcode(name: string): GpuOpcode {
  const seen = known.get(name);
  if (seen !== undefined) return seen;
  const kind = KINDS.find(([shape]) => shape.test(name))?.[1] ?? -1;
  const size = WIDTHS.find(([shape]) => shape.test(name))?.[1] ?? 4;
  const opcode = { kind, size };
  if (known.size < KNOWN_LIMIT) known.set(name, opcode);
  return opcode;
}
