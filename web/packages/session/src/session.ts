// A remote session as the console lives it: connects, secures, hands over the charter, and turns messages into events
// and calls into messages. Knows no page: screen, pointer and input come in as parts.
import { Away } from './away';
import { Channel, type ChannelOptions, type Interruption } from './channel';
import { type Charter, readCharter } from './charter';
import { Consent } from './consent';
import { Emitter } from './emitter';
import { type GatewayError } from './gateway';
import { Attachments } from './attachments';
import { textPieces } from './input';
import { type LinkState, type RemoteSession, type RemoteSessionEvents, type RemoteSessionOptions } from './interface';
import { LinkCheck, readLinkSecret } from './link_secret';
import { type NetworkNews } from './network';
import { type PathReport } from './paths';
import { type Return } from './returning';
import { type SessionParts } from './session_parts';
import { Viewing } from './viewing';
import { type ScreenReport, Watching } from './watching';
import { type Bytes, utf8, WireError } from './wire/codec';
import { fromBase64, fromHex, fromUuid, toUuid } from './wire/encoding';
import { type Leaving } from './wire/gateway';
import { type Input, WHOLE_DESKTOP } from './wire/input';
import { type Class } from './wire/link';
import { type CharterVerdict, decodeMessage, decodeMessageFrom, MAX_CHAT, type Message } from './wire/message';
import { type Right } from './wire/right';

/**
 * An interruption that is over within so many milliseconds is seen by nobody, and takes no key from who is typing. People need about
 * as long to notice the veil over the picture.
 */
const GLANCE = 250;
/** How long the applet may take from the pairing to its first message, in milliseconds. */
const PATIENCE = 20_000;
/** How long a console waits at one of several gateways before it asks again whether its applet is at another, doubling each time. */
const SEEK: readonly [first: number, longest: number] = [10_000, 120_000];
/** Lines written while there is no partner. */
const MAX_WAITING_LINES = 100;

type CharterFault = Exclude<CharterVerdict, 'accepted'>;

export class ConsoleSession implements RemoteSession {
  readonly singlePrompt: boolean;
  private readonly emitter = new Emitter();
  private readonly charter: Charter;
  private readonly consent: Consent;
  private readonly channel: Channel;
  private readonly attachments: Attachments;
  private readonly away: Away;
  private readonly linkCheck: LinkCheck;
  private readonly watching = new Watching({
    path: () => this.channel.path,
    received: () => this.channel.received,
    films: () => this.viewing.filmCount,
    send: (message) => this.channel.send(message),
  });
  /** The code of the pairing. */
  private code = '';
  private readonly unwatch: (() => void) | undefined;
  private readonly viewing: Viewing;
  private state: LinkState = 'connecting';
  /** Whether the applet of this pairing has accepted and answered. */
  private welcomed = false;
  /** Why the applet has refused the charter. */
  private charterRefused: CharterFault | undefined;
  private monitor = WHOLE_DESKTOP;
  private typingSent = false;
  private partnerTypes = false;
  private waitingLines: Message[] = [];
  private patience: ReturnType<typeof setTimeout> | undefined;
  private severalGateways: boolean;
  private seeking: ReturnType<typeof setTimeout> | undefined;
  private seekAfter = SEEK[0];

