import { posix } from 'node:path';
import { GOLDEN_FILES } from '@hmm/golden';
import { describe, expect, it } from 'vitest';
import { checksum, CORPORA, lastAgreement } from '../src/agreement.js';
import { entrySources } from '../src/api-pages.js';
import { guideCommands, guides } from '../src/guide-commands.js';
import { lastLibrary } from '../src/litmus-run.js';
import { outsideCode } from '../src/links.js';
import { markdownTable, placesOf, plain } from '../src/page.js';
import { inRepository } from '../src/repository.js';
import { stagedPages } from '../src/stage.js';

const { pages, complaints } = stagedPages();

describe('the pages of the site', () => {
  it('link to what the repository has', () => {
    expect(complaints).toEqual([]);
  });

  it('link to pages, and to places in them, that there are', () => {
    const made = new Map([
      ...entrySources().map(({ name }) => [`reference/api/${name}.md`, undefined] as const),
      ...pages.map(({ path, text }) => [path, placesOf(text)] as const),
    ]);
    const broken: string[] = [];
    for (const { path, text } of pages)
      outsideCode(text, (prose) => {
        for (const [, to = '', place] of prose.matchAll(/\]\((?![a-z]+:)([^)#\s]+\.md)?(?:#([^)\s]*))?\)/g)) {
          const target = to === '' ? path : posix.normalize(posix.join(posix.dirname(path), to));
          const there = made.get(target);
          if (!made.has(target) || (place !== undefined && there?.has(place) === false))
            broken.push(`${path}: ${to}#${place ?? ''}`);
        }
        return prose;
      });
    expect(broken).toEqual([]);
  });

  it('have one path each', () => {
    const paths = pages.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
  });

  it('have a page for every operation, driver, GPU and litmus test that there is', () => {
    const text = (path: string): string => pages.find((page) => page.path === path)?.text ?? '';
    expect(text('reference/language.md')).toContain("'munmap' range results");
    expect(text('reference/parameters.md')).toContain('`uvm_perf_prefetch_threshold` | 51 | 0 … 100');
    expect(text('reference/gpus/h100.md')).toMatch(/`link.toDeviceGBs` \| [\d.]+ \| GB\/s \| measured/);
    expect(text('reference/litmus/faults.md')).toContain('## fault-vs-munmap');
    expect(text('reference/defects.md')).toContain('### keepsSourceMappings');
  });
});

describe('what the pages say of runs', () => {
  it('is of the recordings that there are', () => {
    const run = lastAgreement();
    expect(run.recordings.map(({ file }) => file)).toEqual(CORPORA.map(({ file }) => file));
    for (const { file, sha256 } of run.recordings) {
      const golden = GOLDEN_FILES.find((name) => name === file);
      expect({ file, sha256 }).toEqual({ file, sha256: golden === undefined ? '' : checksum(golden) });
    }
  });

  it('is of a run in which every litmus test held', () => {
    expect(lastLibrary().tests.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  });
});

describe('the guides', () => {
  const commands = guides().flatMap(guideCommands);

  it('have commands, each of which is run by the check of the site', () => {
    expect(commands.length).toBeGreaterThan(15);
    expect(
      commands.filter(
        ({ command }) => !/^(?:npm run (?:-s )?hmm -- |cd [\w/-]+ && pnpm exec )/.test(command),
      ),
    ).toEqual([]);
  });

  it('name files that there are', () => {
    const named = commands.flatMap(
      ({ command }) => command.match(/(?:packages|tools|apps|docs)\/[\w./-]+/g) ?? [],
    );
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((path) => !inRepository(path))).toEqual([]);
  });

  it('are read with their exit codes and what they print', () => {
    const race = commands.find(({ command }) => command.includes('close-vs-cpu-read'));
    expect(race).toMatchObject({ exitCode: 1, endless: false });
    expect(race?.prints).toContain('mmu_interval_notifier_remove');
    expect(commands.find(({ command }) => command.endsWith('view'))?.endless).toBe(true);
  });
});

describe('text for Markdown', () => {
  it('is read as it stands', () => {
    expect(plain('a*b <c> {{d}}')).toBe('a\\*b &lt;c> &#123;&#123;d}}');
    expect(markdownTable(['a', 'b:'], [['1|2', 'x\ny']])).toBe('| a | b |\n| --- | --: |\n| 1\\|2 | x y |');
  });
});
