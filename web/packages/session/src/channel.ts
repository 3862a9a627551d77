// Gateway, seal and link put together: messages in, messages out, for one leg. The session is built on it, and so is
// any program that wants to speak as a console or an applet without a page.
//
// A pairing outlives its connection: seal and link are kept, and go on over the next one if the partner has kept them
// too. Specification: docs/protocol/gateway.md, "Coming back".
import { type GatewayError, type GatewayOptions } from './gateway';
import { type Delivered, Link, LinkError } from './link';
import { type Return, ReturningLeg } from './returning';
import { Seal, SealError } from './seal';
import { type Bytes, WireError } from './wire/codec';
import { type Leaving, type ReportKind } from './wire/gateway';
import { type Class } from './wire/link';
import { encodeMessage, type Message, MESSAGES } from './wire/message';
import { type Right } from './wire/right';
import { encodeSealFrame, SEAL_KIND } from './wire/seal';

/** A partner that acknowledges nothing for so long, while the gateway says nothing either: the connection is dead. */
const SILENCE = 10_000;

export interface ChannelOptions extends GatewayOptions {
  /** The 32 bytes of the charter's binding. */
  binding: Bytes;
  /** Lost connections are made again, and pairings resumed; without it the first loss is the end. */
  returning?: Return;
}

