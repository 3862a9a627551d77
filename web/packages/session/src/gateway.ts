// One leg at a gateway: belay-gateway/1 over a WebSocket. Tries the gateways in turn and says clearly why one refuses.
// Specification: docs/protocol/gateway.md.
import { type Bytes, WireError } from './wire/codec';
import {
  decodeFromGateway,
  encodeToGateway,
  type FromGateway,
  type Leaving,
  MAX_FRAME,
  type Refusal,
  type Relaying,
  type ReportKind,
  type Role,
  SUBPROTOCOL,
} from './wire/gateway';
import { type Right } from './wire/right';

/** unreachable: no gateway answered; closed: an admitted leg lost its connection; protocol: the gateway spoke nonsense. */
export type GatewayFault = 'unreachable' | 'closed' | 'protocol' | `refused_${Refusal}`;

export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  constructor(
    readonly fault: GatewayFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What is used of a WebSocket; the browser's and npm's `ws` both fit. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  /** 0: connecting, 1: open; absent where a program's own sockets do not tell. */
  readonly readyState?: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(bytes: Bytes): void;
  close(code?: number, reason?: string): void;
}

/** Opens a WebSocket; given by programs that are no browser (they add the `Origin` and their trust anchors). */
export type Connect = (url: string, subprotocol: string) => Socket;

export interface GatewayOptions {
  /** Tried in this order. `/gateway/v1` is added to an address without a path, `https` becomes `wss`. */
  gateways: readonly string[];
  role: Role;
  /** UUID of the account. */
  account: string;
  /** 32 bytes of a console's ticket or of a return ticket, or 16 bytes of an applet's session authentication id. */
  credential: Bytes;
  version: string;
  platform: string;
  connect?: Connect;
  /** How long one gateway may take until it admits, in milliseconds. */
  patience?: number;
}

export interface GatewayEvents {
  /** `returnTicket` admits this leg once more, should its connection be lost. */
  admitted(session: string, returnTicket: Bytes): void;
  paired(pairing: number): void;
  frame(bytes: Bytes): void;
  partnerLeft(reason: Leaving): void;
  /** The gateway's STUN and TURN service; each time in place of what it said before. */
  relaying?(servers: Relaying): void;
  /** The leg is over; not called after `bye`. */
  closed(error: GatewayError): void;
}

const REFUSALS: Record<Refusal, string> = {
  unknown: 'the gateway does not know this ticket, ask for a new one',
  used: 'this ticket was used before, ask for a new one',
  expired: 'this ticket or its session has expired, ask for a new one',
  foreign: 'this ticket belongs to another account or installation',
  full: 'every gateway is full, try again in a minute',
  protocol: 'the gateway speaks another version of the protocol, reload the page',
  slow_down: 'too many tries from this address, wait a minute',
  unavailable: 'the gateway could not ask the website, try again',
  replaced: 'the session is over, or was opened in another window',
};

/** Refusals after which another gateway may still admit. */
const ELSEWHERE: ReadonlySet<Refusal> = new Set(['full', 'slow_down', 'unavailable']);

export class GatewayLeg {
  private socket: Socket | undefined;
  private state: 'connecting' | 'admitted' | 'over' = 'connecting';
  private timer: ReturnType<typeof setTimeout> | undefined;
  private next = 0;

  constructor(
    private readonly options: GatewayOptions,
    private readonly events: GatewayEvents,
  ) {
    this.tryNext(new GatewayError('unreachable', 'there is no gateway to connect to'));
  }

  /** The gateway it is at, or tries. */
  get address(): string | undefined {
    return this.options.gateways[this.next - 1];
  }

  /** Bytes that the network has not taken yet. */
  get buffered(): number {
    return this.socket?.bufferedAmount ?? 0;
  }

  /** Sends bytes to the partner; only after `paired`. */
  send(bytes: Bytes): void {
    if (this.state === 'admitted') this.socket?.send(encodeToGateway({ kind: 'frame', bytes }));
  }

  /** Applets only: a fact for the account's log. */
  report(report: ReportKind, right: Right): void {
    if (this.state === 'admitted') this.socket?.send(encodeToGateway({ kind: 'report', report, right }));
  }

  /** Leaves for this reason; nothing is called any more. */
  bye(reason: Leaving): void {
    const [socket, admitted] = [this.socket, this.state === 'admitted'];
    this.state = 'over';
    this.drop();
    if (admitted) socket?.send(encodeToGateway({ kind: 'bye', reason }));
    socket?.close(1000);
  }

