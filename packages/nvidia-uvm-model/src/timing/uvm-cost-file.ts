import { figuresOfGpu } from './uvm-h200-figures.js';
import { TRACED_FIGURES, type UvmFigure, type UvmFigures } from './uvm-figures.js';

/** What a cost file calls itself. */
export const UVM_COSTS_FORMAT = 'nvidia-uvm-costs';
/** The version of cost files that this model writes and reads. */
export const UVM_COSTS_VERSION = 1;

/** One figure of a cost file. */
export interface UvmCostEntry {
  /** In `unit`, on a GPU whose services cost what the recorded one's do: other presets scale it. */
  readonly value: number;
  readonly unit: string;
  /** Median relative error of the steps that depend on it; `null` where none does, and the value is the shipped one. */
  readonly error: number | null;
  /** Steps that constrain it. */
  readonly steps: number;
}

/** A cost file: what the driver's work costs on one machine. */
export interface UvmCostFile {
  readonly format: typeof UVM_COSTS_FORMAT;
  readonly version: typeof UVM_COSTS_VERSION;
  readonly machine: string;
  /** The preset that it was fitted on. */
  readonly gpu: string;
  readonly figures: Readonly<Record<string, UvmCostEntry>>;
}

/** Figures, or one line on what is wrong with the file. */
export type UvmCostsResult =
  | { readonly ok: true; readonly figures: UvmFigures; readonly machine: string }
  | { readonly ok: false; readonly message: string };

type Fields = Readonly<Record<string, unknown>>;

const NAMES = Object.keys(TRACED_FIGURES) as (keyof UvmFigures)[];

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a cost file. Figures that it does not name keep the values shipped for its GPU; names that are no figure are errors. */
export function parseUvmCosts(text: string): UvmCostsResult {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return wrong('this is not JSON, a cost file is needed (hmm calibrate writes one)');
  }
  if (!isFields(file) || file['format'] !== UVM_COSTS_FORMAT)
    return wrong(`this is no cost file: "format" has to be "${UVM_COSTS_FORMAT}" (hmm calibrate writes one)`);
  if (file['version'] !== UVM_COSTS_VERSION)
    return wrong(
      `version ${JSON.stringify(file['version'])} of cost files is not known, only ${UVM_COSTS_VERSION}`,
    );
  const { figures, gpu, machine } = file;
  if (!isFields(figures)) return wrong('"figures" has to be an object');
  const from = typeof machine === 'string' && machine !== '' ? machine : 'unknown machine';
  return figuresOf(figures, from, figuresOfGpu(typeof gpu === 'string' ? gpu : 'h100'));
}

function figuresOf(entries: Fields, machine: string, base: UvmFigures): UvmCostsResult {
  const figures: Partial<Record<keyof UvmFigures, UvmFigure>> = {};
  for (const [key, entry] of Object.entries(entries)) {
    const name = NAMES.find((known) => known === key);
    if (name === undefined) return wrong(`there is no figure ${key}`);
    if (!isFields(entry)) return wrong(`figure ${key} has to be an object with "value" and "unit"`);
    const { value, unit, error } = entry;
    const shipped = base[name];
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
      return wrong(`the value of ${key} has to be a number from 0 on`);
    if (DIVISORS.has(name) && value === 0) return wrong(`the value of ${key} has to be above 0`);
    if (unit !== shipped.unit)
      return wrong(
        `${key} is in "${shipped.unit}", not in ${unit === undefined ? 'no unit' : JSON.stringify(unit)}`,
      );
    if (typeof error === 'number')
      figures[name] = {
        ...shipped,
        value,
        machine,
        recording: 'of the cost file',
        method: 'hmm calibrate',
        error,
      };
    else figures[name] = { ...shipped, value };
  }
  return { ok: true, figures: { ...base, ...figures }, machine };
}

/** Figures that others are divided by: how long something takes to get warm or cold. */
const DIVISORS: ReadonlySet<keyof UvmFigures> = new Set([
  'batchWarmTime',
  'launchIdleTime',
  'pauseTime',
  'warmFaults',
  'warmKernels',
  'warmRefusals',
]);

function wrong(message: string): UvmCostsResult {
  return { ok: false, message };
}
