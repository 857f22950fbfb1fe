import { type CommandBuilder, EXIT_FAILED, EXIT_OK, fail, subcommand } from '@hmm/cli';
import { findGpuPreset } from '@hmm/gpu';
import {
  type FirmwareSource,
  NVKM_CHIPS,
  type NvkmChip,
  nouveauSvmAvailable,
  nvkmChip,
  nvkmChipOf,
  nvkmFirmwareFiles,
} from '@hmm/nouveau-model';
import { firmwareDirectory } from './firmware-directory.js';

/** `firmware CHIP`: the images that a chip needs, whether a directory has them, and whether SVM works then. */
export function firmwareCommand(): CommandBuilder {
  return (parent, host, done) => {
    const command = subcommand(parent, host, 'firmware', [
      'firmware gp104',
      'firmware p100 --firmware /lib/firmware',
      'firmware gp104 --json',
    ])
      .description('the signed images that a chip needs, and which of them are there')
      .argument('<chip>', 'a chip (gp104) or a GPU preset (p100)')
      .option('--firmware <dir>', 'look for them in this directory')
      .option('--json', 'print one JSON document instead of text', false);
    command.action((name: string) => {
      const { firmware, json } = command.opts<{ firmware?: string; json: boolean }>();
      const chip = chipNamed(name);
      if (chip === undefined) {
        const known = NVKM_CHIPS.map((one) => one.name).join(', ');
        done(fail(host.output, `there is no chip or GPU ${name} (chips: ${known})`));
        return;
      }
      const source = firmware === undefined ? undefined : firmwareDirectory(firmware);
      if (firmware !== undefined && source === undefined) {
        done(fail(host.output, `there is no directory ${firmware}`));
        return;
      }
      const report = firmwareReport(chip, source);
      host.output.data(json ? `${JSON.stringify(report)}\n` : formatFirmware(report));
      done(report.files.some(({ present }) => present === false) ? EXIT_FAILED : EXIT_OK);
    });
  };
}

/** What `firmware` prints with `--json`. */
export interface FirmwareReport {
  readonly version: 1;
  readonly chip: string;
  readonly family: string;
  /** Null where nobody looked. */
  readonly files: readonly { readonly path: string; readonly present: boolean | null }[];
  /** Whether nouveau offers SVM on this chip once the images are there, and if not why. */
  readonly svm: { readonly ok: boolean; readonly reason: string | null };
}

/** What `chip` needs, and whether `source` has it. */
export function firmwareReport(chip: NvkmChip, source: FirmwareSource | undefined): FirmwareReport {
  const available = nouveauSvmAvailable(chip, {});
  return {
    version: 1,
    chip: chip.name,
    family: chip.family,
    files: nvkmFirmwareFiles(chip).map(({ path }) => ({ path, present: source?.(path) ?? null })),
    svm: { ok: available.ok, reason: available.ok ? null : available.reason },
  };
}

function chipNamed(name: string): NvkmChip | undefined {
  const preset = findGpuPreset(name);
  return preset === undefined ? nvkmChip(name) : nvkmChipOf(preset.chip, preset.architecture);
}

function formatFirmware({ chip, family, files, svm }: FirmwareReport): string {
  const missing = files.filter(({ present }) => present === false).length;
  const looked = files.some(({ present }) => present !== null);
  const lines = [`${chip} (${family})`, ''];
  if (files.length === 0) lines.push('needs no signed image: nouveau brings its own code.');
  for (const { path, present } of files)
    lines.push(present === false ? `  missing  ${path}` : `           ${path}`);
  lines.push('');
  if (looked)
    lines.push(
      missing === 0
        ? 'All are there.'
        : `${missing} of ${files.length} are missing: no acceleration, no SVM.`,
    );
  lines.push(svm.ok ? 'With them, SVM works on this chip.' : `No SVM on this chip: ${svm.reason ?? ''}.`, '');
  return lines.join('\n');
}
