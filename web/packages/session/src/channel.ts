// Gateway, seal and link put together: messages in, messages out, for one leg. The session is built on it, and so is
// any program that wants to speak as a console or an applet without a page.
//
// A pairing outlives its connection: seal and link are kept, and go on over the next one if the partner has kept them
// too. Specification: docs/protocol/gateway.md, "Coming back". While there is a direct path as well
// (docs/protocol/paths.md), the loss of the gateway interrupts nothing.
import { type Direct, type DirectHost } from './direct';
import { type GatewayError, type GatewayOptions } from './gateway';
import { noCandidates, noInterference, type PathReport } from './paths';
import { type Return, ReturningLeg } from './returning';
import { SealError, type SealFault } from './seal';
import { type PairingError, Traffic } from './traffic';
import { type Bytes, WireError } from './wire/codec';
import { type Leaving, type Relaying, type ReportKind } from './wire/gateway';
import { type Class } from './wire/link';
import { decodeMessageFrom, encodeMessage, isPathMessage, type Message, MESSAGES, type PathMessage } from './wire/message';
import { type Right } from './wire/right';
import { encodeSealFrame, SEAL_KIND } from './wire/seal';

/** A partner that acknowledges nothing for so long, while the gateway says nothing either: the connection is dead. */
const SILENCE = 10_000;
/**
 * After so many milliseconds the search for a direct path begins: it takes the page several to make ready, and the first words of a pairing,
 * for which a person waits, go before it.
 */
const SEARCH_AFTER = 40;
/** A direct path that is not usable for so long is given up, while the gateway's is: sooner than the browser would. */
const DIRECT_SILENCE = 2000;
/** After a change of network something has to come within so many milliseconds, or a second connection is made. */
const ANSWERED_WITHIN = 500;
/** How often the silence is looked at, in milliseconds: what is sent meanwhile may become doubtful before. */
const LOOK_EVERY = 500;
/** News of the path are told this often at most, in milliseconds: they are looked for with each packet. */
const TELL_EVERY = 200;
export interface ChannelOptions extends GatewayOptions {
  /** The 32 bytes of the charter's binding. */
  binding: Bytes;
  /** Lost connections are made again, and pairings resumed; without it the first loss is the end. */
  returning?: Return;
  /** Looks for direct paths; without it everything goes by the gateway. */
  direct?: (host: DirectHost) => Direct;
}

export type { PairingError };

/** Faults of a pairing of which nothing has opened. */
const NEVER_SECURED: ReadonlySet<SealFault> = new Set(['frame', 'commitment', 'zero_secret', 'keys']);

/** gateway: our connection is lost; partner: the partner's is. */
export type Interruption = 'gateway' | 'partner';

export interface ChannelEvents {
  admitted?(session: string): void;
  /** The partner is there and the keys are being made; the n-th pairing of the session. What was before is over. */
  paired?(pairing: number): void;
  /** The keys are made; from now on messages travel. */
  secured?(code: string, transcript: Bytes): void;
  /** A message of the partner's, not decoded yet, and the class it came in. */
  message?(bytes: Bytes, of: Class): void;
  /** A connection is lost. If a pairing was there it is kept: what is sent now waits. */
  interrupted?(by: Interruption): void;
  /** The pairing goes on where it was interrupted. */
  resumed?(): void;
  /** Ordered messages that the partner of a pairing now over has not acknowledged: it may have them or not. */
  undelivered?(messages: Bytes[]): void;
  partnerLeft?(reason: Leaving): void;
  /** Another path is used, or something new is known of it. */
  path?(report: PathReport): void;
  /** The pairing broke; nothing more comes until the next one. */
  broken?(error: PairingError): void;
  /** The leg is over; not called after `bye`. */
  closed?(error: GatewayError): void;
}

/**
 * apart: no partner at the gateway; handshake: keys are being made; resuming: paired with the seal of before, and not
 * yet heard that the partner still has it; together: messages travel.
 */
type Standing = 'apart' | 'handshake' | 'resuming' | 'together';

