import { encodeFragment } from '@hmm/explorer/view-url';
import { hmmGrammar } from '@hmm/syntax';
import type { DefaultTheme, UserConfig } from 'vitepress';
import { slug } from './page.js';
import { membersOf, REPOSITORY_URL } from './repository.js';
import { entrySources } from './api-pages.js';

/** Where a whole program is opened in the explorer; behind it stands the state of the explorer's page. */
const TRY_PAGE = 'try.html';

const FENCE_LANGUAGES: Readonly<Record<string, 'p' | 'l'>> = { hmm: 'p', litmus: 'l' };

/** What of the explorer's page a program or a litmus test is. */
export function tryFragment(language: string, text: string): string | undefined {
  const field = FENCE_LANGUAGES[language];
  if (field === undefined) return undefined;
  return encodeFragment(field === 'p' ? { m: 'compare', p: text } : { m: 'litmus', l: text });
}

/** The site, as VitePress builds it. `HMM_SITE_BASE` is the path below which it will stand, `/` unless it is said. */
export function siteConfig(): UserConfig<DefaultTheme.Config> {
  const base = process.env['HMM_SITE_BASE'] ?? '/';
  return {
    title: 'HMM in TypeScript',
    description: 'An executable reference model of Linux Heterogeneous Memory Management',
    base,
    srcDir: '.stage',
    outDir: process.env['HMM_SITE_OUT'] ?? '../../site',
    cacheDir: '.vitepress/cache',
    cleanUrls: false,
    lastUpdated: false,
    metaChunk: true,
    router: { prefetchLinks: false },
    head: [['link', { rel: 'icon', href: 'data:,' }]],
    // The explorer stands beside the pages: what links to it is checked after the build.
    ignoreDeadLinks: [/\/explorer\//],
    markdown: {
      anchor: { slugify: slug },
      languages: [hmmGrammar() as never],
      theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
      config(md) {
        const fence = md.renderer.rules.fence;
        md.renderer.rules.fence = (tokens, at, options, env, self) => {
          const block = fence?.(tokens, at, options, env, self) ?? '';
          const { info = '', content = '' } = tokens[at] ?? {};
          const fragment = tryFragment(info.trim(), content);
          if (fragment === undefined) return block;
          return `${block}<p class="try-it"><a href="${base}${TRY_PAGE}#${fragment}" target="_self">Try it in the explorer</a></p>\n`;
        };
      },
    },
    themeConfig: themeConfig(),
  };
}

function themeConfig(): DefaultTheme.Config {
  return {
    nav: [
      { text: 'Explorer', link: '/try' },
      { text: 'Guides', link: '/guide/kernel' },
      { text: 'Reference', link: '/reference/language' },
      { text: 'What it was checked against', link: '/checked' },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
    search: {
      provider: 'local',
      options: { detailedView: false, translations: { button: { buttonAriaLabel: 'Search K' } } },
    },
    socialLinks: [{ icon: 'github', link: REPOSITORY_URL }],
    footer: { message: 'MIT licence. Figures on these pages were written by runs; each page says which.' },
    docFooter: { prev: false, next: false },
  };
}

/** What stands beside a page: the libraries' reference beside its own pages, the members of the workspace beside theirs. */
function sidebar(): DefaultTheme.SidebarMulti {
  const members = (folder: 'packages' | 'apps' | 'tools'): DefaultTheme.SidebarItem[] =>
    membersOf(folder).map((name) => ({ text: name, link: `/${folder}/${name}` }));
  const home: DefaultTheme.SidebarItem = { text: 'All pages', link: '/' };
  return {
    '/reference/api/': [
      home,
      {
        text: 'API',
        items: entrySources().map(({ name }) => ({ text: name, link: `/reference/api/${name}` })),
      },
    ],
    '/packages/': [home, { text: 'Packages', items: members('packages') }],
    '/apps/': [home, { text: 'Applications', items: members('apps') }],
    '/tools/': [home, { text: 'Tools', items: members('tools') }],
    '/': mainSidebar(),
  };
}

/** Beside every other page. */
function mainSidebar(): DefaultTheme.SidebarItem[] {
  return [
    {
      text: 'Four ways in',
      items: [
        { text: 'Kernel contributor', link: '/guide/kernel' },
        { text: 'GPU engineer', link: '/guide/gpu' },
        { text: 'Teacher', link: '/guide/teacher' },
        { text: 'Tool builder', link: '/guide/tools' },
      ],
    },
    {
      text: 'Trust',
      items: [
        { text: 'What it was checked against', link: '/checked' },
        { text: 'What is not modelled', link: '/not-modelled' },
        { text: 'Defects of the real systems', link: '/reference/defects' },
        { text: 'Invariants', link: '/invariants' },
        { text: 'Coverage of functions', link: '/coverage' },
        { text: 'Planted faults', link: '/mutation' },
        { text: 'Never seen on a real kernel', link: '/races' },
        { text: 'Speed', link: '/speed' },
      ],
    },
    {
      text: 'Reference',
      items: [
        { text: 'The language', link: '/reference/language' },
        { text: 'Litmus tests', link: '/reference/litmus' },
        { text: 'Lessons', link: '/reference/lessons' },
        { text: 'GPUs', link: '/reference/gpus' },
        { text: 'Parameters and settings', link: '/reference/parameters' },
        { text: 'Releases of Linux', link: '/releases' },
        { text: 'Trace formats', link: '/traces/' },
        { text: 'What people report', link: '/reports' },
        { text: 'Suites of driver teams', link: '/suites' },
        { text: 'Cores and clusters', link: '/cluster' },
        { text: 'Glossary', link: '/glossary' },
        { text: 'Ten years of HMM', link: '/history' },
      ],
    },
    {
      text: 'Of the repository',
      items: [
        { text: 'API', link: '/reference/api/' },
        { text: 'Packages', link: '/packages/model' },
        { text: 'Applications', link: '/apps/compare' },
        { text: 'Architecture', link: '/architecture' },
        { text: 'Contributing', link: '/contributing' },
        { text: 'Tools', link: '/tools/golden' },
      ],
    },
  ];
}