  /** Throws `RangeError` when an option is malformed. */
  constructor(
    options: Omit<RemoteSessionOptions, 'canvas'>,
    private readonly parts: SessionParts,
  ) {
    this.charter = readCharter(options.charter);
    this.singlePrompt = this.charter.singlePrompt;
    this.consent = new Consent(
      (message) => {
        if (message.kind === 'request' && message.rights.includes('desktop_view')) this.viewing.asking();
        this.channel.send(message);
      },
      (right, state) => {
        this.consentChanged(right);
        this.emitter.emit('consent', right, state);
      },
    );
    this.attachments = new Attachments((stage) =>
      this.parts.attachInput?.(stage, {
        send: (input) => this.sendInput(input),
        congested: () => this.channel.congested,
        unconfirmed: () => this.channel.unconfirmedInputs,
        monitor: () => this.monitor,
      }),
    );
    this.viewing = new Viewing({
      surface: parts.surface,
      cursor: parts.cursor,
      allowed: () => this.consent.has('desktop_view'),
      send: (message) => this.channel.send(message),
      opened: () => this.watching.opened(),
      first: () => this.emitter.emit('picture'),
      drawn: (decode, draw) => this.watching.drawn(decode, draw),
      size: (width, height) => this.emitter.emit('size', width, height),
      hopeless: () => this.lose('screen_corrupt'),
    });
    this.away = new Away((state, detail, since) => this.enter(state, detail, since), parts.offlineAfter);
    this.enter('connecting');
    this.severalGateways = options.gateways.length > 1;
    this.linkCheck = new LinkCheck(options.linkSecret === undefined ? undefined : readLinkSecret(options.linkSecret), {
      send: (message) => this.channel.send(message),
      verified: () => this.emitter.emit('security_code', this.code, true),
      tampered: () => this.lose('tampered'),
    });
    const { renew } = options;
    const returning: Return = {
      ...parts.returning,
      ...(renew === undefined
        ? {}
        : {
            renew: async () => {
              const { gateways, ticket } = await renew();
              this.severalGateways = gateways.length > 1;
              return { gateways, credential: fromBase64(ticket) };
            },
          }),
    };
    const channelOptions: ChannelOptions = {
      gateways: options.gateways,
      role: 'console',
      account: this.charter.account,
      credential: fromBase64(options.ticket),
      version: parts.version,
      platform: parts.platform,
      binding: fromHex(options.binding),
      returning,
      ...(parts.connect === undefined ? {} : { connect: parts.connect }),
      ...(parts.direct === undefined ? {} : { direct: parts.direct }),
    };
    this.channel = new Channel(channelOptions, {
      admitted: (session) => this.admitted(session, options.sessionId),
      paired: () => this.paired(),
      secured: (code, transcript) => this.secured(code, transcript),
      message: (bytes, of) => this.receive(bytes, of),
      interrupted: (by) => this.interrupted(by),
      resumed: () => this.resumed(),
      path: (path) => this.emitter.emit('path', path),
      undelivered: (messages) => this.undelivered(messages),
      partnerLeft: (reason) => this.partnerLeft(reason),
      broken: (error) => this.lose(error instanceof WireError ? 'breach' : `broken_${error.fault}`),
      closed: (error) => this.closed(error),
    });
    this.unwatch = parts.watchNetwork?.((news) => this.networkChanged(news));
    Promise.all([parts.zstd, parts.films]).then(
      ([zstd, films]) => this.viewing.ready(zstd, films),
      () => this.lose('no_webassembly'),
    );
  }

  get path(): PathReport {
    return this.channel.path;
  }

  get rights(): Right[] {
    return this.charterRefused === undefined ? [...this.charter.rights] : [];
  }

  on<E extends keyof RemoteSessionEvents>(event: E, f: RemoteSessionEvents[E]): () => void {
    return this.emitter.on(event, f);
  }

  sendChat(text: string, id?: string): { id: string; at: Date } {
    if (utf8(text).length > MAX_CHAT) throw new RangeError(`a chat line may have ${MAX_CHAT} bytes, send it in parts`);
    const line = id === undefined ? crypto.getRandomValues(new Uint8Array(16)) : fromUuid(id);
    const message: Message = { kind: 'chat', line, text };
    // While it is interrupted, the link keeps the line in its order.
    if (this.welcomed && this.channel.held) this.channel.send(message);
    else if (this.waitingLines.length < MAX_WAITING_LINES) this.waitingLines.push(message);
    return { id: toUuid(line), at: new Date() };
  }

  setTyping(on: boolean): void {
    if (this.state !== 'connected' || on === this.typingSent) return;
    this.typingSent = on;
    this.channel.send({ kind: 'typing', on });
  }

  request(rights: Right[]): void {
    // The end user's program must know by then whether to trust this pairing.
    this.linkCheck.afterProof(() => {
      if (this.state === 'connected') this.consent.request(rights, this.rights);
    });
  }

  release(right: Right): void {
    if (this.state === 'connected') this.consent.release(right);
  }

  selectMonitor(id: number): void {
    this.viewing.select(id);
  }

  watchScreen(tell: (report: ScreenReport) => void): () => void {
    return this.watching.add(tell);
  }

  sendCombination(combination: 'ctrl_alt_del'): void {
    this.sendInput({ kind: 'combination', combination });
  }

  typeText(text: string): void {
    for (const piece of textPieces(text)) this.sendInput({ kind: 'text', text: piece });
  }

  attachInput(stage: HTMLElement): () => void {
    return this.attachments.add(stage);
  }

  end(): void {
    if (this.over) return;
    this.attachments.pause();
    this.channel.send({ kind: 'end', by: 'technician' });
    void this.channel.byeAfterSending('ended_by_technician');
    this.finish('ended');
    this.emitter.emit('ended', 'technician');
  }

  close(): void {
    if (this.over) return;
    this.channel.bye('closed');
    this.finish('ended');
  }

  private get over(): boolean {
    return this.state === 'lost' || this.state === 'ended';
  }