export class Channel {
  private readonly leg: ReturningLeg;
  private standing: Standing = 'apart';
  /** Seal and link of the pairing; `undefined`: there is none. */
  private traffic: Traffic | undefined;
  private direct: Direct | undefined;
  private searching: ReturnType<typeof setTimeout> | undefined;
  private servers: Relaying | undefined;
  /** Whether `interrupted` was told and `resumed` was not. */
  private away = false;
  /** Whose connection was lost last. */
  private lostBy: Interruption = 'gateway';
  private silence: ReturnType<typeof setTimeout> | undefined;
  private heardAt = 0;
  /** Since when the direct path has not answered. */
  private directSilentSince: number | undefined;
  private told = '';
  private toldAt = -TELL_EVERY;
  private telling: ReturnType<typeof setTimeout> | undefined;
  /** Applets only: whether the console's `Commit` of a new pairing has come. */
  private committed = false;
  private saidUnknown = false;
  /** Consoles only: the applet says that it has not got our seal, but it answers on a direct path with it. */
  private unknown = false;
  /** Number of the pairing at the gateway. */
  private pairing = 0;
  /** What ends or interrupts this pairing as soon as all that came before it is delivered. */
  private parting: (() => void) | undefined;

  constructor(
    private readonly options: ChannelOptions,
    private readonly events: ChannelEvents,
  ) {
    this.leg = new ReturningLeg(options, options.returning, {
      admitted: (session) => {
        this.lostBy = 'partner';
        this.events.admitted?.(session);
      },
      paired: (pairing) => this.pair(pairing),
      frame: (bytes) => this.frame(bytes),
      partnerLeft: (reason) => {
        if (reason === 'lost' && options.returning !== undefined) this.interrupt('partner');
        else this.afterArriving(() => this.unpair(), () => this.events.partnerLeft?.(reason)); // prettier-ignore
      },
      relaying: (servers) => {
        this.servers = servers;
        this.direct?.relaying(servers);
      },
      lost: () => this.interrupt('gateway'),
      closed: (error) => this.afterArriving(() => this.unpair(), () => this.events.closed?.(error)), // prettier-ignore
    });
  }

  /** Whether the network has not yet taken what was sent. */
  get congested(): boolean {
    return this.traffic?.congested === true;
  }

  /** How many inputs the partner has not confirmed yet. */
  get unconfirmedInputs(): number {
    return this.traffic?.unacknowledged('input').length ?? 0;
  }

  /** Bytes that came since the pairing began, on all paths. */
  get received(): number {
    return this.traffic?.received ?? 0;
  }

  /** Whether there is a pairing that goes on once both ends are there again. */
  get held(): boolean {
    return this.traffic !== undefined;
  }

  /** The path in use, and why it is not a better one. */
  get path(): PathReport {
    const { traffic, direct } = this;
    const none = { problem: 'unsupported' as const, attempts: 0, retryAt: undefined, here: noCandidates(), there: noCandidates() };
    const report = direct?.report ?? none;
    const active = traffic?.measured;
    const kind = direct !== undefined && active?.direct === true ? direct.kind : 'relay';
    let { problem } = report;
    const other = traffic?.direct;
    if (kind === 'relay' && other !== undefined) problem = !other.settled ? 'trying' : other.usable && !other.suspected ? 'slower' : 'silent';
    const interference = traffic?.interference ?? noInterference();
    return { kind, roundTrip: active?.roundTrip, loss: active?.loss ?? 0, problem, direct: report, interference };
  }

  /**
   * Sends a message in its class. Before `secured` it waits for the keys, while interrupted for the resumption (of a
   * state the newest does); without a pairing it is dropped.
   */
  send(message: Message): void {
    this.sendBytes(MESSAGES[message.kind].class, encodeMessage(message));
  }

  /** Sends any bytes as a message of any class. */
  sendBytes(of: Class, message: Bytes): void {
    this.traffic?.send(of, message);
    this.watch();
  }

