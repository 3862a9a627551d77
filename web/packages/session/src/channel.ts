// Gateway, seal and link put together: messages in, messages out, for one leg. The session is built on it, and so is
// any program that wants to speak as a console or an applet without a page.
import { GatewayError, type GatewayEvents, GatewayLeg, type GatewayOptions } from './gateway';
import { type Delivered, Link, LinkError } from './link';
import { Seal, SealError } from './seal';
import { type Bytes, WireError } from './wire/codec';
import { type Leaving, type ReportKind } from './wire/gateway';
import { type Class } from './wire/link';
import { encodeMessage, type Message, MESSAGES } from './wire/message';
import { type Right } from './wire/right';

export interface ChannelOptions extends GatewayOptions {
  /** The 32 bytes of the charter's binding. */
  binding: Bytes;
}

/** Why a pairing is over although the leg is still there. */
export type PairingError = SealError | LinkError | WireError;

export interface ChannelEvents {
  admitted?(session: string): void;
  /** The partner is there and the keys are being made; the n-th pairing of the session. */
  paired?(pairing: number): void;
  /** The keys are made; from now on messages travel. */
  secured?(code: string): void;
  /** A message of the partner's, not decoded yet, and the class it came in. */
  message?(bytes: Bytes, of: Class): void;
  partnerLeft?(reason: Leaving): void;
  /** The pairing broke; nothing more comes until the next one. */
  broken?(error: PairingError): void;
  /** The leg is over; not called after `bye`. */
  closed?(error: GatewayError): void;
}

export class Channel {
  private readonly leg: GatewayLeg;
  private seal: Seal | undefined;
  private link: Link | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** What ends this pairing as soon as all that came before it is delivered. */
  private parting: (() => void) | undefined;

  constructor(
    private readonly options: ChannelOptions,
    private readonly events: ChannelEvents,
  ) {
    const legEvents: GatewayEvents = {
      admitted: (session) => this.events.admitted?.(session),
      paired: (pairing) => this.pair(pairing),
      frame: (bytes) => this.seal?.receive(bytes),
      partnerLeft: (reason) => this.afterArriving(() => this.events.partnerLeft?.(reason)),
      closed: (error) => this.afterArriving(() => this.events.closed?.(error)),
    };
    this.leg = new GatewayLeg(options, legEvents);
  }

  /** Whether the network has not yet taken what was sent. */
  get congested(): boolean {
    return this.leg.buffered > 0;
  }

  /** Sends a message in its class. Before `secured` it waits for the keys; without a partner it is dropped. */
  send(message: Message): void {
    this.sendBytes(MESSAGES[message.kind].class, encodeMessage(message));
  }

  /** Sends any bytes as a message of any class. */
  sendBytes(of: Class, message: Bytes): void {
    const { link, seal } = this;
    if (link === undefined || seal === undefined) return;
    this.guard(() => seal.seal(link.send(of, message, performance.now())));
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

  /** The partner's last words are still being opened when the news of its leaving comes: they go first. */
  private afterArriving(tell: () => void): void {
    this.part();
    const part = (): void => {
      if (this.parting !== part) return;
      this.parting = undefined;
      this.unpair();
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
    this.unpair();
    const link = new Link('ordered');
    const seal: Seal = new Seal(this.options, {
      frame: (frame) => this.leg.send(frame),
      packet: (packet) => this.receive(link, packet),
      ready: (code) => this.events.secured?.(code),
      broken: (error) => this.break(error),
    });
    this.link = link;
    this.seal = seal;
    seal.start();
    this.events.paired?.(pairing);
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

  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof LinkError || error instanceof WireError)) throw error;
      this.break(error);
    }
  }

  /** Ends the pairing because of what the partner did. */
  break(error: PairingError): void {
    if (this.seal === undefined) return;
    this.unpair();
    this.events.broken?.(error);
  }

  private unpair(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.seal?.close();
    this.seal = undefined;
    this.link = undefined;
  }
}