  private enter(state: LinkState, detail?: string, since?: Date): void {
    if (this.over) return;
    this.state = state;
    this.emitter.emit('state', state, detail, since);
  }

  /** The applet may have come back at another gateway; the website sends us there when we come in anew. */
  private seek(): void {
    this.found();
    if (!this.severalGateways || this.over) return;
    this.seeking = setTimeout(() => {
      this.seekAfter = Math.min(this.seekAfter * 2, SEEK[1]);
      this.channel.abandon();
    }, this.parts.seekAfter ?? this.seekAfter);
  }

  private found(): void {
    clearTimeout(this.seeking);
  }

  private admitted(session: string, wanted: string): void {
    // The ticket was another session's: its end user is not ours.
    if (session.toLowerCase() !== wanted.toLowerCase()) {
      this.lose('foreign_session');
      return;
    }
    this.seek();
    if (this.channel.held) {
      // A direct path may have carried the session all the while.
      if (this.away.since !== undefined) this.away.begin('partner');
    } else {
      this.away.end();
      this.enter('waiting_for_applet');
    }
  }

  private interrupted(by: Interruption): void {
    if (this.over) return;
    if (by === 'partner') this.seek();
    else this.found();
    if (this.channel.held || by === 'gateway') {
      this.away.begin(by);
      this.attachments.pauseAfter(GLANCE);
      this.quieten();
    } else {
      this.pauseAll();
      this.startOver();
      this.answered();
      this.enter('waiting_for_applet', 'partner_lost');
    }
  }

  /** Nothing can be shown or typed for the moment; what is granted stays. */
  private pauseAll(): void {
    this.attachments.pause();
    this.quieten();
  }

  private quieten(): void {
    if (this.welcomed) this.answered();
    this.typingSent = false;
    if (this.partnerTypes) this.partnerTyping(false);
  }

  private partnerTyping(on: boolean): void {
    this.partnerTypes = on;
    this.emitter.emit('typing', on);
  }

  private resumed(): void {
    if (this.over) return;
    this.found();
    this.seekAfter = SEEK[0];
    this.away.end();
    if (this.welcomed) this.connected();
    else this.await();
    // The applet has let go of everything, but what was still under way came after that.
    this.sendInput({ kind: 'release_all' });
    this.viewing.resumed();
  }

  /** Lines of a pairing that is over go again with the next one; each has its own number, so that none shows twice. */
  private undelivered(messages: Bytes[]): void {
    const lines = messages.map(decodeMessage).filter(({ kind }) => kind === 'chat');
    this.waitingLines.unshift(...lines);
  }

  private networkChanged(news: NetworkNews): void {
    if (news === 'down') {
      this.channel.abandon();
      return;
    }
    this.channel.tryNow();
    if (news !== 'looked_at') this.channel.networkChanged();
    // Something to acknowledge shows whether the connection still lives.
    if (this.state === 'connected') this.channel.send({ kind: 'typing', on: this.typingSent });
  }

  private connected(): void {
    this.enter('connected', this.charterRefused === undefined ? undefined : `charter_${this.charterRefused}`);
    this.attachments.resume();
  }

  private await(): void {
    this.enter('securing');
    // Interruptions and new tries do not prolong it: somebody may keep the answers back for ever.
    this.patience ??= setTimeout(() => this.lose('no_answer'), PATIENCE);
  }

  /** Nothing is waited for any more. */
  private answered(): void {
    clearTimeout(this.patience);
    this.patience = undefined;
  }

  private secured(code: string, transcript: Bytes): void {
    this.code = code;
    this.emitter.emit('security_code', code, false);
    this.linkCheck.begin(transcript);
  }

  private paired(): void {
    this.found();
    this.seekAfter = SEEK[0];
    this.linkCheck.end();
    this.away.end();
    this.attachments.pause();
    this.startOver();
    this.await();
    const { document, signature } = this.charter;
    this.channel.send({ kind: 'charter', document, signature });
  }

  /** Everything of the last pairing is gone: grants, requests, the picture. */
  private startOver(): void {
    if (this.welcomed) this.answered();
    this.consent.reset();
    this.viewing.startOver();
    this.welcomed = false;
    this.charterRefused = undefined;
    this.typingSent = false;
    this.monitor = WHOLE_DESKTOP;
  }

  private receive(bytes: Bytes, of: Class): void {
    if (this.over) return;
    let message: Message;
    try {
      message = decodeMessageFrom('applet', bytes, of);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.channel.break(error);
      return;
    }
    this.handle(message);
  }

