const KEY = 'release=';

/** The release that the settings of a pane name; empty where they name none. */
export function releaseOf(settings: readonly string[]): string {
  return settings.findLast((word) => word.startsWith(KEY))?.slice(KEY.length) ?? '';
}

/** The settings with that release, or with none where it is empty. */
export function withRelease(settings: readonly string[], release: string): readonly string[] {
  const others = settings.filter((word) => !word.startsWith(KEY));
  return release === '' ? others : [`${KEY}${release}`, ...others];
}
