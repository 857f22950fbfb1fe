import { describe, expect, it } from 'vitest';
import { coverage, coverageMarkdown, parseOmissions } from '../src/coverage.js';
import { parseSymbolList, silenceComplaint, sourceTags, tagComplaint } from '../src/symbols.js';

const files = parseSymbolList(
  'mm/hmm.c: hmm_range_fault hmm_vma_walk_pmd hmm_vma_walk_pud | hmm_vma_walk\ndrivers/gpu/nvkm/vmm.c: nvkm_vmm_new |\nmm/mmap.c: sys_munmap |\n',
  'list.txt',
);

function complaint(comment: string): string | undefined {
  const [tag] = sourceTags(`/** ${comment} */`, 'a.ts');
  return tag === undefined ? 'no tag' : tagComplaint(tag, files);
}

describe('a tag in a doc comment', () => {
  it('names a file and its functions or types', () => {
    expect(complaint('@kernel mm/hmm.c hmm_range_fault')).toBeUndefined();
    expect(complaint('@kernel mm/hmm.c hmm_range_fault, struct hmm_vma_walk')).toBeUndefined();
    expect(complaint('@kernel mm/hmm.c hmm_range_fault, with the callbacks of another file')).toBeUndefined();
    expect(complaint('@kernel mm/hmm.c')).toBeUndefined();
    expect(complaint('@nouveau nvkm/vmm.c nvkm_vmm_new')).toBeUndefined();
    expect(complaint('@kernel mm/mmap.c munmap')).toBeUndefined();
    // The lists are of today: what an older release had is not looked up.
    expect(complaint('@kernel 4.14 mm/hmm.c hmm_vma_fault')).toBe('no tag');
  });

  it('is refused when the name or the file does not exist', () => {
    expect(complaint('@kernel mm/hmm.c hmm_range_fautl')).toBe(
      'a.ts:1: @kernel: mm/hmm.c has no hmm_range_fautl',
    );
    expect(complaint('@kernel mm/hmm.c hmm_range_fault, hmm_none')).toContain('has no hmm_none');
    expect(complaint('@kernel mm/hmmm.c hmm_range_fault')).toBe(
      'a.ts:1: @kernel: no file mm/hmmm.c in the lists',
    );
    expect(complaint('@uvm mm/hmm.c nvkm_vmm_new')).toContain('(it is in drivers/gpu/nvkm/vmm.c)');
  });

  it('carries its line, and what is left out', () => {
    const source = '\n/**\n * Walks.\n * @kernel mm/hmm.c hmm_vma_walk_pmd (without:\n * devmap)\n */';
    expect(sourceTags(source, 'a.ts')).toEqual([
      {
        where: 'a.ts:4',
        system: 'kernel',
        path: 'mm/hmm.c',
        symbols: ['hmm_vma_walk_pmd'],
        without: 'devmap',
      },
    ]);
  });
});

describe('a tag that names a function', () => {
  const silence = (comment: string): string | undefined => {
    const [tag] = sourceTags(`/** ${comment} */`, 'a.ts');
    return tag === undefined ? 'no tag' : silenceComplaint(tag, files);
  };

  it('says what is left out', () => {
    expect(silence('@kernel mm/hmm.c hmm_range_fault (all)')).toBeUndefined();
    expect(silence('@kernel mm/hmm.c hmm_range_fault, hmm_vma_walk_pmd (without: devmap)')).toBeUndefined();
    expect(silence('@kernel mm/hmm.c hmm_range_fault')).toBe(
      'a.ts:1: @kernel: hmm_range_fault: say (all) or (without: …)',
    );
    expect(silence('@kernel mm/mmap.c munmap, with a clause')).toContain('sys_munmap: say');
  });

  it('need not where it names a type, or a file as a whole', () => {
    expect(silence('@kernel mm/hmm.c hmm_vma_walk')).toBeUndefined();
    expect(silence('@kernel mm/hmm.c')).toBeUndefined();
  });
});

describe('the coverage table', () => {
  const tags = sourceTags(
    '/** @kernel mm/hmm.c hmm_range_fault (all) */ /** @kernel mm/hmm.c hmm_vma_walk_pmd (without: devmap) */',
    'a.ts',
  );

  it('counts what is modelled whole, with reservations and not, with the reasons', () => {
    const omissions = parseOmissions('mm/hmm.c hmm_*_pud: no huge PUDs\n', 'reasons.txt');
    const table = coverageMarkdown(coverage(tags, files), omissions);
    expect(table).toContain('| `mm/hmm.c` | 1 | 1 | 1 |');
    expect(table).toContain('Modelled whole: `hmm_range_fault`.');
    expect(table).toContain('| `hmm_vma_walk_pmd` | without | devmap |');
    expect(table).toContain('| `hmm_vma_walk_pud` | not | no huge PUDs |');
    expect(table).not.toContain('nvkm');
  });

  it('joins what the tags of one function leave out', () => {
    const parts = sourceTags(
      ['(all)', '(without: devmap)', '(without: PUDs)']
        .map((n) => `/** @kernel mm/hmm.c hmm_range_fault ${n} */`)
        .join(' '),
      'a.ts',
    );
    expect(coverageMarkdown(coverage(parts, files), [])).toContain(
      '| `hmm_range_fault` | without | devmap; PUDs |',
    );
  });

  it('is made from lists that are well formed', () => {
    expect(() => parseSymbolList('mm/hmm.c hmm_range_fault', 'list.txt')).toThrow('list.txt:1');
    expect(() => parseOmissions('\nmm/hmm.c', 'reasons.txt')).toThrow('reasons.txt:2');
  });
});
