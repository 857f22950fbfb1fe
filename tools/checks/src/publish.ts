import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { problemAffectsResolutionKind } from '@arethetypeswrong/core/problems';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

/** How users of packages that are ES modules only resolve them. */
const RESOLUTIONS = ['node16-esm', 'bundler'] as const;

/**
 * What the users of a packed library would stumble over: entries that are not in the tarball, or types that do not fit
 * them. The findings of publint (strict) and of Are the Types Wrong, a sentence each.
 */
export async function publishComplaints(tarball: string): Promise<string[]> {
  const bytes = new Uint8Array(readFileSync(tarball));
  const { messages, pkg } = await publint({ strict: true, pack: { tarball: bytes.buffer } });
  const found = messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
  const analysis = await checkPackage(createPackageFromTarballData(bytes));
  if (analysis.types === false) found.push('it has no types');
  else {
    for (const problem of analysis.problems) {
      const kinds = RESOLUTIONS.filter((kind) => problemAffectsResolutionKind(problem, kind, analysis));
      if (kinds.length > 0) found.push(`types: ${problem.kind} (${kinds.join(', ')})`);
    }
  }
  return found.map((sentence) => `${basename(tarball)}: ${sentence}`);
}