  /** Seals any bytes as a packet of the link, well-formed or not. */
  sendPacket(packet: Bytes): void {
    this.traffic?.sendPacket(packet);
  }

  /** Sends any bytes to the partner, unsealed. */
  sendFrame(frame: Bytes): void {
    this.leg.send(frame);
  }

  /** Applets only: a fact for the account's log. */
  report(report: ReportKind, right: Right): void {
    this.leg.report(report, right);
  }

  /** A pause before the next try is cut short: there is reason to believe that it will work. */
  tryNow(): void {
    this.leg.tryNow();
  }

  /** There is reason to believe that the connection is dead: it is made again at once. */
  abandon(): void {
    this.leg.abandon('the network is gone');
  }

  /** The network is another one now, or was away: a direct path is looked for again, unless there is one that answers. */
  networkChanged(): void {
    if (this.standing !== 'together') return;
    this.direct?.networkChanged(this.carried);
    const since = performance.now();
    const silent = (): boolean => this.standing === 'together' && this.heardAt < since;
    setTimeout(() => silent() && this.leg.doubt('the network is another one', silent), ANSWERED_WITHIN);
  }

  /** Leaves at once; what is still being sealed is lost. */
  bye(reason: Leaving): void {
    this.parting = undefined;
    this.unpair();
    this.leg.bye(reason);
  }

