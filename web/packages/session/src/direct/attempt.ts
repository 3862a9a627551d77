// One attempt at a direct path: offer, answer, candidates, until the data channel opens, and then until it closes.
import { type Candidates, count, kindOfPair, noCandidates, type PathName, type PathProblem } from '../paths';
import { type Bytes } from '../wire/codec';
import { MAX_FRAME, type Relaying } from '../wire/gateway';
import { MAX_CANDIDATE, MAX_SDP, type PathMessage } from '../wire/message';
import { CHANNEL, iceServers, LABEL, type Peer, type PeerChannel, type PeerFactory } from './peer';
import { type Port } from './port';
import { findings } from './stats';

/** How long an attempt may take, in milliseconds. */
const PATIENCE = 30_000;
/** A data channel that holds less than this takes more. */
const LOW = 64 * 1024;
/** Candidates of the other end that are taken. */
const MAX_CANDIDATES = 64;

/** What is read of an `RTCPeerConnectionIceErrorEvent`. */
interface CandidateError {
  url?: string;
  errorCode?: number;
}
/** No answer from the server, at any of its addresses. */
const SERVER_SILENT = 701;

export interface AttemptEvents {
  send(message: PathMessage): void;
  opened(port: Port): void;
  frame(frame: Bytes): void;
  free(): void;
  changed(): void;
  /** It is over, after it was open for so many milliseconds; `problem` is `undefined` when we closed it ourselves. */
  ended(problem: PathProblem | undefined, lived: number): void;
}

export class Attempt {
  readonly here: Candidates = noCandidates();
  readonly there: Candidates = noCandidates();
  kind: PathName = 'direct_udp';
  private peer: Peer | undefined;
  private channel: PeerChannel | undefined;
  private openedAt: number | undefined;
  private over = false;
  private hasAnswer = false;
  private candidates = 0;
  private stunSilent = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** One step after the other: a candidate must wait for the answer to be taken. */
  private steps: Promise<void> = Promise.resolve();

  constructor(
    readonly number: number,
    private readonly make: PeerFactory,
    private readonly servers: Relaying | undefined,
    private readonly patience: number | undefined,
    private readonly events: AttemptEvents,
  ) {}

  get isOpen(): boolean {
    return this.openedAt !== undefined && !this.over;
  }

  /** Why an open path is not a better one. */
  get problem(): PathProblem | undefined {
    if (!this.isOpen || this.kind === 'direct_udp') return undefined;
    if (this.kind === 'direct_tcp') return this.stunSilent ? 'udp_blocked_here' : 'udp_blocked';
    return this.stunSilent ? 'udp_blocked_here' : 'ice_failed';
  }

