// How sessions, people and events are called on the screen.
import type { PlatformName, Session, SessionEvent, SessionState } from '@belay/api';
import type { Tone } from '@belay/ui';
import { t } from './text';

export function isOpen(state: SessionState): boolean {
  return state !== 'closed' && state !== 'timed_out' && state !== 'aborted';
}

/** A technician has it: also while the end user's computer is away and may come back. */
export function isUnderWay({ state, technician }: Session): boolean {
  return state === 'active' || (isAbsent(state) && technician !== undefined);
}

/** The end user's computer is away, and may come back. */
export function isAbsent(state: SessionState): boolean {
  return isOpen(state) && state !== 'connecting' && state !== 'waiting' && state !== 'active';
}

export function nameOf(session: Session | undefined): string {
  return session?.end_user_name || t('unnamed');
}

export function stateName(state: SessionState): string {
  return t(`state_${state}`);
}

const tones = {
  connecting: 'info',
  waiting: 'warning',
  active: 'success',
  reconnecting: 'warning',
  offline: 'danger',
  closed: 'quiet',
  timed_out: 'quiet',
  aborted: 'danger',
} satisfies Record<string, Tone>;

export function stateTone(state: SessionState): Tone {
  return tones[state];
}

/** The applet tells its platform as text; what we do not know is shown as it is. */
export function peerPlatform(platform: string): string {
  const name = platform.replace(' ', '-');
  return name === 'linux-x86_64' || name === 'windows-x86_64' || name === 'macos' ? platformName(name) : platform;
}

export function platformName(platform: PlatformName | undefined): string {
  switch (platform) {
    case 'linux-x86_64':
      return t('platform_linux');
    case 'windows-x86_64':
      return t('platform_windows');
    case 'macos':
      return t('platform_macos');
    case undefined:
      return t('details_unknown');
  }
}

export function eventName(kind: SessionEvent['kind']): string {
  return t(`event_${kind}`);
}

/** The short text of an event: rights and platforms by their names, all else as it was recorded. */
export function eventDetail({ kind, detail }: SessionEvent): string {
  if (kind === 'downloaded') return peerPlatform(detail);
  // The end itself stands in the facts above the events.
  if (kind === 'ended') return '';
  return detail === 'desktop_view' || detail === 'remote_control' ? t(`right_${detail}`) : detail;
}

/** Time from pick-up to the end, or to `now` while it is open; milliseconds. */
export function activeTime(session: Session, now: number): number | undefined {
  if (!session.active_at) return undefined;
  const end = session.ended_at ? Date.parse(session.ended_at) : now;
  return end - Date.parse(session.active_at);
}
