import { allDrivers } from '@hmm/drivers';
import { KERNEL_SETTINGS } from '@hmm/kernel/internal';
import {
  UVM_PARAM_RULES,
  UVM_PARAMS_WITHOUT_EFFECT,
  type UvmParamOutside,
} from '@hmm/nvidia-uvm-model/internal';
import { markdownTable, type Page, plain } from '../page.js';

const OUTSIDE: Readonly<Record<UvmParamOutside, string>> = {
  default: 'its default instead',
  clamp: 'the nearest end of the range',
  yes: 'taken for "yes"',
  refuse: 'refused, as the driver would be of no use',
};
/** The largest number that a parameter of the module holds. */
const NO_LIMIT = 2 ** 31 - 1;

/** Module parameters of NVIDIA's driver, and what `--set` takes for each driver and for the kernel. */
export function parametersPage(): Page {
  const rules = UVM_PARAM_RULES.map(({ name, value, min, max, outside, since }) => [
    `\`${name}\``,
    String(value),
    `${min} … ${max === NO_LIMIT ? '' : max}`,
    OUTSIDE[outside],
    since === undefined ? 'all' : `from ${since} on`,
  ]);
  const parts = [
    '# Parameters and settings',
    'All are given by `--set NAME=VALUE` on the command line, by `set NAME = VALUE` in a program, or in a pane of the page.',
    '## Module parameters of nvidia-uvm',
    'Under their own names, with the driver’s defaults and its treatment of values outside the range.',
    markdownTable(['parameter', 'default:', 'range', 'outside of it', 'releases'], rules),
    `Accepted, and said to be without effect, since what they do is not modelled: ${UVM_PARAMS_WITHOUT_EFFECT.map((name) => `\`${name}\``).join(', ')}.`,
    '## Of the kernel',
    settings(KERNEL_SETTINGS),
    ...allDrivers().flatMap(({ name, title, settings: own }) => {
      const rest = Object.fromEntries(
        Object.entries(own).filter(([key]) => !UVM_PARAM_RULES.some((rule) => rule.name === key)),
      );
      const table = Object.keys(rest).length === 0 ? 'It has no settings of its own.' : settings(rest);
      return [`## ${title}`, `\`--client ${name}\``, table];
    }),
  ];
  return { path: 'reference/parameters.md', text: `${parts.join('\n\n')}\n` };
}

function settings(all: Readonly<Record<string, string>>): string {
  return markdownTable(
    ['setting', 'what it does'],
    Object.entries(all).map(([name, sentence]) => [`\`${name}\``, plain(sentence)]),
  );
}
