// Which computer the page runs on, as far as the browser tells.
import type { PlatformName } from '@belay/api';

export type Device =
  | { kind: 'computer'; platform: PlatformName; foreignProcessor: boolean }
  | { kind: 'phone' }
  | { kind: 'unknown' };

export interface BrowserFacts {
  userAgent: string;
  platform: string;
  touchPoints: number;
}

export function browserFacts(): BrowserFacts {
  return { userAgent: navigator.userAgent, platform: navigator.platform, touchPoints: navigator.maxTouchPoints ?? 0 };
}

export function detect({ userAgent, platform, touchPoints }: BrowserFacts): Device {
  if (/Android|iPhone|iPad|iPod|Windows Phone|Mobile/i.test(userAgent)) return { kind: 'phone' };
  // An iPad asks for desktop pages by calling itself a Mac; no Mac has a touch screen.
  if (/Mac/i.test(platform) && touchPoints > 1) return { kind: 'phone' };
  if (/Windows/i.test(userAgent)) return { kind: 'computer', platform: 'windows-x86_64', foreignProcessor: false };
  if (/Macintosh|Mac OS X/i.test(userAgent)) return { kind: 'computer', platform: 'macos', foreignProcessor: false };
  if (/Linux|X11/i.test(userAgent) && !/CrOS/.test(userAgent)) {
    const foreignProcessor = /aarch64|armv|riscv|ppc64/i.test(`${userAgent} ${platform}`);
    return { kind: 'computer', platform: 'linux-x86_64', foreignProcessor };
  }
  return { kind: 'unknown' };
}
