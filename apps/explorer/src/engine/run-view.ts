import type { ClientReport } from '@hmm/report';
import type { Lane } from '../tiles/lane-index.js';
import type { ResidencyChanges } from '../tiles/residency-raster.js';

/** A named range of a program's memory, in display order; its rows in the map are [row, row + pages). */
export interface RegionView {
  readonly name: string;
  readonly row: number;
  readonly pages: number;
}

/**
 * What happened in a run, as columns in time order: tracepoints, statements and held locks alike. An event without a
 * duration ends when it begins.
 */
export interface EventColumns {
  readonly length: number;
  /** ns. */
  readonly time: Float64Array;
  /** ns, not before `time`. */
  readonly end: Float64Array;
  /** Index into {@link RunView.agents}. */
  readonly agent: Uint32Array;
  /** Index into {@link RunView.kinds}. */
  readonly kind: Uint16Array;
  /** Index into {@link RunView.lanes}. */
  readonly lane: Uint8Array;
  /** Row in the map, or -1. */
  readonly row: Int32Array;
  /** Page number as the tracepoint gave it; may be empty: of a recorded trace nobody asks for it. */
  readonly page: Float64Array;
  readonly pages: Float64Array | Uint32Array;
  /** As the tracepoint says; may be empty, for all 0. */
  readonly value: Float64Array;
}

/** A statement of the program as it ran: its times and its place in the source. */
export interface StatementView {
  /** ns. */
  readonly from: number;
  readonly to: number;
  readonly line: number;
  readonly text: string;
  /** Whose it is: a CPU thread's, or a kernel's on the GPU. */
  readonly side: 'cpu' | 'gpu';
  /** Number of the GPU; -1 for a CPU thread's. */
  readonly gpu: number;
  /** Process and thread. */
  readonly agent: string;
  /** What it returned, for people; '' for nothing. */
  readonly result: string;
}

/** A figure with its name and unit. */
export interface FigureView {
  readonly label: string;
  readonly value: string;
}

/** A series for the counter plots, sampled at its own times. */
export interface CounterView {
  readonly label: string;
  /** What is plotted together has the same unit. */
  readonly unit: 'count' | 'KiB';
  /** ns. */
  readonly time: Float64Array;
  readonly value: Float64Array;
}

/** Everything the page knows of one pane's run. Plain data and typed arrays, so that it can cross to the page. */
export interface RunView {
  /** Short name of the driver. */
  readonly client: string;
  /** Its full name, with the version that is modelled. */
  readonly title: string;
  readonly gpu: string;
  /** GPUs of the machine, or of a recorded trace. */
  readonly gpus: number;
  /** What was changed so that it could run. */
  readonly changed: readonly string[];
  /** Assertions that did not hold: line and what was seen. */
  readonly failures: readonly { readonly line: number; readonly column: number; readonly seen: string }[];
  /** What the program's statements returned. */
  readonly values: Readonly<Record<string, readonly number[]>>;
  /** Counts, bytes and times, as the command line reports them; undefined of a recorded trace. */
  readonly report: ClientReport | undefined;
  /** Virtual time of the whole run, ns; of a trace without times its number of rows. */
  readonly duration: number;
  /** Whether times are times: false of a trace that has none, where they are numbers of rows. */
  readonly timed: boolean;
  readonly regions: readonly RegionView[];
  /** Rows of the map. */
  readonly rows: number;
  readonly agents: readonly string[];
  readonly kinds: readonly string[];
  readonly lanes: readonly string[];
  readonly events: EventColumns;
  /** Which events are on each of {@link RunView.lanes}. */
  readonly laneIndex: readonly Lane[];
  /** Where pages went; empty of a recorded trace, whose map is drawn from what the worker keeps. */
  readonly residency: ResidencyChanges;
  /** In the order in which they began; the value of a statement's event is its index here. */
  readonly statements: readonly StatementView[];
  /** The sentence first, then its biggest causes with the event that shows each. */
  readonly summary: string;
  readonly causes: readonly { readonly text: string; readonly event: number }[];
  readonly figures: readonly FigureView[];
  readonly counters: readonly CounterView[];
}

/** Why a pane has nothing to show, said by the driver or about the program. */
export interface PaneRefusal {
  readonly ok: false;
  /** The driver's name. */
  readonly title: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
}

/** A pane's answer. */
export type PaneResult = { readonly ok: true; readonly run: RunView } | PaneRefusal;

/** The kind under which statements are among the events. */
export const STATEMENT_KIND = 'program:statement';
