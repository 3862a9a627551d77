// Which tools can be used now, and why not. A disabled button says why.
import type { ConsentState, LinkState, Right } from '@belay/session';

export type Why = 'why_not_connected' | 'why_reconnecting' | 'why_not_allowed' | 'why_asking' | 'why_view_first' | 'why_all_granted';
export type Tool = { use: 'ask' } | { use: 'stop' } | { use: 'none'; why: Why };

export interface Standing {
  link: LinkState;
  rights: readonly Right[];
  consent: Readonly<Record<Right, ConsentState>>;
}

/** Whether the link is lost and comes back by itself. */
export function isAway(link: LinkState): boolean {
  return link === 'reconnecting' || link === 'offline';
}

/** Whether the link is on its way to a partner, the first one or another. */
export function isConnecting(link: LinkState): boolean {
  return link === 'connecting' || link === 'waiting_for_applet' || link === 'securing';
}

function notNow(link: LinkState): Tool | undefined {
  if (link === 'connected') return undefined;
  return { use: 'none', why: isAway(link) ? 'why_reconnecting' : 'why_not_connected' };
}

export function viewTool({ link, rights, consent }: Standing): Tool {
  return notNow(link) ?? rightTool('desktop_view', rights, consent);
}

export function controlTool({ link, rights, consent }: Standing): Tool {
  const tool = notNow(link) ?? rightTool('remote_control', rights, consent);
  if (tool.use === 'ask' && consent.desktop_view !== 'granted') return { use: 'none', why: 'why_view_first' };
  return tool;
}

/** One prompt for every right the charter allows. */
export function singlePromptTool({ link, rights, consent }: Standing): Tool {
  const late = notNow(link);
  if (late) return late;
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
    case 'failed':
    case 'offline':
      return { use: 'ask' };
  }
}
