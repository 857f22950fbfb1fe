import { computed, signal } from '@preact/signals';
import { DARK, LIGHT } from '../draw/palette.js';

/** What the reader chose; `auto` follows the system. */
export type ThemeChoice = 'auto' | 'light' | 'dark';

const systemDark = window.matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(systemDark.matches);
systemDark.addEventListener('change', (event) => {
  systemIsDark.value = event.matches;
});

/** The choice in force. */
export const theme = signal<ThemeChoice>('auto');
/** Whether the page is dark now. */
export const dark = computed(() => (theme.value === 'auto' ? systemIsDark.value : theme.value === 'dark'));
/** Colours for what is drawn on canvases. */
export const palette = computed(() => (dark.value ? DARK : LIGHT));
