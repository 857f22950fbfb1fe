import { GPU_PRESETS, presetFigures, type GpuPreset } from '@hmm/gpu';
import { formatBytes } from '@hmm/report';
import { markdownTable, type Page, plain } from '../page.js';

const ORIGINS = `Every figure of a preset says where it comes from: *measured* on the recorded machine, *vendor* from a data sheet,
*paper* from a publication, *driver* read in driver source, *estimate* ours: scaled or guessed. What an estimate decides is no word on
the real card.`;

/** The GPUs that can be modelled: a page of all, and one for each with every figure and its origin. */
export function gpuPages(): Page[] {
  const presets = Object.values(GPU_PRESETS);
  const rows = presets.map((preset) => {
    const figures = presetFigures(preset);
    const guessed = figures.filter(({ from }) => from === 'estimate').length;
    return [
      `[${preset.title}](./gpus/${preset.name}.md)`,
      `\`${preset.name}\``,
      preset.architecture,
      formatBytes(preset.memory.value),
      preset.link.name,
      preset.capability.replayableFaults ? 'yes' : 'no',
      `${figures.length - guessed} of ${figures.length}`,
    ];
  });
  const columns = [
    'GPU',
    '`--gpu`',
    'architecture',
    'memory:',
    'link',
    'replayable faults',
    'figures not estimated:',
  ];
  const text = `# GPUs\n\n${ORIGINS}\n\n${markdownTable(columns, rows)}\n`;
  return [{ path: 'reference/gpus.md', text }, ...presets.map(gpuPage)];
}

function gpuPage(preset: GpuPreset): Page {
  const { title, name, architecture, chip, computeCapability, host, label, capability } = preset;
  const figures = presetFigures(preset).map(({ name: field, value, unit, from, note }) => [
    `\`${field}\``,
    String(value),
    unit,
    from,
    plain(note),
  ]);
  const can = Object.entries(capability).flatMap(([field, value]) =>
    typeof value === 'boolean' || typeof value === 'string'
      ? [[`\`${field}\``, value === true ? 'yes' : value === false ? 'no' : value]]
      : [],
  );
  const parts = [
    `# ${title}`,
    `\`--gpu ${name}\`: ${architecture}, chip ${chip}, compute capability ${computeCapability}, in a machine of ${host}.`,
    ...(label === '' ? [] : [`::: warning\n${plain(label)}\n:::`]),
    '## What it can do',
    markdownTable(['capability', ''], can),
    '## Figures',
    ORIGINS,
    markdownTable(['figure', 'value:', 'unit', 'origin', 'what was measured or scaled'], figures),
  ];
  return { path: `reference/gpus/${name}.md`, text: `${parts.join('\n\n')}\n` };
}
