import { effect } from '@preact/signals';
import type { PaneSpec } from '../engine/protocol.js';
import { FIRST_EXAMPLE, RACE } from '../examples/programs.js';
import {
  clients,
  cursor,
  finished,
  lesson,
  litmusTest,
  mode,
  type Mode,
  panes,
  program,
  replay,
  restored,
  selection,
  stepAt,
  zoom,
} from './store.js';
import { decodeFragment, encodeFragment } from './view-url.js';

/** Panes of a page whose URL names none. */
const DEFAULT_PANES = 2;

const MODES: readonly Mode[] = ['compare', 'step', 'litmus', 'lessons'];
const MAX_PANES = 4;
const MAX_TEXT = 100_000;

/** What of the page is in its URL. Short names, since URLs are passed on by people. */
export interface PageState {
  readonly m?: Mode;
  readonly p?: string;
  readonly l?: string;
  readonly r?: string;
  readonly n?: readonly PaneSpec[];
  readonly c?: number;
  readonly z?: readonly [number, number];
  readonly s?: readonly [number, number];
  readonly t?: readonly number[];
  readonly q?: number;
  readonly d?: readonly number[];
}

/** Takes over what a URL's fragment says; anything that is not ours, or of the wrong kind, is left out. */
export function restorePage(fragment: string): void {
  const decoded = decodeFragment(fragment);
  const state: Record<string, unknown> = isRecord(decoded) ? decoded : {};
  mode.value = MODES.find((known) => known === state['m']) ?? 'compare';
  program.value = textOr(state['p'], FIRST_EXAMPLE);
  litmusTest.value = textOr(state['l'], RACE);
  replay.value = textOr(state['r'], '');
  const named = Array.isArray(state['n']) ? state['n'].filter(isPane).slice(0, MAX_PANES) : [];
  panes.value = named.length > 0 ? named : defaultPanes();
  cursor.value = numberOr(state['c'], 0);
  const [from, to] = numbers(state['z']);
  zoom.value = from !== undefined && to !== undefined && from < to ? { from, to } : undefined;
  const [pane, event] = numbers(state['s']);
  selection.value = pane !== undefined && event !== undefined ? { pane, event } : undefined;
  stepAt.value = numbers(state['t']);
  lesson.value = Math.floor(numberOr(state['q'], 0));
  finished.value = numbers(state['d']);
  restored.value++;
}

/** The first drivers that there are; none before the engine has said which. */
export function defaultPanes(): readonly PaneSpec[] {
  return clients.value.slice(0, DEFAULT_PANES).map(({ name }) => ({ client: name, gpu: '', settings: [] }));
}

/** The page as a fragment. */
export function pageFragment(): string {
  const state: PageState = {
    m: mode.value,
    p: program.value,
    n: panes.value,
    c: Math.round(cursor.value),
    ...(mode.value === 'litmus' ? { l: litmusTest.value, r: replay.value } : {}),
    ...(zoom.value === undefined ? {} : { z: [zoom.value.from, zoom.value.to] }),
    ...(selection.value === undefined ? {} : { s: [selection.value.pane, selection.value.event] }),
    ...(mode.value === 'step' ? { t: stepAt.value } : {}),
    ...(mode.value === 'lessons' ? { q: lesson.value } : {}),
    ...(finished.value.length === 0 ? {} : { d: finished.value }),
  };
  return encodeFragment(state);
}

const WRITE_AFTER_MS = 300;

/** Keeps the URL in step with the page, a moment after it has come to rest. */
export function keepUrl(): void {
  let timer = 0;
  effect(() => {
    const fragment = pageFragment();
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      history.replaceState(null, '', `#${fragment}`);
    }, WRITE_AFTER_MS);
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPane(value: unknown): value is PaneSpec {
  return (
    isRecord(value) &&
    typeof value['client'] === 'string' &&
    typeof value['gpu'] === 'string' &&
    Array.isArray(value['settings']) &&
    value['settings'].every((setting) => typeof setting === 'string')
  );
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value.length <= MAX_TEXT ? value : otherwise;
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : otherwise;
}

function numbers(value: unknown): number[] {
  if (!Array.isArray(value)) return [];
  const items: readonly unknown[] = value;
  return items.filter((item) => typeof item === 'number').filter(Number.isFinite);
}
