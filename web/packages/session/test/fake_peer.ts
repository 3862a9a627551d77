// Peer connections without a network: those of one `Ether` find each other by their descriptions.
import { type Peer, type PeerChannel, type PeerFactory } from '../src/direct';
import { Random } from './random';

/** What is between the peers. */
export class Ether {
  /** Per cent. */
  loss = 0;
  /** Milliseconds at most, so that packets overtake each other. */
  delay = 0;
  /** Nothing gets through, and nobody is told. */
  dead = false;
  /** Candidates are found. */
  addresses = true;
  /** STUN servers answer. */
  stun = true;
  pair = { type: 'host', protocol: 'udp' };
  readonly made: FakePeer[] = [];
  readonly configurations: RTCConfiguration[] = [];
  readonly random = new Random(9);

  readonly factory: PeerFactory = (configuration) => {
    this.configurations.push(configuration);
    const peer = new FakePeer(this, this.made.length);
    this.made.push(peer);
    return peer;
  };

  /** Each peer connection fails, as after a while without any packet. */
  fail(): void {
    for (const peer of this.made) peer.fail();
  }
}

export class FakePeer implements Peer {
  connectionState = 'new';
  onicecandidate: ((event: never) => void) | null = null;
  onicecandidateerror: ((event: never) => void) | null = null;
  onconnectionstatechange: ((event: never) => void) | null = null;
  channel: FakeChannel | undefined;
  partner: FakePeer | undefined;
  private candidates = 0;

  constructor(
    private readonly ether: Ether,
    private readonly id: number,
  ) {}

  createDataChannel(): PeerChannel {
    this.channel = new FakeChannel(this, this.ether);
    return this.channel;
  }

  async createOffer(): Promise<RTCSessionDescriptionInit> {
    return { type: 'offer', sdp: `peer ${this.id}` };
  }

  async createAnswer(): Promise<RTCSessionDescriptionInit> {
    return { type: 'answer', sdp: `peer ${this.id}` };
  }

  async setLocalDescription(): Promise<void> {
    setTimeout(() => {
      const say = this.onicecandidate as ((event: object) => void) | null;
      if (this.ether.addresses) say?.({ candidate: { candidate: `candidate:1 1 udp 1 192.0.2.${this.id} 5000 typ host` } });
      if (!this.ether.stun) (this.onicecandidateerror as ((event: object) => void) | null)?.({ errorCode: 701, url: 'stun:x' });
      say?.({ candidate: null });
    });
  }

  async setRemoteDescription({ sdp }: RTCSessionDescriptionInit): Promise<void> {
    this.partner = this.ether.made[Number(sdp?.split(' ')[1])];
    if (this.partner === undefined) throw new Error('no description');
    this.connect();
  }

  async addIceCandidate({ candidate }: RTCIceCandidateInit): Promise<void> {
    if (candidate === '') return;
    this.candidates += 1;
    this.connect();
    this.partner?.connect();
  }

  async getStats(): Promise<RTCStatsReport> {
    return new Map<string, object>([
      ['T', { id: 'T', type: 'transport', selectedCandidatePairId: 'P' }],
      ['P', { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R' }],
      ['L', { id: 'L', type: 'local-candidate', candidateType: this.ether.pair.type, protocol: this.ether.pair.protocol }],
      ['R', { id: 'R', type: 'remote-candidate', candidateType: 'host', protocol: this.ether.pair.protocol }],
    ]) as unknown as RTCStatsReport;
  }

  close(): void {
    const { partner } = this;
    this.connectionState = 'closed';
    this.channel?.shut();
    setTimeout(() => partner?.partner === this && partner.channel?.shut());
  }

  fail(): void {
    if (this.connectionState === 'closed') return;
    this.connectionState = 'failed';
    (this.onconnectionstatechange as (() => void) | null)?.();
    this.channel?.shut();
  }

  get alive(): boolean {
    return this.connectionState === 'connected';
  }

  connect(): void {
    const { partner } = this;
    if (this.ether.dead || this.candidates === 0 || partner?.partner !== this || partner.candidates === 0) return;
    for (const peer of [this, partner]) {
      if (peer.connectionState !== 'new') continue;
      peer.connectionState = 'connected';
      setTimeout(() => peer.channel?.open());
    }
  }
}

class FakeChannel implements PeerChannel {
  binaryType = '';
  bufferedAmountLowThreshold = 0;
  readonly bufferedAmount = 0;
  readyState = 'connecting';
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onbufferedamountlow: ((event: never) => void) | null = null;

  constructor(
    private readonly peer: FakePeer,
    private readonly ether: Ether,
  ) {}

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.readyState !== 'open') throw new Error('not open');
    if (this.ether.dead || this.ether.random.chance(this.ether.loss)) return;
    this.deliver(bytes.slice().buffer);
  }

  /** To the other end, as anybody who could send there might. */
  deliver(data: ArrayBuffer): void {
    const delay = this.ether.random.below(this.ether.delay + 1);
    setTimeout(() => (this.peer.partner?.channel?.onmessage as ((event: object) => void) | null | undefined)?.({ data }), delay);
  }

  close(): void {
    this.peer.close();
  }

  open(): void {
    if (this.readyState !== 'connecting') return;
    this.readyState = 'open';
    (this.onopen as (() => void) | null)?.();
  }

  shut(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    (this.onclose as (() => void) | null)?.();
  }
}