  /** Leaves once everything sent before is on its way, or after half a second. */
  async byeAfterSending(reason: Leaving): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, 500);
    });
    await Promise.race([this.traffic?.whenSent(), late]);
    clearTimeout(timer);
    this.bye(reason);
  }

  /** Ends the pairing because of what the partner did. */
  break(error: PairingError): void {
    if (this.traffic === undefined) return;
    // The console may have made other keys without knowing it.
    if (this.options.role === 'applet' && error instanceof SealError && NEVER_SECURED.has(error.fault)) {
      this.leg.send(encodeSealFrame({ kind: 'keys_differ' }));
    }
    this.unpair();
    this.events.broken?.(error);
  }

  private get carried(): boolean {
    return this.traffic?.carried === true;
  }

  /** The gateway's connection is gone; seal and link wait for the next one, if the keys were made. */
  private interrupt(by: Interruption): void {
    const kept = this.options.returning !== undefined && this.traffic?.ready === true;
    this.lostBy = by;
    this.afterArriving(
      () => {
        if (!kept) this.unpair();
      },
      () => {
        if (kept && !this.away) this.review();
        else this.events.interrupted?.(by);
      },
    );
  }

  /** The partner's last words are still being opened when the news of its leaving comes: they go first. */
  private afterArriving(act: () => void, tell: () => void): void {
    this.part();
    this.standing = 'apart';
    // What was on its way by the gateway goes by another path, if there is one.
    this.traffic?.disconnected();
    this.rest();
    const part = (): void => {
      if (this.parting !== part) return;
      this.parting = undefined;
      act();
      tell();
    };
    this.parting = part;
    if (this.traffic === undefined) part();
    else void this.traffic.whenOpened().then(part);
  }

  private part(): void {
    this.parting?.();
  }

  private pair(pairing: number): void {
    this.part();
    this.pairing = pairing;
    this.saidUnknown = false;
    this.unknown = false;
    const { traffic } = this;
    if (this.options.returning === undefined || traffic?.ready !== true) {
      this.startAfresh();
      return;
    }
    this.standing = 'resuming';
    traffic.connected();
    // The console speaks first: if this opens, the applet still has its seal.
    if (this.options.role === 'console') traffic.goOn();
  }

  private startAfresh(): void {
    this.unpair();
    const mine = (act: () => void): void => {
      if (this.traffic === traffic) act();
    };
    const { leg } = this;
    const gateway = {
      get buffered() {
        return leg.buffered;
      },
      send: (frame: Bytes) => mine(() => this.standing !== 'apart' && this.leg.send(frame)),
    };
    const traffic: Traffic = new Traffic(this.options, gateway, {
      ready: (code, transcript) => mine(() => this.secured(code, transcript)),
      message: (bytes, of) => mine(() => this.message(bytes, of)),
      opened: (path) => mine(() => this.opened(path)),
      failed: (path) => mine(() => this.failed(path)),
      misunderstood: () => mine(() => this.startAfresh()),
      changed: () => mine(() => this.review()),
      broken: (error) => mine(() => this.break(error)),
    });
    this.traffic = traffic;
    this.standing = 'handshake';
    this.committed = false;
    traffic.connected();
    traffic.goOn();
    traffic.start();
    this.events.paired?.(this.pairing);
  }

  private secured(code: string, transcript: Bytes): void {
    if (this.standing !== 'handshake') return;
    this.standing = 'together';
    this.leg.settled();
    this.events.secured?.(code, transcript);
    this.openDirect();
    this.traffic?.flush();
    this.review();
    this.watch();
  }

  private openDirect(): void {
    const { traffic } = this;
    if (traffic === undefined || this.options.direct === undefined) return;
    const mine = (): boolean => this.traffic === traffic;
    const channel = this;
    const host: DirectHost = {
      get ready() {
        return mine() && (channel.standing === 'together' || channel.carried);
      },
      send: (message) => {
        if (mine()) this.send(message);
      },
      opened: (port) => traffic.addPort(port),
      changed: () => {
        if (mine()) this.review();
      },
    };
    this.direct = this.options.direct(host);
    if (this.servers !== undefined) this.direct.relaying(this.servers);
    const { direct } = this;
    this.searching = setTimeout(() => direct.begin(), SEARCH_AFTER);
  }

  private frame(bytes: Bytes): void {
    if (this.standing === 'apart') return;
    this.heardAt = performance.now();
    this.leg.sure();
    if (this.options.returning !== undefined && this.aboutPairing(bytes)) return;
    this.traffic?.receive(bytes);
  }

  /** Frames that decide between resuming and beginning anew; whether this was one of them. */
  private aboutPairing(bytes: Bytes): boolean {
    const kind = bytes[0];
    if (this.options.role === 'console') {
      if (kind !== SEAL_KIND.unknown || bytes.length !== 1) return false;
      if (this.standing === 'resuming') {
        // Whoever says so, the gateway or the applet: as long as the applet answers, it has the seal.
        if (this.carried) this.unknown = true;
        else this.startAfresh();
        return true;
      }
      // Each sealed frame that the applet could not open was answered; later it is a forgery like any other.
      return this.standing === 'handshake';
    }
    if (kind === SEAL_KIND.commit) {
      // A console that commits to keys has none any more, whatever we still hold.
      if (this.standing !== 'handshake' || this.committed) this.startAfresh();
      this.committed = true;
      return false;
    }
    if (kind !== SEAL_KIND.sealed || this.standing !== 'handshake' || this.committed) return false;
    this.sayUnknown();
    return true;
  }

  private failed(path: number): void {
    if (this.options.role !== 'applet' || this.standing !== 'resuming' || path !== this.traffic?.relay) return;
    this.sayUnknown();
  }

  private sayUnknown(): void {
    if (this.saidUnknown) return;
    this.saidUnknown = true;
    this.leg.send(encodeSealFrame({ kind: 'unknown' }));
  }

  private opened(path: number): void {
    // Only what came over this connection shows that the partner has the seal too.
    if (this.standing !== 'resuming' || path !== this.traffic?.relay) return;
    this.standing = 'together';
    this.unknown = false;
    if (this.options.role === 'applet') this.traffic.goOn();
    this.leg.settled();
    this.review();
    this.direct?.begin();
    this.watch();
  }

  private message(bytes: Bytes, of: Class): void {
    if (of !== 'ordered' || !isPathMessage(bytes)) {
      this.events.message?.(bytes, of);
      return;
    }
    try {
      this.signalled(bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.break(error);
    }
  }

  private signalled(bytes: Bytes): void {
    const message = decodeMessageFrom(this.options.role === 'console' ? 'applet' : 'console', bytes, 'ordered') as PathMessage;
    if (this.direct !== undefined) this.direct.receive(message);
    else if (message.kind === 'path_offer') this.send({ kind: 'path_gone', attempt: message.attempt });
  }

  /** Tells when the last way is lost, when there is one again, and what is new of the path. */
  private review(): void {
    if (this.traffic?.ready !== true || this.parting !== undefined || this.standing === 'handshake') return;
    const alive = this.standing === 'together' || this.carried;
    if (!alive && this.unknown && this.standing === 'resuming') {
      this.startAfresh();
      return;
    }
    if (!alive && !this.away) {
      this.away = true;
      this.events.interrupted?.(this.lostBy);
    } else if (alive && this.away) {
      this.away = false;
      this.events.resumed?.();
    }
    this.giveUpSilent();
    this.tellPath();
  }

  private giveUpSilent(): void {
    const path = this.traffic?.direct;
    if (path?.settled !== true || path.usable || this.standing !== 'together') {
      this.directSilentSince = undefined;
      return;
    }
    this.directSilentSince ??= performance.now();
    if (performance.now() - this.directSilentSince < DIRECT_SILENCE) return;
    this.directSilentSince = undefined;
    this.direct?.silent();
  }

  private tellPath(): void {
    if (this.events.path === undefined || this.telling !== undefined) return;
    const wait = this.toldAt + TELL_EVERY - performance.now();
    if (wait > 0) {
      this.telling = setTimeout(() => {
        this.telling = undefined;
        this.tellPath();
      }, wait);
      return;
    }
    this.toldAt = performance.now();
    const { path } = this;
    const { kind, roundTrip, loss, problem, direct, interference } = path;
    const key = [kind, roundTrip?.toFixed(), (loss * 100).toFixed(), problem, direct.attempts, direct.retryAt?.getTime(), ...Object.values(direct.here), ...Object.values(direct.there), ...Object.values(interference)].join(); // prettier-ignore
    if (key === this.told) return;
    this.told = key;
    this.events.path(path);
  }

  /** Arms the timer that notices a connection of which nobody says that it is dead. */
  private watch(): void {
    if (this.options.returning === undefined || this.silence !== undefined) return;
    if (this.standing !== 'together') return;
    const patience = this.options.returning.silence ?? SILENCE;
    const now = performance.now();
    const since = Math.max(this.traffic?.relaySilentSince ?? now, this.heardAt);
    if (since + patience <= now) {
      this.leg.abandon('nothing is acknowledged any more');
      return;
    }
    const doubted = this.traffic?.relayDoubtedAt ?? Infinity;
    if (doubted <= now) {
      // A gateway that has only dropped something is found out by the answer, and is not dead.
      this.traffic?.askRelay();
      this.leg.doubt('nothing is acknowledged any more', () => this.isSilent);
    }
    const wait = Math.min(since + patience - now, doubted <= now ? Infinity : doubted - now, LOOK_EVERY);
    this.silence = setTimeout(() => {
      this.silence = undefined;
      this.watch();
    }, Math.max(wait, 1)); // prettier-ignore
  }

  /** Whether nothing has come since the connection became doubtful. */
  private get isSilent(): boolean {
    return this.standing === 'together' && (this.traffic?.relayDoubtedAt ?? Infinity) <= performance.now();
  }

  private rest(): void {
    clearTimeout(this.silence);
    this.silence = undefined;
  }

  private unpair(): void {
    this.rest();
    const { traffic, direct } = this;
    this.standing = 'apart';
    this.away = false;
    this.unknown = false;
    this.told = '';
    this.toldAt = -TELL_EVERY;
    clearTimeout(this.telling);
    this.telling = undefined;
    clearTimeout(this.searching);
    this.traffic = undefined;
    this.direct = undefined;
    direct?.close();
    traffic?.close();
    const undelivered = traffic?.unacknowledged('ordered') ?? [];
    if (undelivered.length > 0) this.events.undelivered?.(undelivered);
  }
}
