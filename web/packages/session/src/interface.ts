// What a page needs to know of a remote session, and nothing more.
import { type PathReport } from './paths';
import { type Right } from './wire/right';
import { type ScreenReport } from './watching';
import { type Monitor } from './wire/screen';

export type { Monitor, Right };
export type { ScreenReport } from './watching';
export type { Candidates, DirectReport, Interference, PathName, PathProblem, PathReport } from './paths';

export interface RemoteSessionOptions {
  /** Addresses of gateways, tried in this order. */
  gateways: string[];
  /** base64url; single use. */
  ticket: string;
  /** UUID. */
  sessionId: string;
  /** 32 bytes, hexadecimal. */
  binding: string;
  /** Both base64. */
  charter: { document: string; signature: string };
  canvas: HTMLCanvasElement;
  /** The secret of the invitation link, base64url of 32 bytes, where this browser has it. */
  linkSecret?: string;
  /**
   * Asks the website for another ticket (POST /sessions/{id}/connect) when the gateways no longer take the return
   * ticket. A rejection means "not now": it is asked again later. Who learns that the session is over closes it.
   */
  renew?: () => Promise<{ gateways: string[]; ticket: string }>;
}

/**
 * reconnecting: a connection is lost and is being made again by itself; keys, grants and chat are kept. The detail says
 * whose: `gateway` ours, `partner` the applet's. offline: the same, for more than five minutes; the applet has withdrawn
 * every grant, and the tries go on.
 * lost: this connection is over, the support session is not: get a new ticket and open again.
 * ended: the support session is over, or another window has taken it.
 */
export type LinkState =
  | 'connecting'
  | 'securing'
  | 'waiting_for_applet'
  | 'connected'
  | 'reconnecting'
  | 'offline'
  | 'lost'
  | 'ended';

/**
 * withdrawn: by the end user; failed: it did not work on their computer; offline: the connection was away for five
 * minutes. After each of them it can be asked again.
 */
export type ConsentState = 'none' | 'asking' | 'granted' | 'refused' | 'timed_out' | 'withdrawn' | 'failed' | 'offline' | 'not_allowed';

export interface ChatMessage {
  /** UUID; the same on both sides and in the store. */
  id: string;
  author: 'technician' | 'end_user';
  text: string;
  at: Date;
}

/** What a session tells; a late listener to `state`, `path`, `monitors`, `peer`, `size`, `security_code` and `ended` hears the newest at once. */
export interface RemoteSessionEvents {
  /**
   * `detail` is a code such as `unreachable`, `refused_expired`, `breach`, `tampered` (somebody sits in between),
   * `broken_keys` (the two ends have made different keys), `foreign_session` (the ticket was of another session),
   * `charter_` with the applet's verdict (`CharterVerdict`) while nothing can be asked, `gateway` or `partner`;
   * `since`, with `reconnecting` and `offline`, when the connection was lost.
   */
  state: (state: LinkState, detail?: string, since?: Date) => void;
  /** Another path is used, or something new is known of it. */
  path: (path: PathReport) => void;
  /** A line of the end user's; own lines are only returned by `sendChat`. */
  chat: (line: ChatMessage) => void;
  typing: (typing: boolean) => void;
  consent: (right: Right, state: ConsentState) => void;
  denied: (right: Right) => void;
  /** `chosen`: id of the monitor shown, 255 for the whole desktop. */
  monitors: (list: Monitor[], chosen: number) => void;
  peer: (peer: { platform: string; version: string; language: string }) => void;
  size: (width: number, height: number) => void;
  /** The first picture since the screen was opened (again) is drawn. */
  picture: () => void;
  /**
   * Six digits; another one means that the keys were made anew, and is to be compared again. `verified`: both ends hold
   * the secret of the invitation link, and there is nothing to compare.
   */
  security_code: (code: string, verified: boolean) => void;
  /** lost: the gateway will not have this leg again (the session is over, or open in another window). */
  ended: (by: 'end_user' | 'technician' | 'lost') => void;
}

export interface RemoteSession {
  /** Returns what ends the listening. */
  on<E extends keyof RemoteSessionEvents>(event: E, f: RemoteSessionEvents[E]): () => void;
  /** The way that the messages take at the moment. */
  readonly path: PathReport;
  /** Whether the charter allows all rights to be asked in one prompt. */
  readonly singlePrompt: boolean;
  /** What may be asked at most. */
  readonly rights: Right[];
  /**
   * Throws `RangeError` above 4096 bytes. Lines written before `connected`, or while
   * reconnecting, are sent then. `id`: of a line of an earlier link that had not been delivered.
   */
  sendChat(text: string, id?: string): { id: string; at: Date };
  setTyping(on: boolean): void;
  request(rights: Right[]): void;
  /** Gives a granted right back, or takes a request back. */
  release(right: Right): void;
  selectMonitor(id: number): void;
  /** Tells once a second how the picture runs; returns what ends that. */
  watchScreen(tell: (report: ScreenReport) => void): () => void;
  sendCombination(combination: 'ctrl_alt_del'): void;
  /** Types a text whatever the layouts are. */
  typeText(text: string): void;
  /**
   * Forwards mouse and keyboard of this part of the page while it has the focus and the link is `connected`; returns
   * what ends it.
   */
  attachInput(stage: HTMLElement): () => void;
  /** Ends the support session. */
  end(): void;
  /** Leaves without ending the support session. */
  close(): void;
}