  /** Lets go of a connection that is thought to be dead, without a word; nothing is called any more. */
  abandon(): void {
    const socket = this.socket;
    this.state = 'over';
    this.drop();
    socket?.close();
  }

  private tryNext(error: GatewayError): void {
    const address = this.options.gateways[this.next];
    if (address === undefined) {
      this.finish(error);
      return;
    }
    this.next += 1;
    let socket: Socket;
    try {
      const connect = this.options.connect ?? browserConnect;
      socket = connect(gatewayUrl(address), SUBPROTOCOL);
    } catch (cause) {
      this.tryNext(new GatewayError('unreachable', `${address} is no address of a gateway`, { cause }));
      return;
    }
    this.socket = socket;
    this.listen(socket, address);
  }

  private listen(socket: Socket, address: string): void {
    const giveUp = (error: GatewayError): void => {
      if (this.socket !== socket) return;
      this.drop();
      socket.close();
      if (this.state === 'connecting') this.tryNext(error);
      else this.finish(error);
    };
    const patience = this.options.patience ?? 10_000;
    this.timer = setTimeout(() => giveUp(new GatewayError('unreachable', `${address} does not answer`)), patience);
    socket.binaryType = 'arraybuffer';
    const hello = (): void => {
      const { role, account, credential, version, platform } = this.options;
      socket.send(encodeToGateway({ kind: 'hello', role, account, credential, version, platform }));
    };
    socket.onopen = hello;
    socket.onmessage = (event: MessageEvent<unknown>) => this.receive(socket, event.data, giveUp);
    socket.onclose = () => {
      const error =
        this.state === 'connecting'
          ? new GatewayError('unreachable', `${address} cannot be reached`)
          : new GatewayError('closed', `the connection to ${address} is lost`);
      giveUp(error);
    };
    // What went wrong follows with `close`; browsers say nothing here.
    socket.onerror = () => undefined;
    // One that was prepared, or made beside another, may be open already.
    if (socket.readyState === 1) hello();
  }

  private receive(socket: Socket, data: unknown, giveUp: (error: GatewayError) => void): void {
    if (this.socket !== socket) return;
    let frame: FromGateway;
    try {
      if (!(data instanceof ArrayBuffer)) throw new WireError('unknown', 'a text where a frame was expected');
      if (data.byteLength > MAX_FRAME) throw new WireError('too_long', `frame is longer than ${MAX_FRAME}`);
      frame = decodeFromGateway(new Uint8Array(data));
      if (this.state === 'connecting' && frame.kind !== 'admitted' && frame.kind !== 'refused') {
        throw new WireError('unknown', `${frame.kind} before admission`);
      }
    } catch (cause) {
      if (!(cause instanceof WireError)) throw cause;
      giveUp(new GatewayError('protocol', `the gateway broke the protocol: ${cause.message}`, { cause }));
      return;
    }
    switch (frame.kind) {
      case 'admitted':
        clearTimeout(this.timer);
        this.state = 'admitted';
        this.events.admitted(frame.session, frame.returnTicket);
        return;
      case 'refused': {
        const error = new GatewayError(`refused_${frame.refusal}`, REFUSALS[frame.refusal]);
        if (this.state === 'connecting' && ELSEWHERE.has(frame.refusal)) {
          giveUp(error);
        } else {
          this.drop();
          socket.close();
          this.finish(error);
        }
        return;
      }
      case 'paired':
        this.events.paired(frame.pairing);
        return;
      case 'partner_left':
        this.events.partnerLeft(frame.reason);
        return;
      case 'relaying':
        this.events.relaying?.(frame);
        return;
      case 'frame':
        this.events.frame(frame.bytes);
        return;
    }
  }

  /** Lets go of the socket: its events no longer count. */
  private drop(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = undefined;
    if (socket === undefined) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = () => undefined;
  }

  private finish(error: GatewayError): void {
    if (this.state === 'over') return;
    this.state = 'over';
    // Never from within the constructor: the owner does not hold the leg yet.
    queueMicrotask(() => this.events.closed(error));
  }
}

/** The WebSocket address of a gateway; throws `TypeError` when it is no address. */
export function gatewayUrl(address: string): string {
  const url = new URL(address);
  url.protocol = url.protocol === 'http:' || url.protocol === 'ws:' ? 'ws:' : 'wss:';
  if (url.pathname === '/') url.pathname = '/gateway/v1';
  return url.href;
}

/** How a browser connects. */
export function browserConnect(url: string, subprotocol: string): Socket {
  return new WebSocket(url, subprotocol);
}
