import { type Example, RACE } from './programs.js';

/** Tests of the menu under one heading. */
export interface ExampleGroup {
  readonly title: string;
  readonly examples: readonly Example[];
}

const LIBRARY: ReadonlyMap<string, string> = new Map(
  Object.entries(
    import.meta.glob<string>('/node_modules/@hmm/explore/litmus/*.litmus', {
      query: '?raw',
      import: 'default',
      eager: true,
    }),
  ).map(([path, text]) => [path.replace(/^.*\/|\.litmus$/g, ''), text]),
);

/** The text with a setting of the devices or the kernel. */
export function withSetting(text: string, setting: string): string {
  return text.replace(
    /^(?=(?:device|malloc|shared|memfd|memfd_private|file|stack|process) )/m,
    `set ${setting}\n`,
  );
}

/** Litmus tests of the menu: the protocol alone and the library. */
export const LITMUS_GROUPS: readonly ExampleGroup[] = [
  {
    title: 'The sequence protocol alone',
    examples: [
      { title: 'The driver forgets to check the sequence', text: RACE },
      { title: 'The check is done before taking the lock', text: 'protocol retry-unlocked\n' },
      { title: 'The callback does not set the sequence', text: 'protocol no-set-seq\n' },
      { title: 'As it should be', text: 'protocol none\n' },
    ],
  },
  {
    title: 'Library, on a device without the races of the recorded one',
    examples: [...LIBRARY].map(([name, text]) => ({ title: name, text: withSetting(text, 'corrected = 1') })),
  },
  {
    title: 'As recorded, with its races',
    examples: ['first-example', 'hole-race'].flatMap((name) => {
      const text = LIBRARY.get(name);
      return text === undefined ? [] : [{ title: name, text }];
    }),
  },
];
