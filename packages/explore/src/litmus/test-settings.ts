import { HmmError } from '@hmm/kernel';

/** Settings of every litmus test, whichever devices it has. */
export const TEST_SETTINGS = [
  'failures',
  'failure_site',
  'reaper',
  'kswapd',
  'plain_notifiers',
  'refusing_notifiers',
  'dma',
  'dma_child',
] as const;

type TestSetting = (typeof TEST_SETTINGS)[number];

/** A setting that is a number of things, 0 unless it is there. @throws HmmError `SETTING` */
export function countSetting(settings: ReadonlyMap<string, string>, key: TestSetting): number {
  const text = settings.get(key) ?? '0';
  if (!/^\d$/.test(text))
    throw new HmmError('SETTING', `${key} is a number from 0 to 9, not ${text}`, { key });
  return Number(text);
}

/** A setting that is `yes` or `no`, which it is unless it is there. @throws HmmError `SETTING` */
export function yesSetting(settings: ReadonlyMap<string, string>, key: TestSetting): boolean {
  const text = settings.get(key) ?? 'no';
  if (text !== 'yes' && text !== 'no')
    throw new HmmError('SETTING', `${key} is yes or no, not ${text}`, { key });
  return text === 'yes';
}
