import { cursor, duration, moveCursor, panBy, timeWindow, zoomBy } from '../state/store.js';

/** Share of the view that a key moves the cursor by, and that Page Up and Page Down move the view by. */
const KEY_STEP = 1 / 200;
const PAGE_STEP = 0.8;

/** Time under a pointer on something as wide as the time axis, ns. */
export function timeAt(event: MouseEvent, width: number): number {
  const { from, to } = timeWindow.value;
  return from + (event.offsetX / width) * (to - from);
}

/** Where a time is on something as wide as the time axis, pixels. */
export function xOf(time: number, width: number): number {
  const { from, to } = timeWindow.value;
  return ((time - from) / (to - from)) * width;
}

/** Ctrl and the wheel (or two fingers) zoom, Shift and the wheel pan; the wheel alone scrolls the page. */
export function onTimeWheel(event: WheelEvent, width: number): void {
  if (!event.ctrlKey && !event.shiftKey) return;
  event.preventDefault();
  const turned = event.deltaY === 0 ? event.deltaX : event.deltaY;
  if (event.shiftKey) panBy(turned / 1000);
  else zoomBy(turned > 0 ? 1.25 : 0.8, timeAt(event, width));
}

/** Keys of everything that has the time axis; whether `key` was one. */
export function onTimeKey(key: string): boolean {
  const action = KEYS[key];
  if (action === undefined) return false;
  action();
  return true;
}

function step(share: number): void {
  const { from, to } = timeWindow.value;
  moveCursor(cursor.value + share * (to - from));
}

const KEYS: Readonly<Record<string, (() => void) | undefined>> = {
  a: () => {
    step(-KEY_STEP);
  },
  d: () => {
    step(KEY_STEP);
  },
  '+': () => {
    zoomBy(0.5, cursor.value);
  },
  w: () => {
    zoomBy(0.5, cursor.value);
  },
  '-': () => {
    zoomBy(2, cursor.value);
  },
  s: () => {
    zoomBy(2, cursor.value);
  },
  PageUp: () => {
    panBy(-PAGE_STEP);
  },
  PageDown: () => {
    panBy(PAGE_STEP);
  },
  Home: () => {
    moveCursor(0);
  },
  End: () => {
    moveCursor(duration.value);
  },
};