/** Why a pairing is over although the leg is still there. */
export type PairingError = SealError | LinkError | WireError;

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
  /** Number of the pairing at the gateway. */
  private pairing = 0;
  private seal: Seal | undefined;
  private link: Link | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private heardAt = 0;
  /** Applets only: whether the console's `Commit` of a new pairing has come. */
  private committed = false;
  private saidUnknown = false;
  /** What ends or interrupts this pairing as soon as all that came before it is delivered. */
  private parting: (() => void) | undefined;

  constructor(
    private readonly options: ChannelOptions,
    private readonly events: ChannelEvents,
  ) {
    this.leg = new ReturningLeg(options, options.returning, {
      admitted: (session) => this.events.admitted?.(session),
      paired: (pairing) => this.pair(pairing),
      frame: (bytes) => this.frame(bytes),
      partnerLeft: (reason) => {
        if (reason === 'lost' && options.returning !== undefined) this.interrupt('partner');
        else this.afterArriving(() => this.unpair(), () => this.events.partnerLeft?.(reason)); // prettier-ignore
      },
      lost: () => this.interrupt('gateway'),
      closed: (error) => this.afterArriving(() => this.unpair(), () => this.events.closed?.(error)), // prettier-ignore
    });
  }

  /** Whether the network has not yet taken what was sent. */
  get congested(): boolean {
    return this.leg.buffered > 0;
  }

  /** Whether there is a pairing that goes on once both ends are there again. */
  get held(): boolean {
    return this.seal !== undefined;
  }

  /**
   * Sends a message in its class. Before `secured` it waits for the keys, while interrupted for the resumption unless
   * only the newest of its class counts; without a pairing it is dropped.
   */
  send(message: Message): void {
    this.sendBytes(MESSAGES[message.kind].class, encodeMessage(message));
  }

  /** Sends any bytes as a message of any class. */
  sendBytes(of: Class, message: Bytes): void {
    const { link, seal } = this;
    if (link === undefined || seal === undefined) return;
    this.guard(() => {
      const packet = link.send(of, message, performance.now());
      if (packet !== undefined) seal.seal(packet);
    });
    this.watch();
  }

  /** Seals any bytes as a packet of the link, well-formed or not. */
  sendPacket(packet: Bytes): void {
    this.seal?.seal(packet);
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
    await Promise.race([this.seal?.whenSent(), late]);
    clearTimeout(timer);
    this.bye(reason);
  }

  /** Ends the pairing because of what the partner did. */
  break(error: PairingError): void {
    if (this.seal === undefined) return;
    this.unpair();
    this.events.broken?.(error);
  }

  /** Nothing can be sent any more; seal and link wait for the next connection, if the keys were made. */
  private interrupt(by: Interruption): void {
    const kept = this.options.returning !== undefined && this.seal?.ready === true;
    this.afterArriving(
      () => {
        if (!kept) this.unpair();
      },
      () => this.events.interrupted?.(by),
    );
  }

  /** The partner's last words are still being opened when the news of its leaving comes: they go first. */
  private afterArriving(act: () => void, tell: () => void): void {
    this.part();
    this.standing = 'apart';
    this.link?.pathDown();
    this.rest();
    const part = (): void => {
      if (this.parting !== part) return;
      this.parting = undefined;
      act();
      tell();
    };
    this.parting = part;
    if (this.seal === undefined) part();
    else void this.seal.whenOpened().then(part);
  }

  private part(): void {
    this.parting?.();
  }

  private pair(pairing: number): void {
    this.part();
    this.pairing = pairing;
    this.saidUnknown = false;
    const { seal, link } = this;
    if (this.options.returning === undefined || seal?.ready !== true || link === undefined) {
      this.startAfresh();
      return;
    }
    this.standing = 'resuming';
    // The console speaks first: if this opens, the applet still has its seal.
    if (this.options.role === 'console') this.goOn(seal, link);
  }

  private startAfresh(): void {
    this.unpair();
    const link = new Link('ordered');
    const seal: Seal = new Seal(this.options, {
      frame: (frame) => {
        if (this.seal === seal && this.flowing) this.leg.send(frame);
      },
      packet: (packet, pairing) => this.opened(link, packet, pairing),
      failed: (pairing) => this.failed(pairing),
      ready: (code, transcript) => this.secured(code, transcript),
      broken: (error) => this.break(error),
    });
    this.link = link;
    this.seal = seal;
    this.standing = 'handshake';
    this.committed = false;
    seal.start();
    this.events.paired?.(this.pairing);
  }

  /** Whether sealed frames may leave: an applet that may have to resume waits for the console's word. */
  private get flowing(): boolean {
    return this.standing !== 'apart' && (this.standing !== 'resuming' || this.options.role === 'console');
  }

  private secured(code: string, transcript: Bytes): void {
    if (this.standing !== 'handshake') return;
    this.standing = 'together';
    this.leg.settled();
    this.events.secured?.(code, transcript);
    this.watch();
  }

  /** Everything unacknowledged goes again, over the new connection. */
  private goOn(seal: Seal, link: Link): void {
    for (const packet of link.changePath('ordered', performance.now())) seal.seal(packet);
  }

  private frame(bytes: Bytes): void {
    if (this.standing === 'apart') return;
    this.heardAt = performance.now();
    if (this.options.returning !== undefined && this.aboutPairing(bytes)) return;
    this.seal?.receive(bytes, this.pairing);
  }

  /** Frames that decide between resuming and beginning anew; whether this was one of them. */
  private aboutPairing(bytes: Bytes): boolean {
    const kind = bytes[0];
    if (this.options.role === 'console') {
      if (kind !== SEAL_KIND.unknown || bytes.length !== 1) return false;
      if (this.standing === 'resuming') this.startAfresh();
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

  private failed(pairing: number): void {
    if (this.options.role !== 'applet' || this.standing !== 'resuming' || pairing !== this.pairing) return;
    this.sayUnknown();
  }

  private sayUnknown(): void {
    if (this.saidUnknown) return;
    this.saidUnknown = true;
    this.leg.send(encodeSealFrame({ kind: 'unknown' }));
  }

  private opened(link: Link, packet: Bytes, pairing: number): void {
    // Only what came over this connection shows that the partner has the seal too.
    if (this.standing === 'resuming' && pairing === this.pairing && this.link === link) this.resume(link);
    this.receive(link, packet);
  }

  private resume(link: Link): void {
    this.standing = 'together';
    if (this.options.role === 'applet' && this.seal !== undefined) this.goOn(this.seal, link);
    this.leg.settled();
    this.events.resumed?.();
    this.watch();
  }

  private receive(link: Link, packet: Bytes): void {
    let delivered: Delivered[] = [];
    this.guard(() => {
      delivered = link.receive(packet, performance.now());
    });
    for (const { class: of, message } of delivered) {
      if (this.link !== link) return;
      this.events.message?.(message, of);
    }
    this.wake(link);
  }

  /** Arms the timer for what the link owes, an acknowledgement for example. */
  private wake(link: Link): void {
    if (this.link !== link || this.timer !== undefined || link.wakeAt === undefined) return;
    const wait = Math.max(link.wakeAt - performance.now(), 0);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      for (const packet of link.due(performance.now())) this.seal?.seal(packet);
      this.wake(link);
    }, wait);
  }

  /** Arms the timer that notices a connection of which nobody says that it is dead. */
  private watch(): void {
    if (this.options.returning === undefined || this.silence !== undefined) return;
    if (this.standing !== 'together' || this.link?.waitingSince === undefined) return;
    const patience = this.options.returning.silence ?? SILENCE;
    const wait = Math.max(this.link.waitingSince, this.heardAt) + patience - performance.now();
    this.silence = setTimeout(
      () => {
        this.silence = undefined;
        const since = Math.max(this.link?.waitingSince ?? Number.POSITIVE_INFINITY, this.heardAt);
        if (this.standing === 'together' && performance.now() - since >= patience) {
          this.leg.abandon('nothing is acknowledged any more');
        } else {
          this.watch();
        }
      },
      Math.max(wait, 1),
    );
  }

  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof LinkError || error instanceof WireError)) throw error;
      this.break(error);
    }
  }

  private rest(): void {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.timer = undefined;
    this.silence = undefined;
  }

  private unpair(): void {
    this.rest();
    const { link } = this;
    this.standing = 'apart';
    this.seal?.close();
    this.seal = undefined;
    this.link = undefined;
    const undelivered = link?.unacknowledged('ordered') ?? [];
    if (undelivered.length > 0) this.events.undelivered?.(undelivered);
  }
}