  start(): void {
    let peer: Peer;
    try {
      peer = this.makePeer();
    } catch (error) {
      console.warn('this browser makes no peer connection', error);
      // Never from within `start`: the owner does not hold the attempt yet.
      queueMicrotask(() => this.end('unsupported'));
      return;
    }
    this.peer = peer;
    this.timer = setTimeout(() => this.fail(this.whyNotOpen()), this.patience ?? PATIENCE);
    peer.onicecandidate = ({ candidate }: RTCPeerConnectionIceEvent) => this.found(candidate);
    peer.onicecandidateerror = ({ url, errorCode }: CandidateError) => {
      if (errorCode === SERVER_SILENT && url?.startsWith('stun:') === true) this.stunSilent = true;
    };
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === 'failed') this.fail(this.isOpen ? 'lost' : this.whyNotOpen());
    };
    const channel = peer.createDataChannel(LABEL, CHANNEL);
    this.channel = channel;
    this.listen(channel);
    this.step(async () => {
      const offer = await peer.createOffer();
      // Said before any candidate is gathered: they follow on their own.
      await peer.setLocalDescription(offer);
      const { sdp = '' } = offer;
      if (this.over || sdp.length > MAX_SDP) return;
      this.events.send({ kind: 'path_offer', attempt: this.number, sdp });
      this.events.changed();
    });
  }

  answered(sdp: string): void {
    if (this.hasAnswer) return;
    this.hasAnswer = true;
    this.step(async () => this.peer?.setRemoteDescription({ type: 'answer', sdp }));
  }

  candidate(candidate: string): void {
    this.candidates += 1;
    if (this.candidates > MAX_CANDIDATES) return;
    count(candidate, this.there);
    if (candidate === '' && this.candidates === 1) {
      // There are no more, and there were none.
      this.fail('no_candidates');
      return;
    }
    this.events.changed();
    this.step(async () => {
      try {
        await this.peer?.addIceCandidate({ candidate, sdpMid: '0', sdpMLineIndex: 0 });
      } catch (error) {
        // What cannot be read is left out: the other candidates may do.
        console.warn('a candidate of the other end is left out', error);
      }
    });
  }

  /** The attempt has failed, or its path is lost; the other end is told. */
  fail(problem: PathProblem): void {
    if (this.over) return;
    this.events.send({ kind: 'path_gone', attempt: this.number });
    this.end(problem);
  }

  /** Lets go of everything; the other end learns of it by the next offer. */
  close(): void {
    this.end(undefined);
  }

  private makePeer(): Peer {
    try {
      return this.make({ iceServers: iceServers(this.servers) });
    } catch (error) {
      if (this.servers === undefined) throw error;
      // An address that the browser does not take must not cost the paths that need no server.
      console.warn('the servers that the gateway names are left out', error);
      return this.make({ iceServers: [] });
    }
  }

  private found(candidate: RTCIceCandidate | null): void {
    const text = candidate?.candidate ?? '';
    // An empty one that is there only ends a component.
    if (this.over || (candidate !== null && text === '') || text.length > MAX_CANDIDATE) return;
    count(text, this.here);
    this.step(() => Promise.resolve(this.events.send({ kind: 'path_candidate', attempt: this.number, candidate: text })));
    this.events.changed();
  }

  private listen(channel: PeerChannel): void {
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = LOW;
    channel.onopen = () => this.open(channel);
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer && data.byteLength <= MAX_FRAME) this.events.frame(new Uint8Array(data));
    };
    channel.onbufferedamountlow = () => this.events.free();
    channel.onclose = () => this.fail('lost');
  }

  private open(channel: PeerChannel): void {
    if (this.over || this.isOpen) return;
    clearTimeout(this.timer);
    this.openedAt = performance.now();
    this.events.opened({
      get buffered() {
        return channel.bufferedAmount;
      },
      send: (frame) => {
        if (channel.readyState !== 'open') return;
        try {
          channel.send(frame);
        } catch (error) {
          // Its buffer is full: lost like a packet on the way, and sent again by the link.
          console.warn('a packet is dropped', error);
        }
      },
      close: () => this.fail('lost'),
    });
    void this.look();
    this.peer?.sctp?.transport.iceTransport?.addEventListener('selectedcandidatepairchange', () => void this.look());
  }

  /** Which pair of candidates is used. */
  private async look(): Promise<void> {
    const stats = await this.peer?.getStats().catch(() => undefined);
    const { pair } = findings(stats);
    if (this.over || pair === undefined) return;
    this.kind = kindOfPair(pair.local, pair.remote);
    this.events.changed();
  }

  private whyNotOpen(): PathProblem {
    if (!this.hasAnswer) return 'no_answer';
    const { udp, tcp, reflexive, relayed } = this.there;
    if (udp + tcp + reflexive + relayed === 0) return 'no_candidates';
    return this.stunSilent ? 'udp_blocked_here' : 'ice_failed';
  }

  private step(act: () => Promise<unknown> | undefined): void {
    this.steps = this.steps.then(async () => {
      if (this.over) return;
      try {
        await act();
      } catch (error) {
        console.warn('a step towards a direct path has failed', error);
        this.fail('ice_failed');
      }
    });
  }

  private end(problem: PathProblem | undefined): void {
    if (this.over) return;
    const lived = this.openedAt === undefined ? 0 : performance.now() - this.openedAt;
    this.over = true;
    clearTimeout(this.timer);
    const { peer, channel } = this;
    if (channel !== undefined) {
      channel.onopen = null;
      channel.onmessage = null;
      channel.onclose = null;
      channel.onbufferedamountlow = null;
    }
    if (peer !== undefined) {
      peer.onicecandidate = null;
      peer.onicecandidateerror = null;
      peer.onconnectionstatechange = null;
      peer.close();
    }
    this.events.ended(problem, lived);
  }
}
