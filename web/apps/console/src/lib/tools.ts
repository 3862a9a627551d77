// Which tools can be used now, and why not. A disabled button says why.
import type { ConsentState, LinkState, Right } from '@belay/session';

export type Why = 'why_not_connected' | 'why_not_allowed' | 'why_asking' | 'why_view_first' | 'why_all_granted';
export type Tool = { use: 'ask' } | { use: 'stop' } | { use: 'none'; why: Why };

export interface Standing {
  link: LinkState;
  rights: readonly Right[];
  consent: Readonly<Record<Right, ConsentState>>;
}

export function viewTool({ link, rights, consent }: Standing): Tool {
  if (link !== 'connected') return { use: 'none', why: 'why_not_connected' };
  return rightTool('desktop_view', rights, consent);
}

export function controlTool({ link, rights, consent }: Standing): Tool {
  if (link !== 'connected') return { use: 'none', why: 'why_not_connected' };
  const tool = rightTool('remote_control', rights, consent);
  if (tool.use === 'ask' && consent.desktop_view !== 'granted') return { use: 'none', why: 'why_view_first' };
  return tool;
}

/** One prompt for every right the charter allows. */
export function singlePromptTool({ link, rights, consent }: Standing): Tool {
  if (link !== 'connected') return { use: 'none', why: 'why_not_connected' };
  if (rights.some((right) => consent[right] === 'asking')) return { use: 'none', why: 'why_asking' };
  if (rights.every((right) => consent[right] === 'granted')) return { use: 'none', why: 'why_all_granted' };
  return { use: 'ask' };
}

function rightTool(right: Right, rights: readonly Right[], consent: Standing['consent']): Tool {
  if (!rights.includes(right) || consent[right] === 'not_allowed') return { use: 'none', why: 'why_not_allowed' };
  switch (consent[right]) {
    case 'asking':
      return { use: 'none', why: 'why_asking' };
    case 'granted':
      return { use: 'stop' };
    case 'none':
    case 'refused':
    case 'timed_out':
    case 'withdrawn':
      return { use: 'ask' };
  }
}