  private handle(message: Message): void {
    switch (message.kind) {
      case 'screen_update':
        this.viewing.update(message);
        return;
      case 'cursor_position':
        this.parts.cursor?.position(message.x, message.y);
        return;
      case 'cursor_shape':
        this.viewing.cursorShape(message);
        return;
      case 'welcome':
        this.welcome(message);
        return;
      case 'charter_checked':
        this.charterRefused = message.verdict === 'accepted' ? undefined : message.verdict;
        if (this.charterRefused !== undefined) this.enter(this.state, `charter_${this.charterRefused}`);
        return;
      case 'link_proved':
        void this.linkCheck.answered(message.proof);
        return;
      case 'no_link_secret':
        // Downloaded by PIN, or without the fragment: people compare the codes.
        return;
      case 'chat':
        this.emitter.emit('chat', {
          id: toUuid(message.line),
          author: 'end_user',
          text: message.text,
          at: new Date(),
        });
        return;
      case 'typing':
        this.partnerTyping(message.on);
        return;
      case 'end':
        this.endedBy(message.by);
        return;
      case 'decision':
        this.consent.decided(message.request, message.rights, message.outcome);
        return;
      case 'withdrawn':
        this.consent.withdrawn(message.rights, message.cause);
        return;
      case 'denied':
        this.emitter.emit('denied', message.right);
        return;
      case 'screen_timings':
        this.watching.heard(message);
        return;
      case 'monitors':
        this.monitor = message.chosen;
        this.viewing.expect(message.list, message.chosen);
        this.emitter.emit('monitors', message.list, message.chosen);
        return;
      case 'charter':
      case 'request':
      case 'cancel':
      case 'release':
      case 'link_proof':
      case 'screen_open':
      case 'screen_close':
      case 'screen_resync':
      case 'screen_wanted':
      case 'screen_seen':
      case 'screen_watch':
      case 'path_offer':
      case 'path_answer':
      case 'path_candidate':
      case 'path_gone':
      case 'move':
      case 'press':
      case 'wheel':
      case 'key':
      case 'text':
      case 'combination':
      case 'release_all':
      case 'move_by':
        // Refused before as coming from the wrong end, or taken by the channel.
        return;
    }
  }

  private welcome({ platform, version, language }: { platform: string; version: string; language: string }): void {
    this.answered();
    this.welcomed = true;
    this.connected();
    this.emitter.emit('peer', { platform, version, language });
    for (const line of this.waitingLines.splice(0)) this.channel.send(line);
  }

  private consentChanged(right: Right): void {
    const [view, control] = [this.consent.has('desktop_view'), this.consent.has('remote_control')];
    this.parts.cursor?.mode(view ? (control ? 'control' : 'view') : 'off');
    if (right !== 'desktop_view') return;
    if (view) this.viewing.granted();
    else this.viewing.withdrawn();
  }

  private sendInput(input: Input): void {
    // What is typed blindly while nothing is seen must not be carried out later; an interruption that nobody can see loses no key.
    const sees = this.state === 'connected' || this.attachments.forwarding;
    if (sees && this.consent.has('remote_control')) this.channel.send(input);
  }

  private partnerLeft(reason: Leaving): void {
    if (reason === 'ended_by_end_user') this.endedBy('end_user');
    else if (reason === 'ended_by_technician') this.endedBy('technician');
    else {
      this.away.end();
      this.pauseAll();
      this.startOver();
      this.answered();
      this.enter('waiting_for_applet', reason === 'lost' ? 'partner_lost' : 'partner_closed');
    }
  }

  private endedBy(by: 'end_user' | 'technician'): void {
    if (this.over) return;
    this.channel.bye(by === 'end_user' ? 'ended_by_end_user' : 'ended_by_technician');
    this.finish('ended');
    this.emitter.emit('ended', by);
  }

  private closed(error: GatewayError): void {
    const replaced = error.fault === 'refused_replaced';
    this.finish(replaced ? 'ended' : 'lost', error.fault);
    if (replaced) this.emitter.emit('ended', 'lost');
  }

  /** This connection cannot go on; a new one can. */
  private lose(detail: string): void {
    if (this.over) return;
    this.channel.bye('closed');
    this.finish('lost', detail);
  }

  private finish(state: 'lost' | 'ended', detail?: string): void {
    if (this.over) return;
    this.answered();
    this.found();
    this.linkCheck.end();
    this.away.end();
    this.unwatch?.();
    this.watching.close();
    this.attachments.pause();
    this.enter(state, detail);
    this.consent.reset();
    this.viewing.withdrawn();
    this.parts.cursor?.close();
    this.parts.surface.close?.();
  }
}
